"""livekit-agents' AgentSession as one side of the measured calls, without a room."""

import asyncio
import importlib
from typing import Any

from .call_script import MICROPHONE_HZ
from .call_side import Ear

_OUT_HZ = 24000


class LiveKitCaller:
    """One call of livekit's."""

    def __init__(self, session: Any, microphone: Any, http: Any) -> None:
        self._session = session
        self._microphone = microphone
        self._http = http
        self._rtc = importlib.import_module("livekit.rtc")

    async def speak(self, pcm: bytes) -> None:
        frame = self._rtc.AudioFrame(
            data=pcm,
            sample_rate=MICROPHONE_HZ,
            num_channels=1,
            samples_per_channel=len(pcm) // 2,
        )
        self._microphone.heard.put_nowait(frame)

    async def hang_up(self) -> None:
        await self._session.aclose()
        await self._http.close()


class LiveKit:
    """AgentSession with Silero and the plugin's realtime model; its output takes what comes.

    It packs the microphone into messages of 100 ms, as it always does.
    """

    def __init__(self) -> None:
        agents = importlib.import_module("livekit.agents")
        io = importlib.import_module("livekit.agents.voice.io")
        self._openai = importlib.import_module("livekit.plugins.openai")
        self._aiohttp = importlib.import_module("aiohttp")
        self._agents = agents
        silero = importlib.import_module("livekit.plugins.silero")
        self._vad = silero.VAD.load(sample_rate=MICROPHONE_HZ)

        class Microphone(io.AudioInput):  # type: ignore[misc, name-defined]
            def __init__(self) -> None:
                super().__init__(label="microphone")
                self.heard: asyncio.Queue[Any] = asyncio.Queue()

            async def __anext__(self) -> Any:
                return await self.heard.get()

        class Earpiece(io.AudioOutput):  # type: ignore[misc, name-defined]
            def __init__(self, ear: Ear) -> None:
                super().__init__(
                    label="earpiece",
                    capabilities=io.AudioOutputCapabilities(pause=False),
                    sample_rate=_OUT_HZ,
                )
                self._ear = ear
                self._played_s = 0.0
                self._open = False

            async def capture_frame(self, frame: Any) -> None:
                await super().capture_frame(frame)
                pcm = bytes(frame.data)
                self._ear.ready(pcm)
                self._ear.hear(pcm)
                self._open = True
                self._played_s += frame.duration

            def flush(self) -> None:
                super().flush()
                self._finish(interrupted=False)

            def clear_buffer(self) -> None:
                self._ear.interrupted()
                self._finish(interrupted=True)

            def _finish(self, *, interrupted: bool) -> None:
                played_s, self._played_s = self._played_s, 0.0
                if self._open:
                    self._open = False
                    self.on_playback_finished(playback_position=played_s, interrupted=interrupted)

        self._microphone = Microphone
        self._earpiece = Earpiece

    async def admit(self, url: str, ear: Ear) -> LiveKitCaller:
        http = self._aiohttp.ClientSession()
        model = self._openai.realtime.RealtimeModel(
            api_key="none", base_url=url.replace("ws:", "http:"), http_session=http
        )
        session = self._agents.AgentSession(llm=model, vad=self._vad)
        microphone = self._microphone()
        session.input.audio = microphone
        session.output.audio = self._earpiece(ear)
        await session.start(self._agents.Agent(instructions="Talk."))
        return LiveKitCaller(session, microphone, http)

    def dropped(self) -> int:
        """Its queues are unbounded."""
        return 0


__all__ = ["LiveKit"]
