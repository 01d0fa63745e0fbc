"""Feeds broken input to all that comes from outside.

    python -m tests.fuzz.everything --seconds 60

Each input has its share of the time: what is read from memory and files, then the emulators and the
server by their sockets. Ends with an error at the first that is refused by anything but an error of
ours, that is taken where it must not be, or that costs more than itself.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from loguru import logger

from tests.fuzz.__main__ import MOST_GROWTH_BYTES, peak_bytes, write
from tests.fuzz.inputs import Input, inputs, refusing
from tests.fuzz.mutation import Mutator
from tests.fuzz.sockets import SOCKETS
from tests.fuzz.target import Finding

_WHOLE = 0.2
_MOST_LINES = 30
_CONNECTIONS = 30
# A quarter of a second for a message of 64 KiB is a way to stop a server.
_LONGEST_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run came to."""

    wire: str
    seed: int
    inputs: Mapping[str, int]
    """How many each had, broken and whole."""
    taken: Mapping[str, float]
    """The share of them that was not refused."""
    seconds: float
    process_growth_bytes: int


class Feeding:
    """One input, fed as long as it is given time.

    Args:
        what: The input.
        dice: Decides how it is broken.
    """

    def __init__(self, what: Input, dice: random.Random) -> None:
        self._what = what
        self._dice = dice
        self._mutator = Mutator(what.corpus, dice)
        self.fed = self.taken = 0

    async def feed_until(self, until_s: float) -> None:
        """Feed one after the other; on a loop, which some readers expect.

        Raises:
            Finding: One does harm.
        """
        while time.monotonic() < until_s or not self.fed:
            self.feed()

    def feed(self) -> None:
        """Feed one.

        Raises:
            Finding: It does harm.
        """
        data = self._lines() if self._what.lines else self._one()
        began_s = time.process_time()
        self.taken += refusing(self._what.feed, data)
        self.fed += 1
        if time.process_time() - began_s > _LONGEST_S:
            raise Finding(f"takes {time.process_time() - began_s:.1f} s: {data[:2000]!r}")

    def _one(self) -> bytes:
        whole = self._dice.choice(self._what.corpus)
        return whole if self._dice.random() < _WHOLE else self._mutator.mutate(whole)

    def _lines(self) -> bytes:
        at = self._dice.choice((0, 0, self._dice.randrange(len(self._what.corpus))))
        count = self._dice.randrange(_MOST_LINES)
        broken = self._dice.random() * 0.3
        return b"".join(
            (self._mutator.mutate(line) if self._dice.random() < broken else line) + b"\n"
            for line in self._what.corpus[at : at + count]
        )


def run(seconds: float, seed: int, tell: Callable[[str], object] = lambda line: None) -> Outcome:
    """Feed everything.

    Args:
        seconds: For all of it.
        seed: Of all that is random.
        tell: Told what each came to.

    Raises:
        Finding: Something did harm.
    """
    dice = random.Random(seed)
    began_s = time.monotonic()
    fed, taken = dict[str, int](), dict[str, float]()
    with tempfile.TemporaryDirectory() as place:
        found = inputs(Path(place))
        each_s = seconds / (len(found) + len(SOCKETS))
        baseline = 0
        for name, what in found.items():
            feeding = Feeding(what, dice)
            until_s = time.monotonic() + each_s
            _named(name, partial(asyncio.run, feeding.feed_until(until_s)))
            fed[name], taken[name] = feeding.fed, round(feeding.taken / feeding.fed, 3)
            tell(f"{name}: {feeding.fed} inputs, {taken[name]:.0%} of them taken")
            baseline = baseline or peak_bytes()
        for name, attack in SOCKETS.items():
            fed[name] = _named(name, partial(attack, each_s, dice, _CONNECTIONS))
            tell(f"{name}: {fed[name]} inputs")
    growth = peak_bytes() - baseline
    if growth > 2 * MOST_GROWTH_BYTES:
        raise Finding(f"the process grew by {growth} bytes")
    return Outcome(
        wire="everything",
        seed=seed,
        inputs=fed,
        taken=taken,
        seconds=round(time.monotonic() - began_s, 1),
        process_growth_bytes=growth,
    )


def _named(name: str, attack: Callable[[], int | None]) -> int:
    try:
        return attack() or 0
    except Finding as error:
        error.add_note(f"by {name}")
        raise


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.everything", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--results", type=Path, help="keep the outcome as dated JSON there")
    options = parser.parse_args()
    logger.remove()
    outcome = run(options.seconds, options.seed, lambda line: sys.stdout.write(line + "\n"))
    if options.results is not None:
        sys.stdout.write(f"written to {write(outcome, options.results)}\n")


if __name__ == "__main__":
    main()
