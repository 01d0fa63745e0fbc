"""The command `crossfade new`: beginnings of one's own processors, pipelines and agents."""

import ast
import builtins
import importlib.util
import keyword
import string
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from crossfade.errors import SettingsError
from crossfade.pipelines.command_line import errors_in_one_line

new = typer.Typer(
    no_args_is_help=True,
    help="Begin a processor, a pipeline or an agent of your own, with a test that passes.",
)
_Name = Annotated[str, typer.Argument(help="Its name, such as word_count or front_desk.")]
_Folder = Annotated[Path, typer.Option("--in", help="Where it is written.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Skeleton:
    """What is written: for each file, which text."""

    files: dict[str, str]
    test: str
    """How it is tested: by a Python that looks for modules where it is begun."""
    then: str
    """What to do next."""


SKELETONS = {
    "processor": Skeleton(
        files={"$name.py": "processor", "test_$name.py": "test_processor"},
        test="python -m pytest test_$name.py",
        then="give it to a call with custom=[$Name()]",
    ),
    "pipeline": Skeleton(
        files={"$name.py": "pipeline", "test_$name.py": "test_pipeline"},
        test="python -m pytest test_$name.py",
        then="python $name.py question.wav",
    ),
    "agent": Skeleton(
        files={
            "$name/$name.py": "agent",
            "$name/test_$name.py": "test_agent",
            "$name/README.md": "agent_readme",
            "$name/pytest.ini": "agent_pytest",
        },
        test="cd $name && python -m pytest",
        then="python $name.py",
    ),
}


@new.callback()
def begin() -> None:
    """Begin a processor, a pipeline or an agent of your own, with a test that passes."""


@new.command()
def processor(name: _Name, place: _Folder = Path()) -> None:
    """One step of the chain: sees, changes or adds frames."""
    _begin("processor", name, place)


@new.command()
def pipeline(name: _Name, place: _Folder = Path()) -> None:
    """A call put together in Python."""
    _begin("pipeline", name, place)


@new.command()
def agent(name: _Name, place: _Folder = Path()) -> None:
    """A folder with an agent: instructions, a tool, a test."""
    _begin("agent", name, place)


def _begin(kind: str, name: str, place: Path) -> None:
    with errors_in_one_line():
        written = write(kind, name, place)
        names = names_of(name)
        console = Console()
        for path in written:
            console.print(f"written: {path}", soft_wrap=True, highlight=False)
        skeleton = SKELETONS[kind]
        for what, line in (("Test it with", skeleton.test), ("Then", skeleton.then)):
            told = string.Template(line).substitute(names)
            console.print(f"{what}: {told}", soft_wrap=True, highlight=False)


def write(kind: str, name: str, place: Path) -> list[Path]:
    """Write a beginning; gives its files. Nothing that is there is written over.

    Raises:
        SettingsError: The name cannot be one, or a file is there, or cannot be written.
    """
    names = names_of(name)
    texts = {
        place / string.Template(path).substitute(names): _text(text).substitute(names)
        for path, text in SKELETONS[kind].files.items()
    }
    if there := [path for path in texts if path.exists()]:
        raise SettingsError(f"{there[0]} is there already; choose another name or another --in")
    _check_free(names, next(iter(texts.values())))
    for path, text in texts.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise SettingsError(
                f"{path} cannot be written ({error.strerror}); choose another --in"
            ) from error
    return list(texts)


def names_of(name: str) -> dict[str, str]:
    """A name as a module, a class and a title.

    Raises:
        SettingsError: It is no name of a Python module.
    """
    module = name.strip().replace("-", "_").replace(" ", "_").lower()
    words = [word for word in module.split("_") if word]
    name_of_class = "".join(word.capitalize() for word in words)
    named = (module, name_of_class)
    if (
        not all(each.isascii() and each.isidentifier() for each in named)
        or any(map(keyword.iskeyword, named))
        or module.startswith("__")
    ):
        raise SettingsError(
            f"{name!r} cannot be the name of a Python module; take letters, digits and _, such as "
            "front_desk"
        )
    if module.startswith("test"):
        raise SettingsError(
            f"{name!r} would be taken for a test by pytest, as all that begins with test; choose "
            f"another, such as my_{module}"
        )
    return {"name": module, "Name": name_of_class, "title": " ".join(words).capitalize()}


def _check_free(names: dict[str, str], text: str) -> None:
    """Refuse a name that means something else: who imports that would get this file.

    Raises:
        SettingsError: The name is taken.
    """
    module = names["name"]
    bound = list(_bound(ast.parse(text)))
    taken = any(bound.count(each) > 1 for each in (module, names["Name"]))
    if taken or hasattr(builtins, module) or importlib.util.find_spec(module) is not None:
        raise SettingsError(
            f"{module} is the name of something else in Python; choose another, such as my_{module}"
        )


def _bound(text: ast.Module) -> Iterator[str]:
    """The names that a module's imports, classes and functions have."""
    for statement in text.body:
        match statement:
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                yield from (each.asname or each.name for each in names)
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                yield name
            case ast.AsyncFunctionDef(name=name):
                yield name


def _text(name: str) -> string.Template:
    found = files("crossfade.pipelines.skeletons").joinpath(f"{name}.txt")
    return string.Template(found.read_text(encoding="utf-8"))


__all__ = ["SKELETONS", "names_of", "new", "write"]
