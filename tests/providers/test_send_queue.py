"""What is sent first, and what is dropped when the line is slow."""

import asyncio

import pytest

from crossfade.providers.send_queue import SendQueue, SendQueueFull
from tests.clock import run


async def drain(queue: SendQueue) -> list[bytes]:
    return [await queue.get() for _ in range(len(queue))]


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
    assert queue.waiting_audio_ms == 0
    queue.put_audio(b"a2", 20)
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
