"""Voice activity in the chain."""

from importlib.resources import as_file, files

from crossfade.audio.silero import SileroStream, shared_model
from crossfade.audio.sound_file import read_sound
from crossfade.audio.vad import VoiceDetector
from crossfade.frames.control import VADUserStartedSpeakingFrame, VADUserStoppedSpeakingFrame
from crossfade.processors.voice_activity import VoiceActivity
from tests.clock import run
from tests.processors.chain import running, settled


def test_speech_begins_once_ends_once_and_all_audio_passes_untouched() -> None:
    with as_file(files("crossfade.examples") / "audio" / "weather_tokyo.wav") as path:
        sound = read_sound(path)
    pcm = sound.pcm + bytes(32000)
    frames = [pcm[at : at + 640] for at in range(0, len(pcm), 640)]

    async def scenario() -> None:
        detector = VoiceDetector(SileroStream(shared_model()).score)
        async with running(VoiceActivity(rate_hz=16000, detector=detector)) as chain:
            started_after: int | None = None
            for number, frame in enumerate(frames):
                chain.hear(frame)
                await settled()
                if started_after is None and chain.last.frames(VADUserStartedSpeakingFrame):
                    started_after = number * 20
            assert started_after is not None
            assert started_after < 300
            assert len(chain.last.frames(VADUserStartedSpeakingFrame)) == 1
            assert len(chain.last.frames(VADUserStoppedSpeakingFrame)) == 1
            assert [f.audio for f in chain.last.audio] == frames

    run(scenario())


def test_audio_that_is_not_of_the_declared_format_is_refused_by_name() -> None:
    async def scenario() -> None:
        detector = VoiceDetector(lambda _: 0.0)
        activity = VoiceActivity(rate_hz=16000, detector=detector, name="hearing")
        async with running(activity) as chain:
            chain.hear(bytes(1920), rate_hz=24000, channels=2)
            await settled()
            assert "hearing takes 16000 Hz" in str(chain.errors[0].error)

    run(scenario())
