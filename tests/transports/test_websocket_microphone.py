"""What a client keeps of its microphone: every sample once, in order, or counted as lost."""

from hypothesis import given
from hypothesis import strategies as st

from crossfade.audio.pcm import SAMPLE_BYTES
from crossfade.transports.websocket_microphone import MicrophoneBuffer

RATE_HZ = 1000
KEEP_S = 0.05

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(1, 40)),
        st.tuples(st.just("take"), st.integers(1, 60)),
        st.tuples(st.just("again"), st.integers(0, 40)),
    )
)


@given(STEPS)
def test_a_receiver_gets_every_sample_that_is_not_counted_as_lost(
    steps: list[tuple[str, int]],
) -> None:
    buffer = MicrophoneBuffer(rate_hz=RATE_HZ, keep_s=KEEP_S)
    spoken = bytearray()
    received: dict[int, bytes] = {}
    for step, count in steps:
        match step:
            case "add":
                start = len(spoken) // SAMPLE_BYTES
                pcm = b"".join((start + n).to_bytes(2, "little") for n in range(count))
                spoken += pcm
                buffer.add(pcm)
            case "take":
                at = buffer.sent_to
                pcm = buffer.take(count * SAMPLE_BYTES)
                for n in range(len(pcm) // SAMPLE_BYTES):
                    received[at + n] = pcm[n * SAMPLE_BYTES : (n + 1) * SAMPLE_BYTES]
            case "again":
                # The next server has all but the latest of what was sent.
                known = max(0, buffer.sent_to - count)
                assert buffer.send_again_from(known) >= known
        assert buffer.end_sample == len(spoken) // SAMPLE_BYTES
        assert buffer.end_sample - buffer.start_sample <= RATE_HZ * KEEP_S
        assert buffer.start_sample <= buffer.sent_to <= buffer.end_sample
    while buffer.take(1000):
        pass
    assert buffer.waiting_ms == 0
    for number, sample in received.items():
        assert spoken[number * SAMPLE_BYTES :][:SAMPLE_BYTES] == sample


def test_what_was_never_sent_is_counted_when_it_is_dropped() -> None:
    buffer = MicrophoneBuffer(rate_hz=RATE_HZ, keep_s=KEEP_S)
    buffer.add(bytes(2 * 30))
    assert len(buffer.take(2 * 20)) == 40
    buffer.add(bytes(2 * 50))
    assert buffer.lost_samples == 10
    assert buffer.send_again_from(0) == 30
