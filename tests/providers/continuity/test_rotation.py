"""How a session moves to another connection, for each wire."""

import dataclasses
from itertools import product

import pytest

from crossfade.providers import connect
from crossfade.providers.continuity.rotation import Handle, Handles, Moment, Plan, Situation
from crossfade.providers.continuity.rotation_gemini import ResumingRotation, refuses_resumption
from crossfade.providers.continuity.rotations import rotation_for
from crossfade.providers.events import ResumptionHandle

HANDLE = Handle(token="handle-1", told_s=100.0)
QUIET = Situation(moment=Moment.QUIET, now_s=110.0, handle=HANDLE, last_turn_s=99.0)


def plan(spec: str, situation: Situation) -> Plan:
    return rotation_for(connect(spec, api_key="sk-heron-nest").profile).plan(situation)


@pytest.mark.parametrize(
    ("spec", "moment", "expected"),
    [
        ("openai:", Moment.QUIET, Plan.PARALLEL),
        ("openai:", Moment.FORCED, Plan.PARALLEL),
        ("openai:", Moment.LOST, Plan.REOPEN),
        ("gemini:", Moment.QUIET, Plan.RESUME),
        ("gemini:", Moment.FORCED, Plan.RESUME),
        ("gemini:", Moment.LOST, Plan.RESUME),
        ("moshi:", Moment.QUIET, Plan.REOPEN),
        ("moshi:", Moment.FORCED, Plan.REOPEN),
        ("moshi:", Moment.LOST, Plan.REOPEN),
    ],
)
def test_each_wire_has_its_way(spec: str, moment: Moment, expected: Plan) -> None:
    if spec == "moshi:":
        pytest.importorskip("sphn")
    assert plan(spec, dataclasses.replace(QUIET, moment=moment)) is expected


@pytest.mark.parametrize(
    "spoiled",
    [
        {"utterance": True},
        {"open_calls": True},
        {"handle": None},
        {"last_turn_s": 100.0},
        {"last_turn_s": 105.0},
        {"now_s": 8000.0},
    ],
    ids=str,
)
def test_gemini_resumes_only_what_has_all_and_awaits_nothing(spoiled: dict[str, object]) -> None:
    rotation = ResumingRotation()
    assert rotation.plan(QUIET) is Plan.RESUME
    assert not rotation.prepares(QUIET)
    for moment, instead in (
        (Moment.QUIET, Plan.PARALLEL),
        (Moment.FORCED, Plan.PARALLEL),
        (Moment.LOST, Plan.REOPEN),
    ):
        changes: dict[str, object] = {"moment": moment, **spoiled}
        situation = dataclasses.replace(QUIET, **changes)  # type: ignore[arg-type]
        assert rotation.plan(situation) is instead
        assert rotation.prepares(situation) is (instead is Plan.PARALLEL)


def test_an_utterance_in_progress_is_never_resumed_into() -> None:
    for spec, moment in product(("openai:", "gemini:"), Moment):
        situation = dataclasses.replace(QUIET, moment=moment, utterance=True)
        assert plan(spec, situation) is not Plan.RESUME


def test_the_latest_handle_counts_and_only_while_it_can_be_used() -> None:
    handles = Handles()
    latest: list[Handle | None] = []
    for event in (
        ResumptionHandle(handle="a", resumable=True),
        ResumptionHandle(handle="b", resumable=True),
        ResumptionHandle(handle="", resumable=False),
        ResumptionHandle(handle="c", resumable=True),
    ):
        handles.told(event, float(len(latest)))
        latest.append(handles.latest)
    handles.drop()
    a, b, c = (Handle(token=name, told_s=at) for name, at in (("a", 0.0), ("b", 1.0), ("c", 3.0)))
    assert [*latest, handles.latest] == [a, b, None, c, None]


def test_a_refused_handle_is_of_no_use() -> None:
    assert all(map(refuses_resumption, (1007, 1008, 1011)))
    assert not refuses_resumption(1006), "the line was cut; it may be tried again"
    assert not refuses_resumption(None)
