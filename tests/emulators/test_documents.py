"""What the emulators' pages say is so."""

import re

import pytest

from crossfade.emulators.backends.scenario import parse_scenario
from crossfade.emulators.faults.script import GENERAL, Fault, parse_faults
from crossfade.emulators.wires import EMULATORS, own_faults
from tests.project import ROOT

FOLDER = ROOT / "docs" / "emulators"
HEADINGS = {"openai": "OpenAI", "gemini": "Gemini", "moshi": "Moshi"}


def blocks(language: str, name: str = "*") -> list[str]:
    pages = [path.read_text() for path in sorted(FOLDER.glob(f"{name}.md"))]
    found = [re.findall(rf"^```{language}\n(.*?)^```", page, re.M | re.S) for page in pages]
    return [block for page in found for block in page]


def told_faults(heading: str) -> dict[str, set[str]]:
    """The fields of each fault in the table under a heading."""
    page = (FOLDER / "faults.md").read_text()
    (section,) = re.findall(rf"^## {heading}\n(.*?)(?=^## |\Z)", page, re.M | re.S)
    rows = re.findall(r"^\| `(\w+)` \|([^|]*)\|", section, re.M)
    return {name: set(re.findall(r"`(\w+)`", fields)) for name, fields in rows}


def fields_of(kinds: tuple[type[Fault], ...]) -> dict[str, set[str]]:
    common = Fault.model_fields.keys() | {"fault"}
    return {
        kind.model_fields["fault"].default: set(kind.model_fields.keys() - common) for kind in kinds
    }


def test_every_general_fault_is_told_with_its_fields() -> None:
    assert told_faults("On every wire") == fields_of(GENERAL)
    told = told_faults("When").keys()
    assert told == Fault.model_fields.keys()


@pytest.mark.parametrize("wire", EMULATORS)
def test_every_fault_of_a_wire_is_told_with_its_fields(wire: str) -> None:
    assert told_faults(HEADINGS[wire]) == fields_of(tuple(own_faults(wire)))


def test_the_yaml_can_be_read() -> None:
    (scenario,) = blocks("yaml", "scenarios")
    assert len(parse_scenario(scenario).turns) == 3
    (faults,) = blocks("yaml", "faults")
    assert len(parse_faults(faults)) == 2
