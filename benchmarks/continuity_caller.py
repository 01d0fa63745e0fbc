"""A scripted caller whose sound can be told apart sample by sample."""

from collections.abc import Sequence

import numpy as np
from pipecat.processors.frame_processor import FrameProcessor

from crossfade.frames.audio import OutputAudioRawFrame
from crossfade.transports.paced_output import PacedOutput
from crossfade.transports.script import Line, Script
from crossfade.transports.scripted_caller import ScriptedCaller, ScriptedInput

from .continuity_check import Span

# So loud is speech, of 32768; the noise that tells samples apart is not.
_LOUD = 330
_NOISE = 9
_SAMPLE_BYTES = 2


class NoisyInput(ScriptedInput):
    """A scripted caller whose every sample is one of a kind, and is kept.

    Args:
        script: What to say and when.
        rate_hz: Rate of the audio it sends.
    """

    def __init__(self, script: Script, *, rate_hz: int) -> None:
        super().__init__(script, rate_hz=rate_hz)
        self.said = bytearray()
        """What was said, from `forgotten` on."""
        self.forgotten = 0
        """Bytes of what was said that were let go."""
        self._chance = np.random.default_rng(7)

    def hear(self, pcm: bytes) -> None:
        samples = np.frombuffer(pcm, dtype="<i2").astype(np.int32)
        noise = self._chance.integers(-_NOISE, _NOISE + 1, samples.size)
        noisy = np.clip(samples + noise, -32768, 32767).astype("<i2").tobytes()
        self.said += noisy
        super().hear(noisy)

    def let_go(self, before: int) -> None:
        """Forget what was said before a sample."""
        surplus = min(len(self.said), before * _SAMPLE_BYTES - self.forgotten)
        if surplus > 0:
            del self.said[:surplus]
            self.forgotten += surplus


class KeptOutput(PacedOutput):
    """An output that keeps what it is given to play.

    Args:
        rate_hz: Rate of the agent's audio.
    """

    def __init__(self, *, rate_hz: int) -> None:
        super().__init__(rate_hz=rate_hz)
        self.played = bytearray()

    def write_audio(self, frame: OutputAudioRawFrame) -> None:
        self.played += frame.audio


class NotedScript(Script):
    """A script that notes when its lines are spoken."""

    def __init__(self, lines: Sequence[Line], *, patience_s: float, pause_s: float) -> None:
        super().__init__(lines, patience_s=patience_s, pause_s=pause_s)
        self.caller: NoisyInput | None = None
        self.begun: list[tuple[int, Line]] = []
        """Behind so many samples of what was said each line began."""

    def due(self, now_s: float) -> Line | None:
        line = super().due(now_s)
        if line is not None and self.caller is not None:
            at_bytes = self.caller.forgotten + len(self.caller.said)
            self.begun.append((at_bytes // _SAMPLE_BYTES, line))
        return line


class NoisyCaller(ScriptedCaller):
    """The caller's end of the line, see `NoisyInput`.

    Args:
        script: What the caller says and when.
        in_rate_hz: Rate of the caller's audio.
        kept: Where the agent's audio goes, if it is kept.
    """

    def __init__(
        self, script: NotedScript, *, in_rate_hz: int, kept: KeptOutput | None = None
    ) -> None:
        super().__init__(script, in_rate_hz=in_rate_hz)
        self.caller = script.caller = NoisyInput(script, rate_hz=in_rate_hz)
        self.rate_hz = in_rate_hz
        self._input = self.caller
        if kept is not None:
            self._output = kept

    def input(self) -> FrameProcessor:
        return self.caller

    def span(self, begun: tuple[int, Line]) -> Span:
        """Where the caller spoke in a line, from its first loud sample to its last, of all that
        was said. What was said there must not have been let go."""
        (begin, line), kept_from = begun, self.caller.forgotten // _SAMPLE_BYTES
        samples = int(line.sound.duration_ms * self.rate_hz / 1000)
        said = np.frombuffer(bytes(self.caller.said), dtype="<i2")[begin - kept_from :][:samples]
        loud = np.flatnonzero(np.abs(said.astype(np.int32)) > _LOUD)
        return begin + int(loud[0]), begin + int(loud[-1]) + 1
