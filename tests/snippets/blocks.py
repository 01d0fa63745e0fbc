"""What the papers tell their reader to run: fenced blocks, and the comment above that says how.

    <!-- given: emulators, a_call; continues -->

`given` names what the block takes for granted, see given.py. `continues`: in the names of the
last Python block. `read as`: understood as that, see test_papers.py. `file`: written there,
`append to`: added to that file; what follows on the page may use it. `by CI: WHY` and
`not run: WHY`: not by each test run, or by the reader alone.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.project import ROOT

PAPERS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("**/*.md")),
]
LANGUAGES = {"python", "sh", "yaml", "json", ""}
"""What a block may be; without a language it is a picture."""
MARKS = {"given", "continues", "file", "append to", "read as", "not run", "by CI"}
_BLOCK = re.compile(
    r"(?:^<!-- (?P<marks>[^\n]*) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.M | re.S
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One fenced block."""

    page: Path
    line: int
    """Of its first line, from 1."""
    language: str
    text: str
    marks: Mapping[str, str]

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def given(self) -> list[str]:
        return [name.strip() for name in self.marks.get("given", "").split(",") if name.strip()]

    @property
    def compiled_from(self) -> str:
        """The text, so far down that an error names the line of the page."""
        return "\n" * (self.line - 1) + self.text

    @property
    def commands(self) -> list[str]:
        """The lines of a shell block, without what is said of them."""
        lines = self.text.replace("\\\n", " ").splitlines()
        bare = [re.sub(r"(^|\s+)#.*", "", line).removeprefix("$ ").strip() for line in lines]
        return [line for line in bare if line]


def blocks_of(page: Path) -> list[Block]:
    """The blocks of a page, in their order."""
    text = page.read_text("utf-8")
    return [
        Block(
            page=page,
            line=text.count("\n", 0, found.start("text")) + 1,
            language=found["language"],
            text=found["text"],
            marks=_marks(found["marks"] or ""),
        )
        for found in _BLOCK.finditer(text)
    ]


def _marks(comment: str) -> dict[str, str]:
    if comment.startswith("not run:"):
        return {"not run": comment.partition(":")[2].strip()}
    parts = [part.partition(":") for part in comment.split(";") if part.strip()]
    return {name.strip(): value.strip() for name, _, value in parts}


__all__ = ["LANGUAGES", "MARKS", "PAPERS", "Block", "blocks_of"]
