"""The recogniser's language model: the sentences expected, on a bed of common English words.

pocketsphinx is an optional dependency, so it is imported where it is used.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

# So that speech on other subjects has words to be heard as, instead of the expected ones.
_COMMON_WORDS = 5000
# How words of requests are said besides, in the dictionary's phones.
_ALSO_SAID = {
    "accra": ("AH K R AA", "AE K R AH", "AH K R AH"),
    "cairo": ("K EH R OW", "K AY R OW"),
    "copenhagen": ("K OW P AH N HH EY G AH N", "K OW P AH N HH AA G AH N"),
    "hall": ("HH AO L", "HH AA L"),
    "kitchen": ("K IH CH AH N", "K IH CH IH N"),
    "moscow": ("M AA S K OW", "M AA S K AW"),
    "mumbai": ("M UH M B AY", "M AH M B AY"),
    "seoul": ("S OW L", "S IY OW L", "S EH OW L"),
    "stockholm": ("S T AA K HH OW M", "S T AA K HH OW L M", "S T AA K OW L M"),
    "warm": ("W AO R M", "W AA R M"),
}


def words_of(text: str) -> list[str]:
    """The text's words as the dictionary writes them: lower case, no punctuation."""
    return re.findall(r"[a-z][a-z'.-]*[a-z]|[a-z]", text.lower().replace("’", "'"))


def load_dictionary() -> dict[str, list[str]]:
    """The lines of pocketsphinx's own dictionary, by word; a line for each pronunciation."""
    lines: dict[str, list[str]] = {}
    path = _model_folder() / "cmudict-en-us.dict"
    for line in path.read_text(encoding="utf-8").splitlines():
        lines.setdefault(line.split(maxsplit=1)[0].split("(")[0], []).append(line)
    for word, ways in _ALSO_SAID.items():
        _add(lines, word, ways)
    return lines


def _add(lines: dict[str, list[str]], word: str, ways: Iterable[str]) -> None:
    """Add the ways to say a word that the dictionary lacks."""
    known = lines.setdefault(word, [])
    for way in ways:
        if way not in {line.split(maxsplit=1)[1] for line in known}:
            known.append(f"{word}({len(known) + 1}) {way}" if known else f"{word} {way}")


def common_words(dictionary: Iterable[str]) -> list[str]:
    """The likeliest words of pocketsphinx's own model of English."""
    from pocketsphinx import NGramModel

    english = NGramModel.readfile(str(_model_folder() / "en-us.lm.bin"))
    likely = sorted(dictionary, key=lambda word: english.prob([word]), reverse=True)
    return likely[:_COMMON_WORDS]


def write_model(
    folder: Path,
    sentences: Sequence[str],
    common: Sequence[str],
    dictionary: Mapping[str, Sequence[str]],
) -> set[str]:
    """Write the model and its dictionary, for `new_decoder` to load.

    Words that the dictionary lacks are left out of the sentences.

    Args:
        folder: Where to.
        sentences: Examples of what will be said.
        common: Words that may be heard besides.
        dictionary: Lines by word, as from `load_dictionary`.

    Returns:
        The words of the sentences.
    """
    from pocketsphinx.lm import ArpaBoLM

    lines = [[word for word in words_of(each) if word in dictionary] for each in sentences]
    expected = {word for line in lines for word in line}
    folder.joinpath("common.txt").write_text("\n".join(common))
    model = ArpaBoLM(
        text="\n".join(map(" ".join, lines)),
        add_start=True,
        word_file=str(folder / "common.txt"),
    )
    model.compute()
    model.write_file(str(folder / "model.arpa"))
    spoken = sorted(expected.union(common))
    pronounced = [line for word in spoken for line in dictionary[word]]
    folder.joinpath("words.dict").write_text("\n".join(pronounced) + "\n")
    return expected


def new_decoder(folder: Path) -> Any:
    """A pocketsphinx decoder of 16 kHz speech with the model in the folder (0.1 s, 14 MB)."""
    from pocketsphinx import Decoder

    return Decoder(
        lm=str(folder / "model.arpa"),
        dict=str(folder / "words.dict"),
        loglevel="FATAL",
    )


def _model_folder() -> Path:
    """Where pocketsphinx keeps its own model of English."""
    from pocketsphinx import get_model_path

    return Path(get_model_path(), "en-us")
