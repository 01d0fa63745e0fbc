"""An emulator in a thread of its own, for tests without an event loop."""

import asyncio
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from .server import Emulator

E = TypeVar("E", bound=Emulator[Any])


class EmulatorThread(Generic[E]):
    """Runs an emulator in the event loop of a thread, from entering to leaving.

    Args:
        make: Makes the emulator; called in the thread.

    Raises:
        SettingsError: On entering: it does not start.
        ExceptionGroup: On leaving: errors of the emulator itself that ended sessions.
    """

    def __init__(self, make: Callable[[], E]) -> None:
        self._make = make
        self._thread = threading.Thread(target=self._run, name="emulator", daemon=True)
        self._settled = threading.Event()
        self._failure: BaseException | None = None
        self._emulator: E | None = None

    @property
    def emulator(self) -> E:
        """The emulator, while it runs and after."""
        assert self._emulator is not None, "the emulator runs only inside its `with`"
        return self._emulator

    def __enter__(self) -> Self:
        self._thread.start()
        self._settled.wait()
        if self._emulator is None:
            self._thread.join()
            assert self._failure is not None
            raise self._failure
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        if self._failure is not None and error is None:
            raise self._failure

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self._failure = error
        finally:
            self._settled.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        async with self._make() as emulator:
            self._emulator = emulator
            self._settled.set()
            await self._stop.wait()
