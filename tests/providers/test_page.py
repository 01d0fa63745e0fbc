"""docs/providers.md tells what the profiles say."""

import dataclasses
import re

from crossfade.providers.gemini_profiles import gemini_generation
from crossfade.providers.moshi import MOSHI_PROFILE
from crossfade.providers.openai_dialects import DIALECTS
from crossfade.providers.openai_profiles import OPENAI, QWEN, XAI
from crossfade.providers.profiles import Profile
from tests.project import ROOT

PAGE = (ROOT / "docs" / "providers.md").read_text()
PROFILES = [
    OPENAI.profile("gpt-realtime-2.1"),
    OPENAI.profile("gpt-realtime-1.5"),
    XAI.profile("grok-voice-latest"),
    QWEN.profile("qwen3.5-omni-flash-realtime"),
    gemini_generation("gemini-3.8-live").profile,
    gemini_generation("gemini-3.1-flash-live-preview").profile,
    MOSHI_PROFILE,
]


def cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "–"
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def table(profiles: list[Profile]) -> list[list[str]]:
    names = [field.name for field in dataclasses.fields(Profile) if field.name != "voices"]
    return [
        [f"`{name}`", *(cell(getattr(profile, name)) for profile in profiles)]
        for name in names
        if name != "model"
    ]


def rows(beginning: str) -> list[list[str]]:
    """The cells of the table whose head begins so, without the head."""
    lines = PAGE.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith(f"| {beginning} |"))
    found = []
    for line in lines[at + 2 :]:
        if not line.startswith("|"):
            break
        found.append([cell.strip() for cell in line.strip("|").split("|")])
    return found


def test_the_table_of_profiles_is_theirs() -> None:
    assert rows("Flag") == table(PROFILES)
    (head,) = re.findall(r"^\| Flag \|.*$", PAGE, re.M)
    assert [name.strip() for name in head.strip("|").split("|")][1:] == [
        profile.model for profile in PROFILES
    ]


def test_the_table_of_dialects_names_them_all_with_their_keys() -> None:
    assert [(row[0], row[1]) for row in rows("Dialect")] == [
        (f"`{name}`", " or ".join(f"`{key}`" for key in dialect.key_variables))
        for name, dialect in DIALECTS.items()
    ]
