import asyncio
import concurrent.futures
import socket
import sys
import threading
import time
from typing import Any

import pytest
from pipecat.clocks.system_clock import SystemClock
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve

from crossfade.observability.loopback import CountedSocket
from crossfade.observability.virtual_time import (
    EPOCH_S,
    START_S,
    VirtualTimeError,
    VirtualTimeLoop,
    run_virtual,
)
from tests.clock import run

FRAME_S = 0.02
FRAME = bytes(640)


async def echo_call(duration_s: float) -> list[tuple[str, int]]:
    """Paced audio to an echo server that answers each second with a longer burst of its own."""
    loop = asyncio.get_running_loop()
    events: list[tuple[str, int]] = []

    async def answer(connection: ServerConnection) -> None:
        received = 0
        async for message in connection:
            received += 1
            await connection.send(message)
            if received % 10 == 0:
                await asyncio.sleep(FRAME_S / 2)
                await connection.send(bytes(200_000))

    async def listen(connection: ClientConnection) -> None:
        async for message in connection:
            events.append(("received", len(message)))  # noqa: PERF401  # in order with "sent"

    async with serve(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with connect(f"ws://127.0.0.1:{port}") as connection:
            listener = asyncio.create_task(listen(connection))
            start_s = loop.time()
            for tick in range(round(duration_s / FRAME_S)):
                await asyncio.sleep(start_s + tick * FRAME_S - loop.time())
                events.append(("sent", tick))
                await connection.send(FRAME)
            await asyncio.sleep(FRAME_S)
        await listener
    return events


def test_the_same_call_in_real_and_in_virtual_time_gives_the_same_events() -> None:
    expected = run(echo_call(0.5))
    # A machine that stalls for a frame changes the order: one undisturbed run shows it.
    assert any(asyncio.run(echo_call(0.5)) == expected for _ in range(20))


def test_thirty_seconds_of_paced_audio_take_less_than_a_second() -> None:
    # Of this process: other processes may have the machine.
    before_s = time.process_time()
    events = run(echo_call(30))
    assert time.process_time() - before_s < 1.0
    assert sum(event == ("received", len(FRAME)) for event in events) == 1500


def test_two_virtual_runs_give_the_same_events_at_the_same_times() -> None:
    async def stamped() -> tuple[list[tuple[str, int]], float]:
        loop = asyncio.get_running_loop()
        return await echo_call(3), loop.time()

    assert run(stamped()) == run(stamped())


def test_a_sleep_moves_the_clock_by_exactly_its_length() -> None:
    async def main() -> float:
        loop = asyncio.get_running_loop()
        before_s = loop.time()
        await asyncio.sleep(600)
        return loop.time() - before_s

    assert run(main()) == 600


def test_asyncio_timeouts_run_in_virtual_time() -> None:
    async def main() -> None:
        async with asyncio.timeout(120):
            await asyncio.sleep(121)

    with pytest.raises(TimeoutError):
        run(main())


def test_the_keepalive_of_websockets_runs_in_virtual_time() -> None:
    async def main() -> float:
        async def silent(connection: ServerConnection) -> None:
            await connection.wait_closed()

        async with serve(silent, "127.0.0.1", 0, ping_interval=None) as server:
            port = server.sockets[0].getsockname()[1]
            uri = f"ws://127.0.0.1:{port}"
            async with connect(uri, ping_interval=20) as connection:
                await asyncio.sleep(61)
                return connection.latency

    assert run(main()) == pytest.approx(0, abs=1e-6)


def test_the_clocks_of_the_module_time_read_the_virtual_clock() -> None:
    async def main() -> None:
        await asyncio.sleep(5)
        assert time.monotonic() == time.perf_counter() == START_S + 5
        assert time.monotonic_ns() == time.perf_counter_ns() == round((START_S + 5) * 1e9)
        assert time.time() == EPOCH_S + 5
        assert time.time_ns() == round((EPOCH_S + 5) * 1e9)

    run(main())


def test_pipecats_clock_reads_the_virtual_clock() -> None:
    async def main() -> int:
        clock = SystemClock()
        clock.start()
        await asyncio.sleep(7)
        return clock.get_time()

    assert run(main()) == 7_000_000_000


def test_other_threads_read_the_real_clock() -> None:
    async def main() -> float:
        await asyncio.sleep(1_000_000)
        return await asyncio.to_thread(time.time)

    before_s = time.time()
    assert before_s <= run(main(), timeout_s=2_000_000) <= time.time()


def test_the_clocks_are_put_back_after_the_run() -> None:
    before = (time.time, time.monotonic, time.perf_counter)

    async def fail() -> None:
        assert time.time is not before[0]
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011  # raised by the line above
        run(fail())
    assert (time.time, time.monotonic, time.perf_counter) == before


def test_the_clock_stands_still_while_a_job_of_an_executor_runs() -> None:
    async def main() -> float:
        loop = asyncio.get_running_loop()
        before_s = loop.time()
        ticker = asyncio.create_task(asyncio.sleep(0.001))
        await asyncio.to_thread(threading.Event().wait, 0.05)
        assert not ticker.done()
        await ticker
        return loop.time() - before_s

    assert run(main()) == pytest.approx(0.001)


def test_the_clock_stands_still_while_a_child_process_runs() -> None:
    async def main() -> tuple[bytes, float]:
        loop = asyncio.get_running_loop()
        before_s = loop.time()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", "print('said')", stdout=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(0.01):
            output, _ = await process.communicate()
        return output, loop.time() - before_s

    assert run(main()) == (b"said\n", 0)


def test_the_clock_jumps_again_after_a_child_process_ended_or_failed_to_start() -> None:
    async def main() -> None:
        process = await asyncio.create_subprocess_shell("exit 3")
        assert await process.wait() == 3
        with pytest.raises(FileNotFoundError):
            await asyncio.create_subprocess_exec("/nonexistent")
        await asyncio.sleep(3600)

    started_s = time.monotonic()
    run(main(), timeout_s=4000)
    assert time.monotonic() - started_s < 5


def test_under_an_old_hold_the_clock_runs_at_real_speed() -> None:
    async def main(loop: VirtualTimeLoop) -> float:
        with loop.hold():
            before_s = loop.time()
            await asyncio.sleep(0.05)
            return loop.time() - before_s

    with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(patience_s=0.02)) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, VirtualTimeLoop)
        started_s = time.monotonic()
        assert runner.run(main(loop)) == pytest.approx(0.05)
        assert time.monotonic() - started_s >= 0.07


def test_a_job_that_waits_for_the_loop_does_not_hang_the_run() -> None:
    async def main() -> None:
        asked = threading.Event()
        asyncio.get_running_loop().call_later(0.02, asked.set)
        await asyncio.to_thread(asked.wait)

    with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(patience_s=0.02)) as runner:
        runner.run(main())


def test_a_hold_released_twice_is_released_once() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        first, second = loop.hold(), loop.hold()
        first.release()
        first.release()
        second.release()
        await asyncio.sleep(3000)

    run(main())


def test_a_deadlock_raises_and_names_what_waits() -> None:
    async def wait_for_nothing() -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        await asyncio.create_task(wait_for_nothing(), name="waiter")

    with pytest.raises(VirtualTimeError, match=r"deadlock.*waiter at .*wait_for_nothing"):
        run_virtual(main())


def test_two_ends_that_wait_for_each_other_are_a_deadlock() -> None:
    async def main() -> None:
        async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await reader.read()
            finally:
                writer.close()

        async with await asyncio.start_server(listen, "127.0.0.1", 0) as server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            try:
                await reader.read(1)
            finally:
                writer.close()

    with pytest.raises(VirtualTimeError, match="deadlock"):
        run_virtual(main())


def test_a_run_that_never_ends_is_given_up_at_its_time_limit() -> None:
    async def main() -> None:
        for _ in range(100):
            await asyncio.sleep(1)

    with pytest.raises(VirtualTimeError, match="60 virtual seconds"):
        run_virtual(main(), timeout_s=60)


def test_the_test_runner_fails_on_a_task_left_pending() -> None:
    async def main() -> asyncio.Task[None]:
        return asyncio.create_task(asyncio.sleep(10), name="left-over")

    with pytest.raises(AssertionError, match="left-over"):
        run(main())


def test_the_test_runner_fails_on_an_exception_that_nobody_retrieved() -> None:
    async def fail() -> None:
        raise LookupError("lost")

    async def main() -> None:
        task = asyncio.create_task(fail())
        await asyncio.sleep(0.1)
        assert task.done()

    with pytest.raises(AssertionError, match="never retrieved") as failure:
        run(main())
    assert isinstance(failure.value.__cause__, LookupError)


def test_bytes_that_the_kernel_delivers_late_are_not_overtaken_by_a_timer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    deliveries: list[threading.Timer] = []

    def send_late(self: CountedSocket, data: Any, flags: int = 0) -> int:
        self._ledger.sent(self._outgoing, len(data))
        delivery = threading.Timer(0.02, socket.socket.send, (self, bytes(data)))
        deliveries.append(delivery)
        delivery.start()
        return len(data)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readexactly(4))
        await reader.read()
        writer.close()
        await writer.wait_closed()

    async def main() -> bytes:
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            async with asyncio.timeout(0.001):
                writer.write(b"late")
                echo = await reader.readexactly(4)
            writer.close()
            await writer.wait_closed()
        return echo

    monkeypatch.setattr(CountedSocket, "send", send_late)
    assert run(main()) == b"late"
    for delivery in deliveries:
        delivery.join()


def test_a_pool_of_ones_own_holds_the_clock_too() -> None:
    async def main() -> float:
        loop = asyncio.get_running_loop()
        before_s = loop.time()
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            async with asyncio.timeout(0.001):
                await loop.run_in_executor(pool, threading.Event().wait, 0.02)
        return loop.time() - before_s

    assert run(main()) == 0
