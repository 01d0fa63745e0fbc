from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from crossfade.cli import app
from crossfade.errors import SettingsError
from crossfade.pipelines.route_file import Route, read_route
from crossfade.pipelines.routing import Arm, Modality, Urgency

ARMS = """
experiment: summer
arms:
  - {name: mini, node: "openai:gpt-realtime-2.1-mini", weight: 3, usd_per_minute: 0.04}
  - name: large
    node: openai:gpt-realtime-2.1
    languages: [en]
    modalities: [audio, image]
    urgencies: [normal, high]
"""


def written(tmp_path: Path, text: str = ARMS) -> Path:
    path = tmp_path / "arms.yaml"
    path.write_text(text)
    return path


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["route", *arguments])
    return result.exit_code, " ".join(result.output.split())


def test_arms_are_read_as_they_are_written(tmp_path: Path) -> None:
    assert read_route(written(tmp_path)) == Route(
        experiment="summer",
        arms=(
            Arm(
                name="mini",
                node="openai:gpt-realtime-2.1-mini",
                weight=3,
                usd_per_minute=Decimal("0.04"),
            ),
            Arm(
                name="large",
                node="openai:gpt-realtime-2.1",
                languages=frozenset({"en"}),
                modalities=frozenset({Modality.AUDIO, Modality.IMAGE}),
                urgencies=frozenset({Urgency.NORMAL, Urgency.HIGH}),
            ),
        ),
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("arms: []", "arms"),
        ("arms: [{name: a}]", "node"),
        ("arms: [{name: a, node: n, wait: 1}]", "wait"),
        ("arms: [{name: a, node: n, weight: -1}]", "weight"),
        ("arms: [{name: a, node: n, weight: .inf}]", "weight"),
        ("arms: [{name: a, node: n, modalities: [smell]}]", "modalities"),
        ("arms: [{name: a, node: n}, {name: a, node: m}]", "two arms"),
        ("arms: [", "no valid YAML"),
    ],
)
def test_a_wrong_file_is_refused_in_words(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        read_route(written(tmp_path, text))


def test_the_command_tells_the_arm_and_why(tmp_path: Path) -> None:
    path = str(written(tmp_path))
    code, told = run(path, "--caller", "somebody", "--sends", "audio", "--sends", "image")
    assert code == 0
    assert told == (
        "large: openai:gpt-realtime-2.1 because it alone of 2 takes the call "
        "not mini: it takes no image"
    )
    code, told = run(path, "--caller", "somebody", "--failing", "openai:gpt-realtime-2.1")
    assert told.startswith("mini:")
    assert "not large: its provider fails" in told


def test_the_command_deals_many_callers(tmp_path: Path) -> None:
    code, told = run(str(written(tmp_path)), "--callers", "2000")
    assert code == 0
    words = told.split()
    share = float(words[words.index("mini") + 2].rstrip("%"))
    assert share == pytest.approx(75, abs=4)


@pytest.mark.parametrize(
    "wrong",
    [
        ("--ceiling", "nan"),
        ("--ceiling", "inf"),
        ("--ceiling=-1", "--urgency=low"),
        ("--urgency", "now"),
        ("--sends", "smell"),
        ("--ceiling", "cheap"),
        ("--ceiling", "0.01"),
    ],
)
def test_what_cannot_be_asked_for_is_one_line(tmp_path: Path, wrong: tuple[str, str]) -> None:
    code, told = run(str(written(tmp_path)), "--caller", "k", "--language", "fr", *wrong)
    assert code == 2
    assert told.startswith("error:")


@pytest.mark.parametrize("node", ["nonsense", "opnai:gpt", "openai:", "moshi:", "cascade:"])
def test_a_node_that_nobody_can_make_is_refused_with_those_that_there_are(
    tmp_path: Path, node: str
) -> None:
    path = written(tmp_path, f"arms: [{{name: a, node: gemini}}, {{name: b, node: '{node}'}}]")
    code, told = run(str(path))
    assert code == 2
    assert told.startswith(f"error: the arm b has the node '{node}'")
    for known in ("cascade", "openai", "gemini", "moshi"):
        assert known in told


def test_each_kind_of_node_is_taken(tmp_path: Path) -> None:
    nodes = ("openai", "gemini:gemini-3.8-live", "moshi", "cascade")
    arms = ", ".join(f"{{name: {node[:6]}, node: '{node}'}}" for node in nodes)
    assert run(str(written(tmp_path, f"arms: [{arms}]")))[0] == 0


def test_a_node_that_is_to_fail_is_one_of_the_arms(tmp_path: Path) -> None:
    code, told = run(str(written(tmp_path)), "--failing", "openai:gpt-realtime")
    assert code == 2
    assert "no arm has the node openai:gpt-realtime" in told
    assert "openai:gpt-realtime-2.1-mini" in told
