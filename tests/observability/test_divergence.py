import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.observability.capture_file import CapturedCall, Record
from crossfade.observability.divergence import compare, message_of
from crossfade.observability.divergence_values import Names, differences, shown

Step = tuple[str, dict[str, Any]]


def call(*steps: Step, settings: dict[str, Any] | None = None) -> CapturedCall:
    records = [
        Record(t=float(fields.pop("t", number)), kind=kind, fields=fields)
        for number, (kind, fields) in enumerate(steps)
    ]
    return CapturedCall(records=records, complete=True, settings=settings or {})


def frame(kind: str, t: float | None = None, **fields: Any) -> Step:
    return "frame", {"type": kind, "fields": fields, **({} if t is None else {"t": t})}


def sent(text: str, line: int = 1) -> Step:
    return "message", {"line": line, "dir": "out", "text": text}


def speech(item_id: str, digest: str) -> Step:
    return "speech", {"item_id": item_id, "response_id": "r", "bytes": 2, "hash": digest}


def played(item_id: str, ms: float, *, interrupted: bool = True) -> Step:
    item = {"item_id": item_id, "response_id": "r", "played_ms": ms, "received_ms": 1.0}
    return frame("SpeechPlayedFrame", items=[item], interrupted=interrupted)


def whats(one: CapturedCall, other: CapturedCall) -> list[str]:
    return [divergence.what for divergence in compare(one, other)]


def test_frames_of_different_lanes_may_change_places() -> None:
    one = call(frame("UserStoppedSpeakingFrame"), frame("BotStoppedSpeakingFrame"))
    other = call(frame("BotStoppedSpeakingFrame"), frame("UserStoppedSpeakingFrame"))
    assert compare(one, other) == []


@pytest.mark.parametrize(("lag_ms", "told"), [(0.0, True), (700.0, False)])
def test_of_a_call_that_was_cut_off_what_its_playout_had_not_come_to_is_not_told(
    lag_ms: float, told: bool
) -> None:
    lag = ("lag", {"lag_ms": lag_ms, "t": 9.0})
    one = call(lag, frame("BotStartedSpeakingFrame", t=9), frame("SpokenTextFrame", t=10, text="a"))
    one = dataclasses.replace(one, complete=False)
    other = call(
        frame("BotStartedSpeakingFrame", t=9),
        frame("BotStoppedSpeakingFrame", t=9.5),
        frame("SpokenTextFrame", t=10, text="a"),
    )
    assert bool(compare(one, other)) is told


def test_frames_of_one_lane_may_not() -> None:
    one = call(frame("BotStartedSpeakingFrame"), frame("BotStoppedSpeakingFrame"))
    other = call(frame("BotStoppedSpeakingFrame"), frame("BotStartedSpeakingFrame"))
    assert whats(one, other)


def test_a_frame_too_few_and_another_text_are_told_with_what_was_expected() -> None:
    one = call(
        frame("SpokenTextFrame", t=3, text="rain"), frame("SpokenTextFrame", t=4, text="fog")
    )
    other = call(frame("SpokenTextFrame", t=3, text="snow"))
    first, second = compare(one, other)
    assert (first.what, first.at_s) == ("answer SpokenTextFrame text", 3)
    assert (first.expected, first.got) == ("rain", "snow")
    assert (second.what, second.at_s, second.got) == ("answer SpokenTextFrame", 4, "nothing")


def test_an_id_made_by_chance_stands_for_the_same_one_throughout() -> None:
    def ids(first: str, second: str) -> CapturedCall:
        return call(
            frame("ResponseStartFrame", response_id=first),
            frame("ResponseEndFrame", response_id=second),
        )

    mine, yours, third = (f"acknowledgement_{digit * 16}" for digit in "abc")
    assert compare(ids(mine, mine), ids(yours, yours)) == []
    assert whats(ids(mine, mine), ids(yours, third))
    assert whats(ids("resp_A", "resp_A"), ids("resp_B", "resp_B"))


def test_decisions_on_the_caller_s_speech_count_with_their_place_in_the_sound() -> None:
    def heard(at_ms: float) -> CapturedCall:
        return call(("heard", {"event": "SpeechBegan", "at_ms": at_ms, "decided_ms": 96.0}))

    assert compare(heard(64), heard(64)) == []
    (found,) = compare(heard(64), heard(96))
    assert (found.what, found.expected) == ("our ear SpeechBegan at_ms", "64")


def test_messages_are_compared_by_what_they_say_and_sound_is_not() -> None:
    append = sent('{"type":"input_audio_buffer.append","audio":"AAAA"}')
    one = call(append, sent('{"type":"session.update","session":{"temperature":1}}'))
    other = call(sent('{"type":"session.update","session":{"temperature":2}}'), append, append)
    assert whats(one, other) == ["message session.update session.temperature"]


def test_a_field_that_is_new_is_told() -> None:
    one = call(sent('{"type":"x"}', line=2))
    other = call(sent('{"type":"x","more":true}', line=2))
    (found,) = compare(one, other)
    assert found.what == "connection 2: message x more"
    assert (found.expected, found.got) == ("nothing", "True")


@pytest.mark.parametrize(("lag_ms", "same"), [(0, False), (200, True)])
def test_positions_may_differ_by_what_the_playout_fell_behind(lag_ms: float, same: bool) -> None:
    one = call(("lag", {"lag_ms": lag_ms}), played("i", 800))
    assert (compare(one, call(played("i", 1000))) == []) is same
    assert compare(one, call(played("i", 850))) == []


def test_sound_of_an_item_is_compared_chunk_by_chunk() -> None:
    one = call(speech("i", "aa"), speech("i", "bb"))
    (found,) = compare(one, call(speech("i", "aa"), speech("i", "cc")))
    assert (found.what, found.expected) == ("sound of i", "chunk 2 of 2: bb")
    assert whats(one, call(speech("i", "aa"))) == ["sound of i"]
    assert whats(one, call()) == ["sound of i"]
    assert whats(call(), one) == ["sound of i"]


def test_how_much_came_of_an_answer_before_it_was_cut_is_a_race() -> None:
    one = call(speech("i", "aa"), speech("i", "bb"), played("i", 10))
    assert compare(one, call(speech("i", "aa"), played("i", 10))) == []
    assert whats(one, call(speech("i", "bb"), played("i", 10))) == ["sound of i"]


def test_the_provider_s_address_is_not_compared() -> None:
    def failed(address: str) -> CapturedCall:
        return call(
            ("dialled", {"line": 1, "address": address}),
            frame("ErrorFrame", error=f"{address} ended", processor=f"Node#{len(address)}"),
        )

    assert compare(failed("api.example.com:443"), failed("127.0.0.1:4711")) == []


def test_settings_come_first_and_are_exact() -> None:
    one = call(frame("EndFrame"), settings={"config": {"silence_ms": 500, "voice": "warm"}})
    other = call(settings={"config": {"silence_ms": 520, "voice": "warm"}})
    assert whats(one, other) == ["setting config.silence_ms", "call EndFrame"]


def test_connections_and_runs_of_tools_are_compared() -> None:
    dialled = ("dialled", {"line": 1, "address": "a:1"})
    one = call(dialled, ("closed", {"line": 1, "code": 1006}))
    assert whats(one, call(dialled)) == ["connection 1 closed"]
    run = ("tool", {"name": "weather", "number": 1, "event": "began"})
    assert whats(call(), call(run)) == ["run of the tool weather"]


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"\x01sound", None),
        (b"\x02words", "binary 02"),
        ("hello", "text"),
        ("[1]", "text"),
        ("{}", "an empty object"),
        ('{"setup": {}}', "setup"),
        ('{"realtimeInput": {"audio": {}}}', None),
        ('{"realtimeInput": {"text": ""}}', "realtimeInput"),
    ],
)
def test_messages_of_all_wires_have_names(data: str | bytes, name: str | None) -> None:
    assert message_of(data)[0] == name


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(JSON)
def test_a_value_differs_not_from_itself(value: Any) -> None:
    assert list(differences(value, value, Names(frozenset(), frozenset()))) == []


def test_long_values_are_cut() -> None:
    assert shown("a" * 500).endswith("…")
    assert shown(None) == "nothing"
