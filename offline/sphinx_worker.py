"""The child process that listens: `python -m crossfade.offline.sphinx_worker`.

It is asked, by "do":
- "learn" with "sentences": build the language model; asked once, before all else.
- "hear" with "utterance", "first" and PCM at 16 kHz: the words so far, as "text".
- "finish" with "utterance": its "text" and the share of its words that are "in_vocabulary".
- "drop" with "utterance": forget it.
An utterance that it does not know, because it died in between, it calls "lost".
"""

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .framing import Message, serve
from .language_model import common_words, load_dictionary, new_decoder, write_model

_MOST_UTTERANCES = 16
# The model hears a soft first sound (the th of "thank you") only after some silence: 100 ms.
_LEAD_IN = bytes(2 * 1600)


class Listener:
    """Decoders at work, and those that wait for the next utterance."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._dictionary = load_dictionary()
        self._common = common_words(self._dictionary)
        self._expected: set[str] = set()
        self._busy: dict[int, Any] = {}
        self._idle: list[Any] = []

    def answer(self, message: Message) -> Message:
        """Do what the message asks."""
        head = message.head
        match head["do"]:
            case "learn":
                self._learn(head["sentences"])
                return Message({})
            case "hear":
                return self._hear(head["utterance"], head["first"], message.payload)
            case "finish":
                return self._finish(head["utterance"])
            case "drop":
                self._release(head["utterance"])
                return Message({})
            case unknown:
                raise ValueError(f"cannot do {unknown!r}")

    def _learn(self, sentences: Sequence[str]) -> None:
        self._expected = write_model(self._folder, sentences, self._common, self._dictionary)
        self._idle = [new_decoder(self._folder)]

    def _hear(self, utterance: int, first: bool, pcm: bytes) -> Message:
        if first:
            if len(self._busy) == _MOST_UTTERANCES:
                raise RuntimeError(
                    f"{_MOST_UTTERANCES} utterances at once are the most; add workers"
                )
            decoder = self._idle.pop() if self._idle else new_decoder(self._folder)
            decoder.start_utt()
            decoder.process_raw(_LEAD_IN)
            self._busy[utterance] = decoder
        elif utterance not in self._busy:
            return Message({"lost": True})
        decoder = self._busy[utterance]
        decoder.process_raw(pcm)
        return Message({"text": _text(decoder)})

    def _finish(self, utterance: int) -> Message:
        if utterance not in self._busy:
            return Message({"lost": True})
        decoder = self._release(utterance)
        text = _text(decoder)
        words = text.split()
        known = sum(word in self._expected for word in words)
        return Message({"text": text, "in_vocabulary": known / len(words) if words else 0.0})

    def _release(self, utterance: int) -> Any:
        decoder = self._busy.pop(utterance, None)
        if decoder:
            decoder.end_utt()
            self._idle.append(decoder)
        return decoder


def _text(decoder: Any) -> str:
    """The words heard, without the numbers of their pronunciations."""
    best = decoder.hyp()
    return re.sub(r"\(\d+\)", "", best.hypstr) if best else ""


def main() -> None:
    """Answer until stdin ends."""
    with tempfile.TemporaryDirectory(prefix="crossfade-") as folder:
        serve(Listener(Path(folder)).answer)


if __name__ == "__main__":
    main()
