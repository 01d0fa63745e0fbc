"""Whether the last answer may still be playing."""

from crossfade.providers.config import Encoding
from crossfade.providers.openai_playout import Playout
from crossfade.providers.openai_profiles import OPENAI
from crossfade.providers.sound_format import sound_format

MS_BYTES = 48


def playout(answer_ms: int, user_ms: int) -> Playout:
    made = Playout(sound_format(Encoding.PCM, OPENAI.fallback))
    made.add("r", answer_ms * MS_BYTES)
    made.heard_bytes += user_ms * MS_BYTES
    return made


def test_an_answer_plays_as_long_as_it_is() -> None:
    assert playout(3000, 2900).stop() == "r"
    assert playout(3000, 3400).stop() == "r", "players start late"
    assert playout(3000, 3600).stop() == ""


def test_it_is_stopped_once() -> None:
    made = playout(3000, 100)
    assert made.stop() == "r"
    assert made.stop() == ""


def test_one_answer_plays_after_the_other() -> None:
    made = playout(3000, 100)
    made.add("s", 3000 * MS_BYTES)
    made.heard_bytes += 5900 * MS_BYTES
    assert made.stop() == "s"
    assert Playout(sound_format(Encoding.PCM, OPENAI.fallback)).stop() == ""
