"""Let other people's clients hold a call with emulator processes, each in its own environment.

Usage: python -m tests.foreign.run FOLDER, which holds an environment for each of `CALLS`.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from crossfade.offline.tone_voice import ToneVoice
from tests.foreign.call_log import events, missing

HERE = Path(__file__).parent
TIMEOUT_S = 60
SESSION_S = 25
# What ends a turn by the services' defaults, and some more.
_SILENCE_S = 1.2


@dataclass(frozen=True, kw_only=True)
class Call:
    """One client and the emulator that it calls."""

    environment: str
    wire: str
    script: str
    arguments: tuple[str, ...] = ()
    rate_hz: int

    @property
    def name(self) -> str:
        return " ".join((self.script.removesuffix(".py"), *self.arguments))


CALLS: tuple[Call, ...] = (
    Call(environment="openai", wire="openai", script="openai_sdk.py", rate_hz=24_000),
    Call(environment="google-genai", wire="gemini", script="google_genai_sdk.py", rate_hz=16_000),
    Call(
        environment="pipecat",
        wire="openai",
        script="pipecat_service.py",
        arguments=("openai",),
        rate_hz=16_000,
    ),
    Call(
        environment="pipecat",
        wire="gemini",
        script="pipecat_service.py",
        arguments=("gemini",),
        rate_hz=16_000,
    ),
)


async def speech(rate_hz: int) -> bytes:
    """What every client says, between silences: no pause in it ends a turn."""
    spoken = await ToneVoice(rate_hz).render("tell me about it")
    return bytes(rate_hz // 2) + spoken.pcm + bytes(2 * round(rate_hz * _SILENCE_S))


async def hold(call: Call, environments: Path, folder: Path) -> str | None:
    """Let a client call; returns what went wrong."""
    logs = folder / f"{call.name}-log"
    spoken, certificate = folder / f"{call.rate_hz}.pcm", folder / f"{call.name}.pem"
    spoken.write_bytes(await speech(call.rate_hz))
    command = [sys.executable, "-m", f"crossfade.emulators.{call.wire}", "--port", "0"]
    command += ["--scenario", str(HERE / "call.yaml"), "--session-seconds", str(SESSION_S)]
    command += ["--log", str(logs), "--with-parent"]
    rest = []
    if call.wire == "gemini":
        command += ["--tls", "--certificate", str(certificate)]
        rest = [str(certificate)]
    pipe = asyncio.subprocess.PIPE
    emulator = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
    assert emulator.stdin is not None
    assert emulator.stdout is not None
    try:
        line = b""
        while not line.startswith(b"listening on "):
            line = await emulator.stdout.readline()
            if not line:
                return "the emulator did not start"
        url = line.decode().split()[-1]
        python = environments / call.environment / "bin" / "python"
        client: list[str | Path] = [python, HERE / call.script, *call.arguments, url, spoken, *rest]
        problem = await _outcome(client)
    finally:
        emulator.stdin.close()
        ended_with = await emulator.wait()
    if ended_with != 0:
        return f"the emulator ended with {ended_with}; {problem}"
    return problem or missing(call.wire, events(logs), SESSION_S)


async def _outcome(command: Sequence[str | Path]) -> str | None:
    """Run a client; returns what it has said if it fails."""
    with tempfile.TemporaryFile() as output:
        client = await asyncio.create_subprocess_exec(
            *command, stdout=output, stderr=asyncio.subprocess.STDOUT
        )
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await client.wait()
        except TimeoutError:
            client.kill()
            await client.wait()
        if client.returncode == 0:
            return None
        output.seek(0)
        return f"ended with {client.returncode}:\n{output.read().decode()}"


async def main(environments: Path) -> int:
    started_s = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        problems = await asyncio.gather(*(hold(call, environments, Path(folder)) for call in CALLS))
    for call, problem in zip(CALLS, problems, strict=True):
        sys.stdout.write(f"{call.name}: {problem or 'the whole call'}\n")
    sys.stdout.write(f"{time.monotonic() - started_s:.0f} s\n")
    return 1 if any(problems) else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(Path(sys.argv[1]))))
