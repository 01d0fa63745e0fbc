"""The language tutor, in a lesson of two languages."""

from pathlib import Path

import pytest

from crossfade.examples.tutor import LINES, SCENARIO, Lesson, Mistake
from crossfade.pipelines.endpoint import KEY_VARIABLE
from crossfade.processors.tools import ToolArgumentsError
from tests.examples.rehearsing import called, rehearsed, said


def test_it_corrects_and_changes_the_language(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    lesson = Lesson()
    turns = rehearsed(lesson.make, tmp_path, lines=LINES, scenario=SCENARIO)
    assert [call["name"] for call in called(turns)] == [
        "note_mistake",
        "switch_language",
        "note_mistake",
    ]
    assert called(turns)[1]["result"]["speak"] == "Spanish"
    assert said(turns)[-1] == "La sopa está fría. ¿Y el pan?"
    assert lesson.language == "Spanish"
    assert lesson.mistakes == [
        Mistake(
            language="German",
            said="Ich habe gegangen",
            correct="Ich bin gegangen",
            rule="verbs of motion take sein",
        ),
        Mistake(
            language="Spanish",
            said="La sopa es fría",
            correct="La sopa está fría",
            rule="a passing state takes estar",
        ),
    ]


def test_there_is_no_third_language() -> None:
    switch_language, _ = Lesson().tools
    with pytest.raises(ToolArgumentsError, match="German"):
        switch_language.check({"to": "Klingon"})
