"""What rich would print on a terminal of 80 columns."""

import io

from rich.console import Console, RenderableType


def text_of(shown: RenderableType) -> str:
    console = Console(file=io.StringIO(), width=80, force_terminal=False)
    console.print(shown)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()
