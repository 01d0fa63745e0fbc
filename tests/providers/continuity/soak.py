"""Calls with random faults, which must go on: `python -m tests.providers.continuity.soak`.

Each call has four questions. Up to seven of its connections fail at random, in a random state. It
is good if each question is answered by a session that heard all of it once, and if the ledger has
each turn once and each word of the answers once. The user's words come at once or late, and stand
in the turn that they belong to, on OpenAI's wire none missing. The turns are found by the provider,
or marked.

What the session hears of the user by his own ear alone may be a noise: for that, two lines in a row
that tell nothing are given up, three if it was long. So no more of a call's lines go silent.
"""

import argparse
import asyncio
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from crossfade.conversation.turns import UserTurn
from crossfade.emulators.backends.backend import Trigger
from crossfade.emulators.backends.scenario import Scenario, Turn
from crossfade.emulators.faults.moments import State
from crossfade.emulators.faults.script import (
    Close,
    Fault,
    HalfOpen,
    RefuseHandshake,
    Reset,
    Stall,
)
from crossfade.errors import CrossfadeError
from crossfade.providers import Continuity, SessionConfig, TurnDetection
from crossfade.providers.events import ResponseStatus, UserTurnCommitted
from tests.clock import run
from tests.providers.continuity.calls import (
    GEMINI,
    OPENAI,
    Caller,
    answered,
    calling,
    emulator_of,
)

TURNS = 4
_FAULTY = 7
"""So many connections may fail."""
_KINDS: tuple[type[Fault] | None, ...] = (
    Reset,
    Close,
    HalfOpen,
    Reset,
    Stall,
    RefuseHandshake,
    None,
)
_STATES = (None, State.IDLE, State.USER_SPEAKING, State.THINKING, State.SPEAKING)
_AFTER_MS = (0, 50, 100, 400, 900, 1500, 3000)
_UTTERANCES_MS = (300, 600, 1500, 3000)
_LONG_MS = 1000
_SILENT = (HalfOpen, Stall)
_MOST_SILENT, _MOST_SILENT_FOR_SHORT = 3, 2
_PAUSES_S = (0.2, 2.0, 9.0)
# Each connection that is followed by another one may take them along.
_LAST_WORDS_S = 20
_WORDS_AFTER_MS = (50.0, 50.0, 1500.0, 4000.0)
# A silent line is noticed after 6 s, one that replaces it after 12, and so on.
_PATIENCE_S = 90.0
SCENARIO = Scenario(
    turns=tuple(
        Turn(
            on=Trigger.SPEECH,
            hear=f"question number {number}",
            say=(
                f"answer {number} begins here and goes on for quite a while "
                f"until it is over at {number}",
            ),
        )
        for number in range(1, 2 * TURNS + 1)
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """One call, by its seed."""

    seed: int
    spec: str
    faults: Sequence[Fault]
    rotate_after_s: float | None
    utterances_ms: Sequence[int]
    pauses_s: Sequence[float]
    words_after_ms: float
    """So long behind a turn come its words."""
    marked: bool
    """The caller says where the turns begin and end."""


def course(seed: int) -> Course:
    """Draw a call."""
    dice = random.Random(seed)
    faults: list[Fault] = []
    silent = 0
    for session in range(1, _FAULTY + 1):
        kind = dice.choice(_KINDS)
        if kind in _SILENT:
            silent += 1
            kind = kind if silent <= _MOST_SILENT else Reset
        faults += _fault(dice, kind, session)
    shortest_ms = 0 if silent <= _MOST_SILENT_FOR_SHORT else _LONG_MS
    return Course(
        seed=seed,
        spec=dice.choice((OPENAI, GEMINI)),
        faults=faults,
        rotate_after_s=dice.choice((None, None, 7.0)),
        utterances_ms=dice.choices([ms for ms in _UTTERANCES_MS if ms >= shortest_ms], k=TURNS),
        pauses_s=dice.choices(_PAUSES_S, k=TURNS),
        words_after_ms=dice.choice(_WORDS_AFTER_MS),
        marked=dice.choice((False, False, True)),
    )


def _fault(dice: random.Random, kind: type[Fault] | None, session: int) -> list[Fault]:
    if kind is None:
        return []
    if kind is RefuseHandshake:
        # A call whose first connection does not open never begins.
        return [RefuseHandshake(session=session)] if session > 1 else []
    at, after_ms = dice.choice(_STATES), dice.choice(_AFTER_MS)
    if session == 1 and at in (None, State.IDLE):
        after_ms = max(after_ms, 400)
    return [kind(session=session, at=at, after_ms=after_ms)]


def check(seed: int) -> list[str]:
    """Have a call; give what was wrong with it."""
    return run(_call(course(seed)))


async def _call(plan: Course) -> list[str]:
    emulator = emulator_of(
        plan.spec,
        faults=plan.faults,
        scenario=SCENARIO,
        transcript_delay_ms=plan.words_after_ms,
    )
    continuity = Continuity(rotate_after_s=plan.rotate_after_s)
    finds = TurnDetection.CALLER if plan.marked else TurnDetection.SERVER
    config = SessionConfig(turn_detection=finds)
    wrong: list[str] = []
    async with emulator, calling(plan.spec, emulator, config, continuity=continuity) as caller:
        for number in range(1, TURNS + 1):
            loud = await _say(caller, plan, number)
            # The microphone never rests.
            silence = bytes(2 * caller.session.input_rate_hz * int(2 * _PATIENCE_S))
            microphone = asyncio.create_task(caller.send(silence))
            try:
                async with asyncio.timeout(_PATIENCE_S):
                    await _until_answered(caller, number)
                await asyncio.sleep(plan.pauses_s[number - 1])
            except (TimeoutError, CrossfadeError) as error:
                return [*wrong, f"turn {number}: {error!r} after {caller.agent_said[-60:]!r}"]
            finally:
                microphone.cancel()
                await asyncio.wait([microphone])
            if (times := answered(emulator, loud)) != 1:
                wrong.append(f"turn {number}: heard {times} times")
        await caller.send(bytes(2 * caller.session.input_rate_hz * _LAST_WORDS_S))
        return wrong + _differences(caller) + _words(caller, plan)


async def _say(caller: Caller, plan: Course, number: int) -> bytes:
    length_ms = plan.utterances_ms[number - 1]
    if not plan.marked:
        return await caller.say(length_ms)
    await caller.session.start_turn(f"turn {number}")
    loud = await caller.say(length_ms, silence_ms=200)
    await caller.session.end_turn()
    return loud


async def _until_answered(caller: Caller, number: int) -> None:
    ending = SCENARIO.turns[number - 1].say[0].split()[-3:]
    while (
        caller.ends(ResponseStatus.COMPLETED) < number or caller.agent_said.split()[-3:] != ending
    ):
        if caller.ended is not None:
            raise caller.ended
        await asyncio.sleep(0.1)


def _differences(caller: Caller) -> list[str]:
    wanted = " ".join(turn.say[0] for turn in SCENARIO.turns[:TURNS])
    wrong = [] if caller.agent_said == wanted else [f"it said {caller.agent_said!r}"]
    turns = len(caller.of(UserTurnCommitted))
    return wrong if turns == TURNS else [*wrong, f"{turns} turns of the user"]


def _words(caller: Caller, plan: Course) -> list[str]:
    conversation = caller.session.conversation
    assert conversation is not None
    told = [entry.text for entry in conversation.entries if isinstance(entry, UserTurn)]
    wanted = [turn.hear for turn in SCENARIO.turns[:TURNS]]
    if plan.spec == GEMINI:
        # It writes down what it hears live, and nothing else.
        wanted = [words and text for words, text in zip(told, wanted, strict=False)]
    wrong = [] if told == wanted else [f"the user said {told}"]
    names = [event.turn_id for event in caller.of(UserTurnCommitted)]
    called = [f"turn {number}" if plan.marked else "" for number in range(1, TURNS + 1)]
    return wrong if names == called else [*wrong, f"the turns are called {names}"]


def tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Calls with random faults, which must go on.")
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0, help="of the first call")
    options = parser.parse_args(arguments)
    bad = 0
    for seed in range(options.seed, options.seed + options.calls):
        wrong = check(seed)
        if wrong:
            bad += 1
            tell(f"seed {seed}, {course(seed).spec}: {'; '.join(wrong)}")
    tell(f"{options.calls - bad} of {options.calls} calls were good")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
