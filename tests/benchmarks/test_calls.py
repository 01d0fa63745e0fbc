"""The calls benchmark: its service keeps to the script, a point is measured, the search ends."""

import asyncio
import contextlib
import os
import socket
import time
from collections import deque
from dataclasses import replace

import numpy as np
import pytest

from crossfade.audio.energy import rms_dbfs
from crossfade.benchmarks import call_messages, call_server, calls, points
from crossfade.benchmarks.call_point import Microphones
from crossfade.benchmarks.call_script import (
    CONVERSATION,
    FRAME_BYTES,
    MICROPHONE_HZ,
    ROOM_DBFS,
    TALK,
    microphone,
)
from crossfade.benchmarks.call_side import Ear
from crossfade.benchmarks.points import Admission, Order, Point
from crossfade.errors import CrossfadeError
from crossfade.providers.config import SessionConfig
from crossfade.providers.events import (
    AudioChunk,
    Event,
    ResponseDone,
    ResponseStatus,
    SpeechStarted,
    TextDelta,
    ToolCall,
    UserTranscript,
)
from crossfade.providers.openai_realtime import OpenAIRealtimeProtocol


def understood(*frames: bytes) -> list[Event]:
    """What our own client makes of the service's bytes."""
    protocol = OpenAIRealtimeProtocol("gpt-realtime-2.1")
    protocol.start(SessionConfig())
    data = b"".join(frames)
    events: list[Event] = []
    while data:
        length, start = data[1], 2
        if length == 126:
            length, start = int.from_bytes(data[2:4], "big"), 4
        events += protocol.receive(data[start : start + length].decode())
        data = data[start + length :]
    return events


@pytest.mark.parametrize("pieces", [1, 5])
def test_what_the_service_says_is_an_answer_of_openai(pieces: int) -> None:
    answer = call_messages.Answer(7, pieces=pieces)
    events = understood(
        call_messages.session("session.created"),
        answer.begin(),
        answer.speech(123),
        answer.end("cancelled"),
    )
    (sound,) = (event for event in events if isinstance(event, AudioChunk))
    assert len(sound.pcm) == call_messages.DELTA_BYTES * pieces
    for begin in range(0, len(sound.pcm), call_messages.DELTA_BYTES):
        assert call_messages.read_stamp(sound.pcm[begin:]) == (123, 7)
    assert any(isinstance(event, TextDelta) for event in events)
    done = events[-1]
    assert isinstance(done, ResponseDone)
    assert done.status is ResponseStatus.INTERRUPTED


def test_the_service_calls_tools_and_tells_turns() -> None:
    answer = call_messages.Answer(1, tool="get_weather")
    events = understood(
        call_messages.session("session.created"),
        call_messages.speech_started(1, 100),
        call_messages.speech_stopped(1, 900),
        answer.begin(),
        answer.call(),
    )
    assert any(isinstance(event, SpeechStarted) for event in events)
    assert any(isinstance(event, UserTranscript) and event.final for event in events)
    (call,) = (event for event in events if isinstance(event, ToolCall))
    assert call.name == "get_weather"


def test_the_microphone_hears_a_room_and_then_a_voice() -> None:
    sound = microphone(TALK)
    assert len(sound) == TALK.length_ms // 20 * FRAME_BYTES
    voice = sound[TALK.speech_ms * MICROPHONE_HZ // 1000 * 2 :][: MICROPHONE_HZ * 2]
    room = sound[4 * MICROPHONE_HZ * 2 :]
    assert rms_dbfs(room) == pytest.approx(ROOM_DBFS, abs=2)
    assert rms_dbfs(voice) > -30


@pytest.mark.parametrize(("offset_ms", "noticed"), [(1250, 1), (2400, 0), (9990, 0)])
def test_who_speaks_as_the_call_begins_is_noticed_at_once(
    offset_ms: int, noticed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call_server, "_STEP_MS", 0)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        call = call_server._Call(
            ours,
            call_server._Schedule(),
            TALK,
            1.0,
            0.0,
            number=0,
            offset_ms=offset_ms,
            speaks=True,
            late_ms=deque(),
        )
        call._configure({})
        call._follow_the_caller()
        assert len(call.speech_started_ns) == noticed
        call.heard_bytes = TALK.length_ms * call_server.BYTES_PER_MS
        call._follow_the_caller()
        assert len(call.speech_started_ns) == noticed + 1


def test_in_a_conversation_answers_end_by_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    now_ns = 0
    monkeypatch.setattr(time, "monotonic_ns", lambda: now_ns)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        schedule = call_server._Schedule()
        call = call_server._Call(
            ours,
            schedule,
            CONVERSATION,
            1.5,
            0.0,
            number=0,
            offset_ms=0,
            speaks=True,
            late_ms=deque(),
            pieces_a_message=5,
        )
        theirs.setblocking(False)
        call._configure({})
        sent = b""
        while call.answer is not None and now_ns < 10e9:
            now_ns += 10_000_000
            schedule.run()
            with contextlib.suppress(BlockingIOError):
                sent += theirs.recv(2**20)
        assert sent.count(b'"response.output_audio.delta"') == 50
        assert sent.count(b'"status":"completed"') > 0
        assert now_ns == pytest.approx(5e9 / 1.5, rel=0.02)


def test_sound_of_a_cut_answer_is_stale() -> None:
    ear = Ear()
    old, new = (call_messages.stamp(1, number) for number in (1, 2))
    ear.hear(old)
    ear.interrupted()
    assert ear.silenced_ns == ear.passed_ns
    ear.hear(new)
    assert ear.stale == 0
    ear.hear(old)
    assert ear.stale == 1


def test_who_is_stopped_ahead_is_silent_then_and_what_is_written_since_is_stale() -> None:
    ear = Ear()
    old, new = (call_messages.stamp(1, number) for number in (1, 2))
    ear.hear(old)
    ear.hushed()
    ear.hear(old)
    ear.interrupted()
    assert ear.silenced_ns < ear.passed_ns
    assert ear.stale == 1
    ear.hear(new)
    assert ear.stale == 1


def test_a_hold_that_is_resumed_makes_nothing_stale() -> None:
    ear = Ear()
    old = call_messages.stamp(1, 1)
    ear.hushed()
    ear.hear(old)
    ear.hushed()
    ear.interrupted()
    assert ear.stale == 0


@pytest.mark.realtime
@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two cores")
def test_a_point_of_ours_measures_a_call_with_an_interruption() -> None:
    order = Order(
        side="crossfade",
        calls=1,
        seconds=1.0,
        options={"tools": False},
        cycle="barge-ins",
        warm_up_s=0.7,
    )
    point = points.talk(order)
    assert 0 < point.cpu_percent < 100
    # Fifty; on a busy machine what was held up before is caught up within this second.
    assert 30 <= point.messages_up_per_s <= 90
    assert 0.3 < point.heard_share < 1.7
    assert point.up_ms.size > 30
    assert point.down_ms.size > 20
    assert 10 < point.spoken_to_socket_ms < 2000
    assert point.interruptions >= 1
    assert point.silence_ms.size
    assert sum(point.stale) == 0


def point(calls: int, cpu_per_call: float, late_ms: float = 1.0) -> Point:
    late = np.full(100, late_ms)
    return Point(
        calls=calls,
        cpu_percent=calls * cpu_per_call,
        up_ms=late,
        down_ms=late,
        spoken_to_socket_ms=12,
        messages_up_per_s=50,
        heard_share=1.0,
        silence_ms=late,
        passed_ms=late + 0.3,
        stale=[0],
        interruptions=1,
        dropped=0,
        service_late_ms=0.1,
    )


COST = {"crossfade": 0.9, "pipecat": 4.5}
MOST = {"crossfade": 103, "pipecat": 23}


def measured(order: Order) -> Point:
    """A machine on which each side has a known cost and a known limit."""
    late_ms = 5.0 if order.calls <= MOST[order.side] else 50.0
    cost = COST[order.side] - (0.1 if order.options.get("recorded") is False else 0)
    return point(order.calls, cost, late_ms)


def admitted(side: str) -> Admission:
    return Admission(stall_ms=1.0, mib_per_call=0.2, threads=4)


def test_ratios_share_and_limits_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "installed", lambda: ["crossfade", "pipecat"])
    result = calls.measure(rounds=2, take=measured, admit=admitted)
    assert result.ratios["cpu_per_call"] == pytest.approx(5)
    assert result.record_share == pytest.approx(1 / 9, abs=0.01)
    for found in result.most:
        assert 0.9 * MOST[found.side] <= found.calls <= MOST[found.side]
    content = calls.content(result)
    assert content["ratios"]["calls_per_core"] == pytest.approx(103 / 23, rel=0.1)
    assert content["admissions"]["crossfade"]["mib_per_call"] == 0.2
    assert len(calls.tables(result)) == 3


def test_a_disturbed_point_is_measured_again_and_the_calmest_is_told() -> None:
    shares = iter([0.2, 0.1, 0.3, 0.0])

    def take() -> Point:
        return replace(point(1, 1.0), starved=next(shares))

    assert points.calmest(take).starved == 0.1
    assert points.calmest(take).starved == 0


def test_a_point_that_fails_is_taken_again_and_told_of_in_words_in_the_end() -> None:
    outcomes = iter([None, point(1, 1.0)])

    def take() -> Point:
        if (outcome := next(outcomes, None)) is None:
            raise CrossfadeError("call 3 never reached the service")
        return outcome

    assert points.calmest(take).calls == 1
    with pytest.raises(CrossfadeError, match="call 3"):
        points.calmest(take)


def test_calls_that_break_off_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "installed", lambda: ["crossfade", "pipecat"])
    told: list[str] = []

    def breaks(order: Order) -> Point:
        if order.calls > MOST[order.side]:
            raise CrossfadeError("it broke off")
        return measured(order)

    result = calls.measure(rounds=1, take=breaks, admit=admitted, tell=told.append)
    for found in result.most:
        assert 0.9 * MOST[found.side] <= found.calls <= MOST[found.side]
        assert any(late_ms is None for _, late_ms in found.tried)
    assert "it broke off" in told


def test_what_was_measured_on_a_busy_machine_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "installed", lambda: ["crossfade", "pipecat"])
    quiet = calls.measure(rounds=1, search=False, take=measured, admit=admitted)
    assert calls.disturbances(quiet) == ""

    def disturbed(order: Order) -> Point:
        return replace(measured(order), starved=0.25 if order.side == "pipecat" else 0.0)

    busy = calls.measure(rounds=1, search=False, take=disturbed, admit=admitted)
    assert "pipecat 25 %" in calls.disturbances(busy)
    assert "crossfade" not in calls.disturbances(busy)


def test_who_needs_more_than_the_core_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "installed", lambda: ["crossfade", "pipecat"])
    few, many = (
        calls.measure(calls=at, rounds=1, search=False, take=measured, admit=admitted)
        for at in (16, 22)
    )
    assert calls.saturated(few) == ""
    assert calls.saturated(many).startswith("pipecat, pipecat as it comes")
    assert "took the whole core" in calls.saturated(many)


def test_microphones_catch_up_after_a_stall() -> None:
    class Caller:
        def __init__(self) -> None:
            self.heard = 0

        async def speak(self, pcm: bytes) -> None:
            self.heard += 1

        async def hang_up(self) -> None: ...

    async def scenario() -> None:
        microphones, callers = Microphones(TALK), [Caller() for _ in range(5)]
        for each in callers:
            microphones.add(each, 0)
        await asyncio.sleep(0)
        now_ns = time.monotonic_ns()
        with pytest.MonkeyPatch.context() as patch:
            # Ten frames of everybody's are due at once.
            patch.setattr(time, "monotonic_ns", lambda: now_ns + 200_000_000)
            for _ in range(3):
                await asyncio.sleep(0)
            assert [each.heard for each in callers] == [11, 10, 10, 10, 11]
            await microphones.stop()

    asyncio.run(scenario())


@pytest.mark.parametrize("broken", [{"dropped": 1}, {"heard_share": 0.7}])
def test_calls_that_lose_sound_are_not_sustained(
    monkeypatch: pytest.MonkeyPatch, broken: dict[str, float]
) -> None:
    monkeypatch.setattr(calls, "installed", lambda: ["crossfade", "pipecat"])

    def loses(order: Order) -> Point:
        return replace(measured(order), **broken)  # type: ignore[arg-type]

    result = calls.measure(rounds=1, take=loses, admit=admitted)
    assert [found.calls for found in result.most] == [0, 0]
