"""Feeds a protocol with broken messages by the million: `python -m tests.fuzz --wire openai`.

Ends with an error at the first message that makes it raise, or whose traces do not go away.
"""

import argparse
import json
import platform
import random
import resource
import sys
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, cast

from crossfade import __version__
from tests.fuzz.mutation import Mutator
from tests.fuzz.target import PROTOCOLS, Finding, Target, corpus, state_bytes

# Short sessions break in their beginnings; the longest ones would show what is never forgotten.
_SESSION_MESSAGES = (100, 3_000, 100_000)
_WEIGH_EVERY = 10_000
_MOST_STATE_BYTES = 32 * 2**20
MOST_GROWTH_BYTES = 96 * 2**20
# Of all messages that many are whole, so that responses begin, speak and end between the rest.
_WHOLE = 0.3
_ACTS = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run came to."""

    wire: str
    seed: int
    mutated_messages: int
    whole_messages: int
    events: int
    sessions: int
    seconds: float
    largest_state_bytes: int
    """Of what hangs on one protocol, after up to 100,000 messages."""
    process_growth_bytes: int
    """Of the process's peak memory since the first session."""


def run(wire: str, messages: int, seed: int) -> Outcome:
    """Feed so many mutated messages.

    Raises:
        Finding: The protocol broke its word.
    """
    dice = random.Random(seed)
    whole = corpus(wire)
    mutator = Mutator(whole, dice)
    started = time.monotonic()
    mutated = intact = events = sessions = largest = 0
    baseline = 0
    while mutated < messages:
        target = Target(wire, dice)
        sessions += 1
        at = dice.randrange(len(whole))
        for count in range(1, dice.choice(_SESSION_MESSAGES) + 1):
            # Mostly in the order in which a service sends them.
            at = (at + 1) % len(whole) if dice.random() < 0.95 else dice.randrange(len(whole))
            if dice.random() < _WHOLE:
                events += len(target.receive(whole[at]))
                intact += 1
            else:
                events += len(target.receive(mutator.mutate(whole[at])))
                mutated += 1
            if dice.random() < _ACTS:
                target.act()
            if count % _WEIGH_EVERY == 0:
                largest = max(largest, state_bytes(target.protocol))
                if largest > _MOST_STATE_BYTES:
                    raise Finding(f"{largest} bytes hang on a protocol after {count} messages")
            if mutated >= messages:
                break
        baseline = baseline or peak_bytes()
    growth = peak_bytes() - baseline
    if growth > MOST_GROWTH_BYTES:
        raise Finding(f"the process grew by {growth} bytes")
    return Outcome(
        wire=wire,
        seed=seed,
        mutated_messages=mutated,
        whole_messages=intact,
        events=events,
        sessions=sessions,
        seconds=round(time.monotonic() - started, 1),
        largest_state_bytes=largest,
        process_growth_bytes=growth,
    )


def peak_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


class _Named(Protocol):
    @property
    def wire(self) -> str: ...


def write(outcome: _Named, folder: Path) -> Path:
    """Keep an outcome, a dataclass, as dated JSON."""
    now = datetime.now(UTC)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"fuzz-{outcome.wire}-{now:%Y-%m-%dT%H-%M-%SZ}.json"
    content = {
        "measurement": "broken input that did no harm, in bounded memory",
        "version": __version__,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        **asdict(cast(Any, outcome)),
    }
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return path


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--wire", choices=sorted(PROTOCOLS), action="append", required=True)
    parser.add_argument("--messages", type=int, default=100_000, help="mutated ones, a wire")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--results", type=Path, help="keep the outcome as dated JSON there")
    options = parser.parse_args()
    for wire in options.wire:
        outcome = run(wire, options.messages, options.seed)
        sys.stdout.write(f"{outcome}\n")
        if options.results is not None:
            sys.stdout.write(f"written to {write(outcome, options.results)}\n")


if __name__ == "__main__":
    main()
