"""A scripted agent whose sound can be told apart sample by sample."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import numpy as np

from crossfade.emulators.backends import ScriptedBackend
from crossfade.emulators.backends.scenario import Scenario
from crossfade.emulators.backends.scripted import ScriptedDialogue

_NOISE = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A sentence as one session of an emulator spoke it, or was about to."""

    session: int
    """The number of its connection, from 1."""
    text: str
    pcm: bytes
    """s16le mono at the rate of backends."""


class NoisyBackend(ScriptedBackend):
    """A scripted backend that renders each sentence anew, unlike any other rendering of it.

    Args:
        scenario: What it hears and says.
    """

    def __init__(self, scenario: Scenario) -> None:
        super().__init__(scenario)
        self._script = scenario
        self.rendered: list[Rendered] = []
        """All that was rendered, in order."""
        self._dialogues = 0
        self._chance = np.random.default_rng(11)

    def dialogue(self) -> ScriptedDialogue:
        self._dialogues += 1
        return ScriptedDialogue(self._script, self._renderer(self._dialogues))

    def _renderer(self, session: int) -> Callable[[str], Coroutine[Any, Any, bytes]]:
        async def render(sentence: str) -> bytes:
            samples = np.frombuffer(await self.render(sentence), dtype="<i2").astype(np.int32)
            noise = self._chance.integers(-_NOISE, _NOISE + 1, samples.size)
            pcm: bytes = np.clip(samples + noise, -32768, 32767).astype("<i2").tobytes()
            self.rendered.append(Rendered(session=session, text=sentence, pcm=pcm))
            return pcm

        return render
