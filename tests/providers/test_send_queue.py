"""What is sent first, and what is dropped when the line is slow."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.providers.send_queue import SendQueue, SendQueueFull
from tests.clock import run


async def drain(queue: SendQueue) -> list[bytes]:
    return [await queue.get() for _ in range(len(queue))]


def take(queue: SendQueue) -> bytes:
    """The next message of those that wait."""
    try:
        queue.get().send(None)
    except StopIteration as done:
        message: bytes = done.value
        return message
    raise AssertionError("nothing waits")


def test_control_goes_before_waiting_audio() -> None:
    queue = SendQueue()
    queue.put_audio(b"a1", 20)
    queue.put_audio(b"a2", 20)
    queue.put_control([b"c1", b"c2"])
    assert run(drain(queue)) == [b"c1", b"c2", b"a1", b"a2"]
    assert queue.waiting_audio_ms == 0


def test_what_marks_a_place_in_the_audio_stays_there() -> None:
    queue = SendQueue()
    queue.put_audio(b"a1", 20)
    queue.put_control([b"end of turn"], after_audio=True)
    queue.put_audio(b"a2", 20)
    assert queue.waiting_audio_ms == 40
    queue.put_control([b"c1"])
    assert run(drain(queue)) == [b"a1", b"end of turn", b"c1", b"a2"]


def test_the_oldest_audio_is_dropped_and_counted() -> None:
    queue = SendQueue()
    for number in range(502):
        queue.put_audio(b"%d" % number, 20)
    queue.put_control([b"text"])
    assert queue.dropped_audio_ms == 40
    assert queue.waiting_audio_ms == 10_000
    assert run(drain(queue))[:2] == [b"text", b"2"]


def test_audio_before_the_end_of_a_turn_counts_as_audio() -> None:
    queue = SendQueue()
    for number in range(9_000):
        queue.put_audio(b"%d" % number, 1)
    queue.put_control([b"end of turn"], after_audio=True)
    for _ in range(4095):
        queue.put_control([b"c"])
    assert len(queue) == 9_000 + 4096
    sent = run(drain(queue))
    assert sent[8_999:9_001] == [b"8999", b"end of turn"]
    assert queue.waiting_audio_ms == 0


def test_audio_before_the_end_of_a_turn_is_dropped_first() -> None:
    queue = SendQueue()
    queue.put_control([b"c1"])
    queue.put_audio(b"a1", 6_000)
    queue.put_control([b"end 1"], after_audio=True)
    queue.put_audio(b"a2", 4_000)
    queue.put_control([b"end 2"], after_audio=True)
    queue.put_audio(b"a3", 5_000)
    assert queue.dropped_audio_ms == 6_000
    queue.put_audio(b"a4", 5_000)
    assert queue.dropped_audio_ms == 10_000
    assert queue.waiting_audio_ms == 10_000
    assert run(drain(queue)) == [b"c1", b"end 1", b"end 2", b"a3", b"a4"]


def test_scraps_of_audio_are_bounded_by_their_number() -> None:
    queue = SendQueue()
    for _ in range(12_000):
        queue.put_audio(b"a", 0.04)
    assert len(queue) == 10_000
    assert queue.dropped_audio_ms == pytest.approx(80)


@given(
    st.lists(
        st.one_of(
            st.floats(0.01, 12_000).map(lambda ms: ("audio", ms)),
            st.integers(1, 3).map(lambda count: ("control", count)),
            st.integers(1, 3).map(lambda count: ("mark", count)),
            st.just(("get", 0)),
        ),
        max_size=60,
    )
)
def test_control_is_never_dropped_and_audio_is_bounded(steps: list[tuple[str, float]]) -> None:
    """Control keeps its order and its place behind audio; audio is sent once or counted."""

    queue = SendQueue()
    sent: list[bytes] = []
    put: list[bytes] = []
    put_ms: dict[bytes, float] = {}
    for number, (kind, value) in enumerate(steps):
        if kind == "audio":
            put_ms[b"a%d" % number] = value
            queue.put_audio(b"a%d" % number, value)
        elif kind == "get":
            sent += [take(queue)] if len(queue) else []
        else:
            messages = [b"c%d.%d" % (number, part) for part in range(int(value))]
            put += messages
            queue.put_control(messages, after_audio=kind == "mark")
        assert queue.waiting_audio_ms <= 12_000.01
    sent += [take(queue) for _ in range(len(queue))]
    assert [message for message in sent if message.startswith(b"c")] == put
    audio = [message for message in sent if message.startswith(b"a")]
    assert audio == [message for message in put_ms if message in set(audio)], "in order"
    went_ms = sum(put_ms[message] for message in audio)
    assert went_ms + queue.dropped_audio_ms == pytest.approx(sum(put_ms.values()))
    assert queue.waiting_audio_ms == 0


def test_control_is_refused_when_nobody_reads() -> None:
    queue = SendQueue()
    queue.put_control([b"c"] * 4096)
    with pytest.raises(SendQueueFull):
        queue.put_control([b"c"])
    assert len(queue) == 4096


def test_an_empty_queue_is_waited_for() -> None:
    async def main() -> bytes:
        queue = SendQueue()
        getting = asyncio.create_task(queue.get())
        await asyncio.sleep(1)
        queue.put_control([])
        await asyncio.sleep(1)
        assert not getting.done()
        queue.put_audio(b"a", 20)
        return await getting

    assert run(main()) == b"a"
