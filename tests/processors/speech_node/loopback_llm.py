"""A server with the interface of OpenAI's Chat Completions that says one line after another."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

from .fakes import Calls, Line


class LoopbackLLM:
    """Keeps what it is asked, and streams its lines word by word.

    Args:
        lines: What it says and calls.
        word_s: Time between two words.
        stalls_after: Of its first line it says so many words, and then nothing more.
    """

    def __init__(
        self, lines: Sequence[Line], word_s: float = 0.02, stalls_after: int | None = None
    ) -> None:
        self._lines = list(lines)
        self._word_s = word_s
        self._stalls_after = stalls_after
        self.asked: list[dict[str, Any]] = []
        self.url = ""
        self._serving: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator["LoopbackLLM"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()[:2]
        self.url = f"http://{host}:{port}/v1"
        try:
            yield self
        finally:
            server.close()
            for task in self._serving:
                task.cancel()
            await asyncio.gather(*self._serving, return_exceptions=True)
            await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            fields = head.decode().lower().split("\r\n")
            length = next(int(f.split(":")[1]) for f in fields if f.startswith("content-length"))
            self.asked.append(json.loads(await reader.readexactly(length)))
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
            )
            line = self._lines.pop(0) if self._lines else "Well."
            async for event in self._events(line):
                writer.write(b"data: " + json.dumps(event).encode() + b"\n\n")
                await writer.drain()
            writer.write(b"data: [DONE]\n\n")
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            # The stream's own callback reports a task that ends as cancelled.
            pass
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _events(self, line: Line) -> AsyncIterator[dict[str, Any]]:
        if isinstance(line, Calls):
            for index, (name, arguments) in enumerate(line.calls):
                function = {"name": name, "arguments": json.dumps(arguments)}
                call = {
                    "index": index,
                    "id": f"call_{len(self.asked)}_{index}",
                    "type": "function",
                    "function": function,
                }
                yield _chunk({"tool_calls": [call]})
        else:
            stalls_after = self._stalls_after if len(self.asked) == 1 else None
            for number, word in enumerate(line.split(" ")):
                if number == stalls_after:
                    await asyncio.Event().wait()
                await asyncio.sleep(self._word_s)
                yield _chunk({"content": f"{word} "})
        usage = {"prompt_tokens": 20, "completion_tokens": 5, "total_tokens": 25}
        yield {**_chunk({}), "choices": [], "usage": usage}


def _chunk(delta: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": "chunk",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "loopback",
        "choices": [{"index": 0, "delta": delta, "finish_reason": None}],
    }
