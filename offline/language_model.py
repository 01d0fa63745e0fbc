"""The recogniser's language model: the sentences expected, on a bed of common English words.

pocketsphinx is an optional dependency, so it is imported where it is used.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

# So that speech on other subjects has words to be heard as, instead of the expected ones.
_COMMON_WORDS = 5000


def words_of(text: str) -> list[str]:
    """The text's words as the dictionary writes them: lower case, no punctuation."""
    return re.findall(r"[a-z][a-z'.-]*[a-z]|[a-z]", text.lower().replace("’", "'"))


def load_dictionary() -> dict[str, list[str]]:
    """The lines of pocketsphinx's own dictionary, by word; a line for each pronunciation."""
    lines: dict[str, list[str]] = {}
    path = _model_folder() / "cmudict-en-us.dict"
    for line in path.read_text(encoding="utf-8").splitlines():
        lines.setdefault(line.split(maxsplit=1)[0].split("(")[0], []).append(line)
    return lines


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
