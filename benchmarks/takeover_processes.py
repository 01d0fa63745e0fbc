"""Servers of calls as child processes, to be killed."""

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from crossfade.errors import SettingsError
from crossfade.pipelines.serve_settings import SECRET_VARIABLE
from crossfade.transports.websocket_token import fresh_secret

_START_S = 30.0
_END_S = 20.0
_SECRET = fresh_secret()


class ServerProcess:
    """`crossfade serve` as a child process.

    Args:
        base_url: The provider's endpoint.
        store: URL of the store of calls.
        runs: Where the calls' folders go.
        options: More of the command's options.
    """

    def __init__(self, base_url: str, store: str, runs: Path, *options: str) -> None:
        self._arguments = [
            *(sys.executable, "-m", "crossfade", "serve", "--port", "0"),
            *("--base-url", base_url, "--store", store, "--runs", str(runs)),
            *options,
        ]
        self._process: subprocess.Popen[str] | None = None
        self.url = ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()

    def start(self) -> None:
        """Start it if it does not run, and wait until it listens.

        Raises:
            SettingsError: It does not.
        """
        if self._process is not None:
            return
        environment = {"OPENAI_API_KEY": "emulated", SECRET_VARIABLE: _SECRET}
        self._process = subprocess.Popen(
            self._arguments,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )
        assert self._process.stdout is not None
        overdue = threading.Timer(_START_S, self._process.kill)
        overdue.start()
        try:
            for line in self._process.stdout:
                if line.startswith("listening on "):
                    self.url = line.split()[2]
                    return
        finally:
            overdue.cancel()
            overdue.join()
        self.kill()
        raise SettingsError("a server did not start; run crossfade serve to see why")

    def strike(self) -> None:
        """Send SIGKILL, and wait for nothing; `kill` then waits until it is gone."""
        assert self._process is not None, "start it first"
        self._process.kill()

    def kill(self) -> None:
        """End it as a crash does (SIGKILL), and wait until it is gone."""
        self._end(lambda process: process.kill())

    def terminate(self) -> int:
        """End it as a redeployment does (SIGTERM); gives its exit code."""
        return self._end(lambda process: process.terminate())

    def _end(self, end: Callable[[subprocess.Popen[str]], None]) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        assert process.stdout is not None
        with contextlib.suppress(ProcessLookupError):
            end(process)
        try:
            return process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()
        finally:
            process.stdout.close()


__all__ = ["ServerProcess"]
