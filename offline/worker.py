"""A child process that answers messages: started, asked, replaced when it dies, ended."""

import asyncio
import sys
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

from crossfade.errors import ProviderFault

from .framing import Message, pack, receive

_CLOSE_TIMEOUT_S = 2.0
_LAST_LINES = 5


class WorkerDied(ProviderFault):
    """The process ended before it answered."""


class Worker:
    """Runs `python -m module` and asks it things; it is started when first asked.

    Args:
        module: A program built on `framing.serve`.
        name: What errors call it.
    """

    def __init__(self, module: str, name: str) -> None:
        self._module = module
        self._name = name
        self._child: _Child | None = None
        self._starting = asyncio.Lock()
        self.setup: Sequence[Message] = ()
        """Asked of each new process before anything else."""

    async def ask(self, message: Message) -> Message:
        """Send a message and wait for its answer. A cancelled call leaves the worker usable.

        Raises:
            WorkerDied: The process ended before it answered; the next call starts another.
            ProviderFault: It answered with an error.
        """
        async with self._starting:
            if self._child is None or self._child.dead:
                await self._start()
        assert self._child is not None
        return await self._child.ask(message)

    async def ask_again(self, message: Message) -> Message:
        """`ask`, and if the process dies of it, ask another one once.

        Raises:
            WorkerDied: That one died as well.
            ProviderFault: The answer was an error.
        """
        try:
            return await self.ask(message)
        except WorkerDied:
            return await self.ask(message)

    def tell(self, message: Message) -> None:
        """Send a message to the running process, if there is one, and ignore its answer."""
        if self._child and not self._child.dead:
            self._child.send(message).cancel()

    async def close(self) -> None:
        """End the process; a later `ask` would start another."""
        child, self._child = self._child, None
        if child:
            await child.close()

    async def _start(self) -> None:
        await self.close()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # a file in the caller's folder must not stand in for a library
            "-m",
            self._module,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        child = _Child(process, self._name)
        try:
            for message in self.setup:
                await child.ask(message)
        except BaseException:
            await child.close()
            raise
        self._child = child


class _Child:
    """One life of a worker."""

    def __init__(self, process: asyncio.subprocess.Process, name: str) -> None:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        self._process = process
        self._name = name
        self._stdin = process.stdin
        # One entry for each message that is not answered yet; answers come in order.
        self._asked: deque[asyncio.Future[Message]] = deque()
        self._last_lines: deque[str] = deque(maxlen=_LAST_LINES)
        self._complaining = asyncio.create_task(self._complaints(process.stderr))
        self._answering = asyncio.create_task(self._answers(process.stdout))

    @property
    def dead(self) -> bool:
        return self._answering.done()

    def send(self, message: Message) -> asyncio.Future[Message]:
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._asked.append(answer)
        self._stdin.write(pack(message))
        return answer

    async def ask(self, message: Message) -> Message:
        answer = self.send(message)
        with suppress(ConnectionError):  # the answer then fails as well, and says more
            await self._stdin.drain()
        reply = await answer
        if "error" in reply.head:
            raise ProviderFault(f"{self._name} failed: {reply.head['error']}")
        return reply

    async def close(self) -> None:
        self._stdin.close()
        try:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), _CLOSE_TIMEOUT_S)
        finally:
            if self._process.returncode is None:
                self._process.kill()
        await asyncio.gather(self._answering, self._complaining)

    async def _answers(self, pipe: asyncio.StreamReader) -> None:
        while reply := await receive(pipe):
            answer = self._asked.popleft()
            if not answer.done():
                answer.set_result(reply)
        await self._complaining
        code = await self._process.wait()
        said = " | ".join(self._last_lines)
        for answer in self._asked:
            if not answer.done():
                answer.set_exception(
                    WorkerDied(
                        f"{self._name}'s process ended with code {code}"
                        + (f": {said}" if said else "; try again")
                    )
                )
                # Whoever asked may be gone: that is no error nobody was told of.
                answer.exception()
        self._asked.clear()

    async def _complaints(self, pipe: asyncio.StreamReader) -> None:
        while line := await pipe.readline():
            self._last_lines.append(line.decode(errors="replace").strip())
