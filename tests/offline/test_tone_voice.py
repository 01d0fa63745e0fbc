import asyncio

import pytest

from crossfade.audio.energy import rms_dbfs, sound_spans
from crossfade.audio.pcm import bytes_for, duration_ms
from crossfade.offline.tone_voice import MS_PER_CHARACTER, ToneVoice
from crossfade.offline.voice import Spoken

TEXT = "In Tokyo it rains, hmm... 18 degrees"


def render(text: str, rate_hz: int = 24000) -> Spoken:
    return asyncio.run(ToneVoice(rate_hz).render(text))


async def spoken(text: str) -> list[bytes]:
    return [chunk async for chunk in ToneVoice().speak(text)]


@pytest.mark.parametrize("rate_hz", [8000, 16000, 24000])
def test_it_lasts_65_ms_for_each_character(rate_hz: int) -> None:
    sound = render(TEXT, rate_hz)
    wanted_ms = (len(TEXT) + 1) * MS_PER_CHARACTER
    assert duration_ms(sound.pcm, rate_hz) == pytest.approx(wanted_ms, abs=5)


def test_each_word_is_heard_where_it_is_said_to_begin() -> None:
    sound = render(TEXT)
    assert [word.text for word in sound.words] == TEXT.split()
    spans = sound_spans(sound.pcm, 24000, join_ms=30)
    assert len(spans) == len(sound.words)
    for word, (start_ms, _) in zip(sound.words, spans, strict=True):
        assert start_ms == pytest.approx(word.at_ms, abs=20)


def test_it_speaks_what_it_renders_and_the_same_every_time() -> None:
    chunks = asyncio.run(spoken(TEXT))
    assert b"".join(chunks) == render(TEXT).pcm
    assert {len(chunk) for chunk in chunks[:-1]} == {bytes_for(40, 24000)}
    assert render(TEXT) == render(TEXT)


def test_different_words_sound_different_and_none_is_faint_or_clipped() -> None:
    first, second = render("weather").pcm, render("goodbye").pcm
    assert first != second
    assert -25 < rms_dbfs(first) < -10


def test_nothing_to_say_is_no_sound() -> None:
    assert render(" ").pcm == b""
    assert asyncio.run(spoken("")) == []
