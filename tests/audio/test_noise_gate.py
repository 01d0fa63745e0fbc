"""What is no louder than silence was is not scored."""

from hypothesis import given
from hypothesis import strategies as st

from crossfade.audio.noise_gate import CLEAR_WINDOWS, KEPT_WINDOWS, LOUDER, NoiseGate
from crossfade.audio.vad import WINDOW_SAMPLES

NOISE = 1e-4 * WINDOW_SAMPLES
"""-40 dBFS."""


def closed(energy: float = NOISE) -> NoiseGate:
    """A gate behind which the model found nothing for long enough."""
    gate = NoiseGate()
    for number in range(CLEAR_WINDOWS):
        assert gate.passes(b"", energy, speaking=False), number
        gate.judged(0.01, energy)
    return gate


def test_it_closes_where_the_model_finds_nothing_and_opens_at_what_is_louder() -> None:
    gate = closed()
    assert not gate.passes(b"", NOISE * LOUDER * 0.99, speaking=False)
    assert gate.passes(b"", NOISE * LOUDER * 1.2, speaking=False)
    gate.judged(0.9, NOISE * 100)
    # Open it stays until there was silence for as long again.
    for _ in range(CLEAR_WINDOWS):
        assert gate.passes(b"", NOISE, speaking=False)
        gate.judged(0.01, NOISE)
    assert not gate.passes(b"", NOISE, speaking=False)


def test_speech_is_heard_to_its_end_however_soft() -> None:
    assert closed().passes(b"", 0.0, speaking=True)


def test_what_may_be_speech_keeps_it_open_however_long() -> None:
    gate = NoiseGate()
    for _ in range(20 * CLEAR_WINDOWS):
        assert gate.passes(b"", NOISE, speaking=False)
        gate.judged(0.2, NOISE)


def test_noise_that_swells_slowly_is_followed_and_a_softer_room_too() -> None:
    gate = closed()
    energy = NOISE
    for _ in range(200):
        energy *= 1.02
        assert not gate.passes(b"", energy, speaking=False)
    for _ in range(200):
        assert not gate.passes(b"", NOISE / 100, speaking=False)
    assert gate.passes(b"", NOISE / 10, speaking=False)


@given(after=st.integers(1, 10), noise_db=st.floats(10, 60))
def test_a_voice_softer_than_a_noise_that_just_ended_is_heard(after: int, noise_db: float) -> None:
    gate = closed(NOISE * 10 ** (noise_db / 10))
    for _ in range(after):
        assert not gate.passes(b"", NOISE, speaking=False)
    assert gate.passes(b"", NOISE * LOUDER * 1.2, speaking=False)


def test_digital_silence_is_left_at_what_could_be_speech_only() -> None:
    gate = closed(0.0)
    assert not gate.passes(b"", 1e-7 * WINDOW_SAMPLES, speaking=False)
    assert gate.passes(b"", 1e-5 * WINDOW_SAMPLES, speaking=False)


@given(quiet=st.integers(0, 3 * KEPT_WINDOWS))
def test_the_last_windows_that_did_not_pass_are_kept_and_given_once(quiet: int) -> None:
    gate = closed()
    windows = [bytes([number]) for number in range(quiet)]
    for window in windows:
        assert not gate.passes(window, NOISE, speaking=False)
    assert gate.passes(b"loud", NOISE * 10, speaking=False)
    assert list(gate.take_kept()) == windows[-KEPT_WINDOWS:]
    assert not gate.take_kept()
