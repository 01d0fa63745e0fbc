"""An output that plays to nobody, at the pace of sound."""

import asyncio

from pipecat.frames.frames import OutputAudioRawFrame, StartFrame
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import TransportParams

CHUNK_MS = 20


class PacedOutput(BaseOutputTransport):
    """Takes each chunk for as long as it sounds, as a telephone line or a loudspeaker would.

    Written counts as played; the error bound is one chunk of 20 ms.

    Args:
        rate_hz: Rate of the audio, mono.
    """

    def __init__(self, *, rate_hz: int) -> None:
        super().__init__(
            TransportParams(
                audio_out_enabled=True,
                audio_out_sample_rate=rate_hz,
                audio_out_10ms_chunks=CHUNK_MS // 10,
                audio_out_end_silence_secs=0,
            )
        )
        self._sounding_until_s = 0.0

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def write_audio_frame(self, frame: OutputAudioRawFrame) -> bool:
        loop = asyncio.get_running_loop()
        # A wake-up that is a little late must not add up: the line's own clock goes on.
        late = loop.time() > self._sounding_until_s + CHUNK_MS / 1000
        begin_s = loop.time() if late else self._sounding_until_s
        self._sounding_until_s = begin_s + frame.num_frames / frame.sample_rate
        await asyncio.sleep(self._sounding_until_s - loop.time())
        return True
