"""flite's voice, where the system has it."""

import asyncio
import ctypes
import struct

import pytest

from crossfade.audio.energy import rms_dbfs
from crossfade.audio.pcm import duration_ms
from crossfade.errors import SettingsError
from crossfade.offline.flite_voice import FliteVoice
from crossfade.offline.flite_worker import audible

pytestmark = pytest.mark.realtime


def installed() -> bool:
    try:
        ctypes.CDLL("libflite_cmu_us_slt.so.1")
    except OSError:
        return False
    return True


needs_flite = pytest.mark.skipif(not installed(), reason="the system has no flite")


def test_the_silence_before_the_voice_is_left_out() -> None:
    soft, loud = struct.pack("<h", 3), struct.pack("<h", -4000)
    assert audible(soft * 500) == b""
    assert audible(soft * 500 + loud * 2) == soft * 160 + loud * 2
    assert audible(loud + soft) == loud + soft


@pytest.mark.skipif(installed(), reason="the system has flite")
def test_a_system_without_flite_is_told_so() -> None:
    async def main() -> None:
        with pytest.raises(SettingsError, match="flite"):
            async with FliteVoice():
                pass

    asyncio.run(main())


@needs_flite
def test_it_streams_what_it_says_and_a_speaker_who_leaves_disturbs_nobody() -> None:
    async def main() -> None:
        async with FliteVoice() as voice:
            speech = voice.speak("This is left early, after its first sound.")
            first = await anext(speech)
            await speech.aclose()  # type: ignore[attr-defined]
            assert 0 < duration_ms(first, voice.rate_hz) < 100
            pcm = b"".join([chunk async for chunk in voice.speak("Hello there. How are you?")])
        assert 1000 < duration_ms(pcm, voice.rate_hz) < 3500
        assert rms_dbfs(pcm) > -35

    asyncio.run(main())
