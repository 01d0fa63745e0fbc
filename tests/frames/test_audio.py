"""Frames of sound have all that pipecat's have, once somebody asks."""

import copy

from crossfade.frames.audio import CallerAudioFrame, SpeechFrame, SpeechOrigin, TTSStoppedFrame


def test_a_piece_of_sound_is_numbered_and_named_when_somebody_asks() -> None:
    origin = SpeechOrigin(item_id="item", response_id="response")
    speech = SpeechFrame(audio=bytes(960), sample_rate=24000, num_channels=1, origin=origin)
    caller = CallerAudioFrame(audio=bytes(640), sample_rate=16000, num_channels=1)
    assert (speech.num_frames, caller.num_frames) == (480, 320)
    later = TTSStoppedFrame()
    assert len({speech.id, caller.id, later.id}) == 3
    assert speech.id == speech.id
    assert speech.name.startswith("SpeechFrame#")
    assert caller.name in str(caller)
    assert copy.copy(speech).name == speech.name


def test_what_is_noted_on_one_is_not_on_another() -> None:
    first, second = (
        CallerAudioFrame(audio=bytes(2), sample_rate=16000, num_channels=1) for _ in range(2)
    )
    first.metadata["seen"] = True
    first.pts = 20
    first.transport_source = "line"
    assert (second.metadata, second.pts, second.transport_source) == ({}, None, None)
    assert first.metadata == {"seen": True}
