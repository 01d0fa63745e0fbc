"""pipecat's SmallWebRTC transport, whose writes come to an end when their connection does."""

import asyncio

from pipecat.frames.frames import OutputAudioRawFrame
from pipecat.transports.smallwebrtc.transport import (
    SmallWebRTCOutputTransport,
    SmallWebRTCTransport,
)

WRITE_S = 2.0
"""A chunk of 20 ms that nobody takes for so long counts as lost."""


class PatientOutput(SmallWebRTCOutputTransport):
    """A write waits until the track was asked for it, which one that ended never is; pipecat would
    give up the whole call with it."""

    _writing: asyncio.Timeout | None = None

    async def write_audio_frame(self, frame: OutputAudioRawFrame) -> bool:
        """Whether it was sent."""
        self._writing = asyncio.timeout(WRITE_S)
        try:
            async with self._writing:
                return await super().write_audio_frame(frame)
        except TimeoutError:
            return False
        finally:
            self._writing = None

    def forget(self) -> None:
        """What is being written will not be asked for any more."""
        if self._writing is not None:
            self._writing.reschedule(asyncio.get_running_loop().time())


class StockTransport(SmallWebRTCTransport):
    """The same with that output."""

    def output(self) -> PatientOutput:
        if not isinstance(self._output, PatientOutput):
            self._output = PatientOutput(self._client, self._params, name=self._output_name)
        return self._output


__all__ = ["WRITE_S", "PatientOutput", "StockTransport"]
