"""A server of several processes, from its start to its end: what it is told by signals."""

import asyncio
import secrets
import signal
import socket
import sys
from collections.abc import Callable

from crossfade.errors import CrossfadeError, SettingsError

from .http_server import listener
from .serve_addresses import addresses
from .serve_settings import ServeSettings, server_access, token_signer
from .serve_workers import Spawn, Supervisor, spawn_worker


async def run_with_workers(
    settings: ServeSettings,
    *,
    announce: Callable[[str], None],
    stop: Callable[[], "asyncio.Future[None]"],
    show: Callable[[str], object] | None = None,
    own_process: bool = True,
) -> None:
    """Serve as `run_server` does, with processes that are started here and take the calls.

    Raises:
        CrossfadeError: The server cannot begin.
    """
    secret = secrets.token_hex(32)
    # What every worker would find wrong is told once.
    server_access(settings, secret)
    token_signer(settings.store)
    with listener(settings.host, settings.port) as found:
        page, lines = addresses(settings, int(found.getsockname()[1]))

        def listening() -> None:
            announce(f"{settings.workers} workers")
            for line in lines:
                announce(line)
            if show is not None:
                show(page)

        await run_workers(
            settings, found, secret=secret, announce=announce, stop=stop, listening=listening
        )


async def run_workers(
    settings: ServeSettings,
    listener: socket.socket,
    *,
    secret: str,
    announce: Callable[[str], None],
    stop: Callable[[], "asyncio.Future[None]"],
    listening: Callable[[], None] = lambda: None,
    spawn: Spawn = spawn_worker,
) -> None:
    """Serve with several workers until told to stop. SIGHUP replaces them one by one.

    Args:
        settings: The server's.
        listener: Accepts its connections.
        secret: What the workers share besides, for tickets.
        announce: Told in one line each what happens.
        stop: Called on the running loop; what it gives is waited for.
        listening: Called when connections are accepted.
        spawn: Starts a worker.

    Raises:
        CrossfadeError: The workers cannot begin.
    """
    if not hasattr(socket, "SOCK_SEQPACKET") or sys.platform != "linux":
        raise SettingsError("several workers need Linux; give --workers 1")
    if settings.store is None:
        raise SettingsError(
            "workers hand calls to each other by the store; give --store, or --workers 1"
        )
    stopped, loop = stop(), asyncio.get_running_loop()
    supervisor = Supervisor(settings, listener, secret=secret, announce=announce, spawn=spawn)
    restarting: set[asyncio.Task[None]] = set()

    async def restart() -> None:
        announce("replacing the workers")
        try:
            await supervisor.restart()
        except CrossfadeError as error:
            announce(f"the workers stay, because a new one cannot begin: {error}")
        else:
            announce("the workers are replaced")

    def hang_up() -> None:
        if not restarting:
            task = asyncio.create_task(restart(), name="replacing the workers")
            restarting.add(task)
            task.add_done_callback(restarting.discard)

    try:
        # Those that are just beginning need not be replaced.
        loop.add_signal_handler(signal.SIGHUP, lambda: None)
        await supervisor.start()
        listening()
        loop.add_signal_handler(signal.SIGHUP, hang_up)
        await stopped
        announce("handing over all calls")
        for task in restarting:
            task.cancel()
        await supervisor.drain()
    finally:
        loop.remove_signal_handler(signal.SIGHUP)
        for task in restarting:
            task.cancel()
        await supervisor.kill()


__all__ = ["run_with_workers", "run_workers"]
