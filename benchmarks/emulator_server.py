"""The OpenAI emulator on one core, for the measurement of its pacing.

It prints its port and serves until its standard input ends.
"""

import asyncio
import contextlib
import gc
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from crossfade.emulators.backends import ScriptedBackend
from crossfade.emulators.backends.scenario import Scenario, Turn
from crossfade.emulators.gathering import gathering_loop
from crossfade.emulators.openai import OpenAIEmulator, Timing
from crossfade.emulators.turn_detection import energy_scorer

CHUNK_MS = 20
_SENTENCE = "Here is one more sentence that nobody waits for, so that there is always sound."
# Of five seconds each.
_SENTENCES = 100


async def _main() -> None:
    turn = Turn(on=None, say=(" ".join([_SENTENCE] * _SENTENCES),))
    backend = ScriptedBackend(Scenario(turns=(turn,)))
    timing = Timing(speed=1, chunk_ms=CHUNK_MS, think_ms=0)
    async with OpenAIEmulator(backend, timing=timing, scorer=energy_scorer) as emulator:
        pcm = await backend.render(_SENTENCE)
        assert len(pcm) % (CHUNK_MS * 48) == 0, "sentences of whole chunks keep an even pace"
        gc.freeze()
        sys.stdout.write(f"{emulator.port}\n")
        sys.stdout.flush()
        # Whoever started it closes its end.
        await asyncio.to_thread(sys.stdin.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerProcess:
    """The running emulator."""

    port: int
    pid: int

    @property
    def cpu_s(self) -> float:
        """CPU used so far, of user and system."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def waited_s(self) -> float:
        """Time in which it could have run and others had its core."""
        return int(Path(f"/proc/{self.pid}/schedstat").read_text().split()[1]) / 1e9

    @property
    def memory_mib(self) -> float:
        """Resident memory."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@contextlib.contextmanager
def served(core: int) -> Iterator[ServerProcess]:
    """Run the emulator in a process of its own on one core."""
    with subprocess.Popen(
        [sys.executable, "-m", __name__, str(core)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield ServerProcess(port=int(process.stdout.readline()), pid=process.pid)
        process.stdin.close()


if __name__ == "__main__":
    os.sched_setaffinity(0, {int(sys.argv[1])})
    with asyncio.Runner(loop_factory=gathering_loop) as runner:
        runner.run(_main())
