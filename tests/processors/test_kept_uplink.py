"""What the user says is kept from where the oldest unanswered turn begins."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from crossfade.frames.audio import InputAudioRawFrame
from crossfade.frames.control import Frame, UserStartedSpeakingFrame, UserStoppedSpeakingFrame
from crossfade.processors.kept_uplink import PIECE_MS, KeptUplink

RATE_HZ = 1000
"""One sample a millisecond."""


def sound(value: int, length_ms: int = 20) -> InputAudioRawFrame:
    pcm = value.to_bytes(2, "little") * length_ms
    return InputAudioRawFrame(audio=pcm, sample_rate=RATE_HZ, num_channels=1)


def uplink(keep_s: float = 1.0, preroll_ms: float = 60) -> KeptUplink:
    return KeptUplink(RATE_HZ, keep_s=keep_s, preroll_ms=preroll_ms)


def pcm_of(frames: Sequence[Frame]) -> bytes:
    return b"".join(f.audio for f in frames if isinstance(f, InputAudioRawFrame))


def test_while_nobody_speaks_only_the_newest_is_kept() -> None:
    kept = uplink()
    for value in range(10):
        kept.hear(sound(value))
    assert kept.sound_since(kept.start) == b"".join(sound(v).audio for v in (7, 8, 9))
    assert kept.lost_ms == 0


def test_from_the_beginning_of_a_turn_on_everything_is_kept_in_order() -> None:
    kept = uplink()
    for value in range(5):
        kept.hear(sound(value))
    at = kept.begin()
    begin, end = UserStartedSpeakingFrame(), UserStoppedSpeakingFrame()
    kept.mark(begin)
    for value in range(5, 20):
        kept.hear(sound(value))
    kept.mark(end)
    frames = list(kept.since(at))
    assert [f for f in frames if not isinstance(f, InputAudioRawFrame)] == [begin, end]
    assert isinstance(frames[0], InputAudioRawFrame)
    assert frames[1] is begin
    assert pcm_of(frames) == b"".join(sound(v).audio for v in range(2, 20))
    assert all(len(f.audio) <= 2 * PIECE_MS for f in frames if isinstance(f, InputAudioRawFrame))


def test_a_second_turn_begins_behind_the_end_of_the_first() -> None:
    kept = uplink()
    first = kept.begin()
    kept.hear(sound(1))
    kept.mark(UserStoppedSpeakingFrame())
    kept.hear(sound(2))
    second = kept.begin()
    kept.hear(sound(3))
    assert kept.sound_since(second) == sound(2).audio + sound(3).audio
    kept.release(second)
    assert kept.sound_since(first) == sound(2).audio + sound(3).audio
    kept.release(None)
    assert kept.start > first


def test_beyond_its_length_the_oldest_is_lost_and_counted() -> None:
    kept = uplink(keep_s=0.1)
    at = kept.begin()
    for value in range(8):
        kept.hear(sound(value))
    assert kept.sound_since(at) == b"".join(sound(v).audio for v in range(3, 8))
    assert kept.lost_ms == 60


@given(st.lists(st.sampled_from(["hear", "begin", "mark", "release", "forget"]), max_size=60))
def test_what_is_kept_is_bounded_and_in_order(steps: list[str]) -> None:
    kept, number, positions = uplink(keep_s=0.2), 0, [0]
    for step in steps:
        match step:
            case "hear":
                number += 1
                kept.hear(sound(number))
            case "begin":
                positions.append(kept.begin())
            case "mark":
                kept.mark(UserStoppedSpeakingFrame())
            case "release":
                kept.release(positions[-1])
            case "forget":
                kept.release(None)
        pcm = kept.sound_since(0)
        assert len(pcm) <= 2 * 200 + len(sound(0).audio)
        assert pcm == b"".join(
            sound(v).audio for v in range(number - len(pcm) // 40 + 1, number + 1)
        )
        assert kept.start <= kept.end
