"""Phrases made once, kept if they came out right, and off if they did not."""

import asyncio
from pathlib import Path

import numpy as np
import pytest

from crossfade.audio.pcm import duration_ms, silence, to_pcm
from crossfade.errors import ConnectionLost
from crossfade.processors.phrase_rendering import Rendering
from crossfade.processors.phrases import (
    MOST_KEPT,
    MOST_TRIES,
    RENDER_S,
    Phrases,
    PhraseStore,
    Voice,
    same_words,
    trimmed,
)
from tests.clock import run

RATE_HZ = 24000
VOICE = Voice(provider="openai", model="m", name="marin", rate_hz=RATE_HZ)
TEXT = "One moment, please."
TONE = to_pcm(0.3 * np.sin(np.arange(RATE_HZ // 2) * 0.1))
SPOKEN = silence(200, RATE_HZ) + TONE + silence(300, RATE_HZ)


class Agent:
    """Renders phrases as it is told, and counts."""

    def __init__(self, *made: Rendering | Exception) -> None:
        self._made = list(made)
        self.asked: list[str] = []

    async def __call__(self, text: str) -> Rendering:
        self.asked.append(text)
        await asyncio.sleep(0.5)
        made = self._made.pop(0) if self._made else rendering(text)
        if isinstance(made, Exception):
            raise made
        return made


def rendering(words: str, *, complete: bool = True, pcm: bytes = SPOKEN) -> Rendering:
    return Rendering(pcm=pcm, words=words, complete=complete)


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("said", [TEXT, "one moment please", " One  moment,\u00a0please! "])
def test_case_punctuation_and_spaces_make_no_other_words(said: str) -> None:
    assert same_words(said, TEXT)


@pytest.mark.parametrize("said", ["", "One moment", "One moment, please. Hello.", "Einen Moment."])
def test_other_words_are_other_words(said: str) -> None:
    assert not same_words(said, TEXT)
    assert same_words("I\u2019m on it", "I'm on it.")


def test_silence_around_a_phrase_is_cut_off() -> None:
    assert duration_ms(trimmed(SPOKEN, RATE_HZ) or b"", RATE_HZ) == pytest.approx(500, abs=20)
    assert trimmed(silence(500, RATE_HZ), RATE_HZ) is None


def test_a_phrase_is_made_once_and_read_by_the_next_process(tmp_path: Path) -> None:
    async def main() -> None:
        agent = Agent()
        store = PhraseStore(tmp_path)
        assert store.find(VOICE, TEXT) is None
        await store.make(VOICE, TEXT, agent)
        await store.make(VOICE, TEXT, agent)
        assert agent.asked == [TEXT]
        next_time = PhraseStore(tmp_path)
        await next_time.make(VOICE, TEXT, agent)
        assert agent.asked == [TEXT]
        assert next_time.find(VOICE, TEXT) == store.find(VOICE, TEXT) == trimmed(SPOKEN, RATE_HZ)

    run(main())


@pytest.mark.parametrize(
    "other",
    [
        Voice(provider="gemini", model="m", name="marin", rate_hz=RATE_HZ),
        Voice(provider="openai", model="n", name="marin", rate_hz=RATE_HZ),
        Voice(provider="openai", model="m", name="cedar", rate_hz=RATE_HZ),
        Voice(provider="openai", model="m", name="marin", rate_hz=RATE_HZ, endpoint="a.example"),
        Voice(provider="openai", model="m", name="marin", rate_hz=16000),
    ],
)
def test_another_voice_has_phrases_of_its_own(other: Voice, tmp_path: Path) -> None:
    async def main() -> None:
        agent = Agent()
        await PhraseStore(tmp_path).make(VOICE, TEXT, agent)
        await PhraseStore(tmp_path).make(other, TEXT, agent)
        assert len(agent.asked) == 2
        assert len(files(tmp_path)) == 2

    run(main())


def test_calls_that_want_a_phrase_at_once_have_it_made_once() -> None:
    async def main() -> None:
        agent, store = Agent(), PhraseStore(None)
        await asyncio.gather(*(store.make(VOICE, TEXT, agent) for _ in range(5)))
        assert agent.asked == [TEXT]

    run(main())


def test_who_waits_makes_the_phrase_itself_when_the_other_call_ends_first() -> None:
    async def main() -> None:
        agent, store = Agent(), PhraseStore(None)
        first = asyncio.create_task(store.make(VOICE, TEXT, agent))
        second = asyncio.create_task(store.make(VOICE, TEXT, agent))
        await asyncio.sleep(0.1)
        first.cancel()
        await second
        assert store.find(VOICE, TEXT)

    run(main())


WRONG = [
    rendering("Something else."),
    rendering(TEXT, complete=False),
    rendering(TEXT, pcm=silence(500, RATE_HZ)),
    ConnectionLost("the line is cut"),
]


@pytest.mark.parametrize("wrong", WRONG, ids=["words", "cut", "silent", "lost"])
def test_what_comes_out_wrong_is_tried_again(wrong: Rendering | Exception, tmp_path: Path) -> None:
    async def main() -> None:
        agent, store = Agent(wrong), PhraseStore(tmp_path)
        await store.make(VOICE, TEXT, agent)
        assert len(agent.asked) == 2
        assert store.find(VOICE, TEXT)

    run(main())


@pytest.mark.parametrize("wrong", WRONG, ids=["words", "cut", "silent", "lost"])
def test_what_never_comes_out_right_is_off_and_not_kept(
    wrong: Rendering | Exception, tmp_path: Path
) -> None:
    async def main() -> None:
        agent, store = Agent(*[wrong] * MOST_TRIES), PhraseStore(tmp_path)
        for _ in range(3):
            await store.make(VOICE, TEXT, agent)
        assert len(agent.asked) == MOST_TRIES
        assert store.find(VOICE, TEXT) is None
        assert files(tmp_path) == []

    run(main())


def test_a_provider_that_never_answers_is_not_waited_for() -> None:
    async def never(text: str) -> Rendering:
        await asyncio.Event().wait()
        raise AssertionError

    async def main() -> None:
        began_s = asyncio.get_running_loop().time()
        await PhraseStore(None).make(VOICE, TEXT, never)
        took_s = asyncio.get_running_loop().time() - began_s
        assert took_s == pytest.approx(MOST_TRIES * RENDER_S)

    run(main())


def test_a_file_that_is_no_sound_is_made_again(tmp_path: Path) -> None:
    async def main() -> None:
        agent = Agent()
        await PhraseStore(tmp_path).make(VOICE, TEXT, agent)
        (file,) = files(tmp_path)
        file.write_bytes(b"broken")
        store = PhraseStore(tmp_path)
        await store.make(VOICE, TEXT, agent)
        assert len(agent.asked) == 2
        assert store.find(VOICE, TEXT)
        assert file.read_bytes().startswith(b"RIFF")

    run(main())


def test_a_folder_that_cannot_be_written_costs_nothing_but_the_next_time(tmp_path: Path) -> None:
    async def main() -> None:
        file = tmp_path / "file"
        file.write_text("")
        store = PhraseStore(file)
        await store.make(VOICE, TEXT, Agent())
        assert store.find(VOICE, TEXT)

    run(main())


def test_memory_is_bounded() -> None:
    async def main() -> None:
        async def at_once(text: str) -> Rendering:
            return rendering(text)

        store = PhraseStore(None)
        for number in range(MOST_KEPT + 1):
            await store.make(VOICE, f"{number}", at_once)
        assert store.find(VOICE, "0") is None
        assert store.find(VOICE, f"{MOST_KEPT}")

    run(main())


def test_the_phrases_of_a_call_come_one_after_the_other_and_each_is_told() -> None:
    async def main() -> None:
        agent, found = Agent(), list[int]()
        phrases = Phrases(PhraseStore(None), VOICE, agent)
        texts = ["a", "b", "c"]

        def made() -> None:
            found.append(sum(phrases.find(text) is not None for text in texts))

        await phrases.make(texts, made)
        assert found == [1, 2, 3]
        assert agent.asked == texts
        assert phrases.rate_hz == RATE_HZ

    run(main())
