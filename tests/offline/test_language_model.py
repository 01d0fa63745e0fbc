from pathlib import Path

import pytest

from crossfade.offline.language_model import (
    common_words,
    load_dictionary,
    new_decoder,
    words_of,
    write_model,
)
from crossfade.offline.recogniser import recogniser_available

needs_pocketsphinx = pytest.mark.skipif(
    recogniser_available() is not None, reason=str(recogniser_available())
)
DICTIONARY = {
    "go": ["go G OW"],
    "home": ["home HH OW M"],
    "the": ["the DH AH", "the(2) DH IY"],
}


def test_words_are_written_as_in_the_dictionary() -> None:
    assert words_of("What’s the weather in São Paulo, at 5 a.m.?")[:4] == [
        "what's",
        "the",
        "weather",
        "in",
    ]


@needs_pocketsphinx
def test_common_words_are_those_of_everyday_english() -> None:
    dictionary = load_dictionary()
    assert len(dictionary["the"]) >= 2
    assert dictionary["seoul"] == ["seoul S OW L", "seoul(2) S IY OW L", "seoul(3) S EH OW L"]
    common = common_words(dictionary)
    assert len(common) == 5000
    assert {"the", "you", "and"} <= set(common[:20])


@needs_pocketsphinx
def test_words_without_a_pronunciation_are_left_out(tmp_path: Path) -> None:
    expected = write_model(tmp_path, ["Go home, Xyzzy!", "Xyzzy"], ["the"], DICTIONARY)
    assert expected == {"go", "home"}
    pronounced = tmp_path.joinpath("words.dict").read_text().splitlines()
    assert pronounced == ["go G OW", "home HH OW M", "the DH AH", "the(2) DH IY"]
    assert "xyzzy" not in tmp_path.joinpath("model.arpa").read_text()
    assert new_decoder(tmp_path).lookup_word("home") == "HH OW M"
