"""What processors say they hear is what they act upon."""

import ast
import importlib
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

import crossfade.processors
import crossfade.transports
from crossfade.frames.audio import AudioRawFrame
from crossfade.frames.control import Frame, SystemFrame
from crossfade.processors.base import _HEARD_BY_ALL, Processor


def _all_of(kind: type[Processor]) -> Iterator[type[Processor]]:
    for one in kind.__subclasses__():
        yield one
        yield from _all_of(one)


def _declared() -> list[type[Processor]]:
    for package in (crossfade.processors, crossfade.transports):
        for path in Path(package.__path__[0]).glob("*.py"):
            if re.search(r"^    hears\b.* = ", path.read_text(encoding="utf-8"), re.MULTILINE):
                importlib.import_module(f"{package.__name__}.{path.stem}")
    known = {one for one in _all_of(Processor) if one.__module__.startswith("crossfade.")}
    declared = (one for one in known if one.hears is not None)
    return sorted(declared, key=lambda one: one.__name__)


def _asked_for(kind: type[Processor]) -> Iterator[type[Frame]]:
    """The frames that a class tells from others, by `match` or `isinstance`, in any method."""
    names = vars(sys.modules[kind.__module__])
    tree = ast.parse(textwrap.dedent(inspect.getsource(kind)))
    for node in ast.walk(tree):
        match node:
            case ast.MatchClass(cls=asked):
                pass
            case ast.Call(func=ast.Name(id="isinstance"), args=[_, asked]):
                pass
            case _:
                continue
        for name in ast.walk(asked):
            found = names.get(name.id) if isinstance(name, ast.Name) else None
            if inspect.isclass(found) and issubclass(found, Frame):
                yield found


@pytest.mark.parametrize("kind", _declared(), ids=lambda kind: kind.__name__)
def test_who_says_what_it_hears_forgets_nothing(kind: type[Processor]) -> None:
    hears = (*(kind.hears or ()), *_HEARD_BY_ALL)
    forgotten = {
        asked.__name__
        for asked in _asked_for(kind)
        if asked not in (Frame, SystemFrame) and not issubclass(asked, (*hears, AudioRawFrame))
    }
    assert not forgotten, f"{kind.__name__} acts upon {forgotten}: name them in its `hears`"
