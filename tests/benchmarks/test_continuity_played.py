"""The judge of what the caller was played sees what it is there to see."""

from collections.abc import Sequence

import numpy as np
import pytest

from crossfade.benchmarks.continuity_played import (
    LONGEST_HOLE_MS,
    LONGEST_REPEAT_MS,
    Played,
    check_played,
)
from crossfade.benchmarks.continuity_voice import NoisyBackend, Rendered
from crossfade.emulators.backends.scenario import Scenario, Turn
from crossfade.errors import SettingsError
from crossfade.offline.tone_voice import MS_PER_CHARACTER
from tests.clock import run

MS = 24 * 2
"""Bytes."""
CHUNK = 60 * MS
SCRIPT = ("I am glad that you have called me today.", "There are many things to talk about.")
REST = "things to talk about."
_CHANCE = np.random.default_rng(3)


def rendered(text: str, session: int = 1) -> Rendered:
    samples = (len(text) + 1) * MS_PER_CHARACTER * 24
    pcm = _CHANCE.integers(-9000, 9000, samples).astype("<i2").tobytes()
    return Rendered(session=session, text=text, pcm=pcm)


GLAD, MANY = (rendered(text) for text in SCRIPT)
AFTER = rendered(REST, session=2)
CUT_MS = (len(SCRIPT[1]) - len(REST)) * MS_PER_CHARACTER
"""Where the rest begins in the sentence that was cut."""


def checked(*played: bytes, renderings: Sequence[Rendered] = (GLAD, MANY, AFTER)) -> Played:
    return check_played(b"".join(played), renderings, SCRIPT)


def cut(ms: float) -> bytes:
    return MANY.pcm[: int(ms * MS)]


def chunks(pcm: bytes) -> list[bytes]:
    return [pcm[at : at + CHUNK] for at in range(0, len(pcm), CHUNK)]


WHOLE = Played(repeated_ms=0, missing_ms=0, why=[])


def test_what_was_rendered_and_played_is_whole_with_silence_anywhere() -> None:
    assert checked(GLAD.pcm, MANY.pcm) == WHOLE
    assert checked(bytes(960), GLAD.pcm, bytes(960), MANY.pcm[:CHUNK], bytes(96)) != WHOLE
    parts = MANY.pcm[:CHUNK], bytes(96), MANY.pcm[CHUNK:], bytes(960)
    assert checked(bytes(960), GLAD.pcm, bytes(960), *parts) == WHOLE


def test_the_rest_on_another_connection_is_whole() -> None:
    assert checked(GLAD.pcm, cut(CUT_MS), AFTER.pcm) == WHOLE


def test_what_is_said_again_at_a_cut_is_counted_and_bounded() -> None:
    assert checked(GLAD.pcm, cut(CUT_MS + 225), AFTER.pcm) == Played(
        repeated_ms=225, missing_ms=0, why=[]
    )
    # Of `AFTER` less than the bound can be said again.
    anew = rendered(SCRIPT[1], session=2)
    within, beyond = (
        checked(GLAD.pcm, cut(ms), anew.pcm, renderings=(GLAD, MANY, anew))
        for ms in (LONGEST_REPEAT_MS, LONGEST_REPEAT_MS + 1)
    )
    assert (within.repeated_ms, within.why) == (LONGEST_REPEAT_MS, [])
    assert beyond.why == [f"at a cut {LONGEST_REPEAT_MS + 1:g} ms were said again"]


def test_what_is_missing_at_a_cut_is_counted_and_bounded() -> None:
    within, beyond = (
        checked(GLAD.pcm, cut(CUT_MS - ms), AFTER.pcm)
        for ms in (LONGEST_HOLE_MS, LONGEST_HOLE_MS + 1)
    )
    assert (within.missing_ms, within.why) == (LONGEST_HOLE_MS, [])
    assert beyond.why == [f"at a cut {LONGEST_HOLE_MS + 1:g} ms were never said"]


def test_every_second_chunk_of_a_later_connection_missing_is_seen() -> None:
    found = checked(GLAD.pcm, cut(CUT_MS), *chunks(AFTER.pcm)[::2])
    assert len(found.why) >= len(chunks(AFTER.pcm)) // 2 - 1
    assert "was not played 60 ms" in found.why[0]


def test_each_chunk_of_a_later_connection_given_twice_is_seen() -> None:
    twice = [chunk for chunk in chunks(AFTER.pcm) for _ in range(2)]
    found = checked(GLAD.pcm, cut(CUT_MS), *twice)
    assert len(found.why) >= len(chunks(AFTER.pcm))
    assert "60 ms again" in found.why[0]


@pytest.mark.parametrize(
    "played",
    [
        [GLAD.pcm, MANY.pcm[:-CHUNK]],
        [GLAD.pcm],
        [],
        [MANY.pcm],
        [GLAD.pcm[:-MS], MANY.pcm],
        [GLAD.pcm, MANY.pcm[MS:]],
        [GLAD.pcm, cut(CUT_MS), AFTER.pcm[MS:]],
        [GLAD.pcm, cut(CUT_MS), AFTER.pcm[:-MS]],
        [GLAD.pcm, GLAD.pcm, MANY.pcm],
        [MANY.pcm, GLAD.pcm],
        [GLAD.pcm, cut(CUT_MS), AFTER.pcm[:CHUNK], MANY.pcm[:CHUNK], AFTER.pcm[CHUNK:]],
        [GLAD.pcm, cut(CUT_MS), AFTER.pcm, MANY.pcm[-CHUNK:]],
        [GLAD.pcm, rendered(SCRIPT[1]).pcm],
        [GLAD.pcm, MANY.pcm[:CHUNK], rendered("foreign").pcm, MANY.pcm[CHUNK:]],
    ],
    ids=[
        "the end is missing",
        "a sentence is missing",
        "nothing was played",
        "the first sentence is missing",
        "the end of a sentence is missing",
        "the beginning of a sentence is missing",
        "the beginning of the rest is missing",
        "the end of the rest is missing",
        "a sentence came twice",
        "another order",
        "the old connection sounds into the rest",
        "the old connection sounds behind the rest",
        "nobody rendered it",
        "something else sounds between",
    ],
)
def test_what_is_not_as_it_was_rendered_is_told(played: list[bytes]) -> None:
    assert checked(*played).why


def test_a_rendering_of_no_place_in_the_script_is_refused() -> None:
    with pytest.raises(SettingsError, match="'you' is no end of a sentence"):
        checked(renderings=[rendered("you")])


def test_no_rendering_of_a_sentence_is_like_another_and_each_knows_its_session() -> None:
    async def main() -> None:
        backend = NoisyBackend(Scenario(turns=(Turn(on=None, say=SCRIPT),)))
        first, second = backend.dialogue(), backend.dialogue()
        one = await first.render(REST)
        other = await second.render(REST)
        assert len(one) == len(other) == len(AFTER.pcm)
        assert one != other
        assert [(each.session, each.pcm) for each in backend.rendered] == [(1, one), (2, other)]

    run(main())
