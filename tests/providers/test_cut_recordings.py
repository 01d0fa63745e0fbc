"""How far off the words of a cut answer are, by recorded answers: CROSSFADE_RECORDINGS.

The recordings hold no sound. How long an answer is follows from the audio tokens that it cost, and
where in it a message of sound stands from its place among the others. Gemini's words come right
before their sound, OpenAI's long before: there each character is taken to last as long.
"""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from crossfade.conversation.heard import covered_length
from tests.providers.replay.session_file import load

FOLDER = os.environ.get("CROSSFADE_RECORDINGS")
FILES = sorted(Path(FOLDER or "/nowhere").glob("*/*.yaml"))
CUTS = 400
# A token of Gemini's sound, as long as each of its messages but the first; and one of OpenAI's.
GEMINI_MS, OPENAI_MS = 40, 50
WORD = re.compile(r"\S+")
pytestmark = pytest.mark.skipif(not FILES, reason="CROSSFADE_RECORDINGS names no recordings")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One recorded answer.

    Attributes:
        text: All of it.
        came: After each message of sound, how much sound and which text had come: ms, characters.
        spoken: Where the words are in the sound: ms and characters, rising.
    """

    text: str
    came: Sequence[tuple[float, int]]
    spoken: Sequence[tuple[float, float]]

    def words_at(self, ms: float) -> float:
        """How many words are spoken until then, with the part of the one that is begun."""
        characters = self._characters_at(ms)
        words = 0.0
        for word in WORD.finditer(self.text):
            part = (characters - word.start()) / (word.end() - word.start())
            words += min(1.0, max(0.0, part))
        return words

    def _characters_at(self, ms: float) -> float:
        for (began, first), (ended, last) in zip(self.spoken, self.spoken[1:], strict=False):
            if began <= ms <= ended:
                return first + (last - first) * (ms - began) / (ended - began)
        return self.spoken[-1][1]

    def errors(self) -> Iterator[float]:
        """Cut it anywhere, and count the words that are taken for spoken and are not."""
        whole_ms = self.came[-1][0]
        for cut in range(CUTS):
            until = [came for came in self.came if came[0] <= whole_ms * (cut + 0.5) / CUTS]
            if until:
                ms, characters = until[-1]
                text = self.text[:characters]
                covered = text[: covered_length(text, received_ms=ms)]
                yield len(WORD.findall(covered)) - self.words_at(ms)


def answers(wire: str) -> list[Answer]:
    found = []
    for path in FILES:
        if path.parent.name == wire:
            received = [step.data for step in load(path) if not step.sent]
            pieces, tokens = gemini(received) if wire == "gemini" else openai(received)
            if None in pieces:
                found.append(answer(pieces, tokens, wire))
    return found


def answer(pieces: Sequence[str | None], tokens: int, wire: str) -> Answer:
    """Make it of its text and its messages of sound (None), in order."""
    count = pieces.count(None)
    lasts = [tokens * OPENAI_MS / count] * count
    if wire == "gemini":
        lasts = [GEMINI_MS * (tokens - count + 1.0), *[GEMINI_MS] * (count - 1)]
    came, spoken, text, ms, sounds = [], [(0.0, 0.0)], "", 0.0, iter(lasts)
    for piece in pieces:
        if piece is None:
            ms += next(sounds)
            came.append((ms, len(text)))
            continue
        if wire == "gemini" and ms > spoken[-1][0]:
            spoken.append((ms, len(text)))
        text += piece
    return Answer(text=text, came=came, spoken=[*spoken, (ms, len(text))])


def openai(received: Sequence[dict[str, Any]]) -> tuple[list[str | None], int]:
    pieces: list[str | None] = []
    tokens = 0
    for message in received:
        match message["type"]:
            case "response.output_audio.delta":
                pieces.append(None)
            case "response.output_audio_transcript.delta":
                pieces.append(message["delta"])
            case "response.done":
                tokens += message["response"]["usage"]["output_token_details"]["audio_tokens"]
    return pieces, tokens


def gemini(received: Sequence[dict[str, Any]]) -> tuple[list[str | None], int]:
    pieces: list[str | None] = []
    tokens = 0
    for message in received:
        content = message.get("serverContent", {})
        if "outputTranscription" in content:
            pieces.append(content["outputTranscription"].get("text", ""))
        parts = content.get("modelTurn", {}).get("parts", [])
        pieces += [None for part in parts if "inlineData" in part]
        details = message.get("usageMetadata", {}).get("responseTokensDetails", [])
        tokens += sum(each["tokenCount"] for each in details if each["modality"] == "AUDIO")
    return pieces, tokens


@pytest.mark.parametrize(("wire", "mean", "most"), [("gemini", 1.1, 2.3), ("openai", 1.4, 4.3)])
def test_the_words_of_a_cut_answer_are_about_those_that_were_spoken(
    wire: str, mean: float, most: float
) -> None:
    off = sorted(abs(error) for answer in answers(wire) for error in answer.errors())
    in_95_of_100 = off[int(0.95 * len(off))]
    told = f"{wire}: {fmean(off):.2f} words off on average, {in_95_of_100:.2f} in 95 of 100"
    assert fmean(off) <= mean, told
    assert in_95_of_100 <= most, told
