"""The state between the node and the caller's ear."""

from hypothesis import given
from hypothesis import strategies as st
from pipecat.frames.frames import TTSStoppedFrame

from crossfade.frames.audio import SpeechOrigin
from crossfade.processors.playout import Playout

RATE_HZ = 8000
CHUNK = 320


def origin(item_id: str, response_id: str = "r") -> SpeechOrigin:
    return SpeechOrigin(item_id=item_id, response_id=response_id)


def test_speech_comes_out_in_whole_chunks_in_order() -> None:
    playout = Playout(rate_hz=RATE_HZ)
    playout.add(origin("a"), b"\1\0" * 100)
    assert playout.take() is None
    playout.add(origin("a"), b"\2\0" * 100)
    assert playout.take() == b"\1\0" * 100 + b"\2\0" * 60
    assert playout.take() is None


def test_the_last_chunk_before_a_mark_is_filled_with_silence_that_counts_for_nothing() -> None:
    playout = Playout(rate_hz=RATE_HZ)
    mark = TTSStoppedFrame(context_id="r")
    playout.add(origin("a"), b"\1\0" * 40)
    playout.add_mark(mark)
    assert playout.take() == b"\1\0" * 40 + bytes(240)
    assert playout.take() is mark
    playout.played(CHUNK)
    (item,) = playout.finish("r")
    assert item.played_ms == item.received_ms == 5.0


def test_a_cut_tells_each_item_how_far_it_was_played() -> None:
    playout = Playout(rate_hz=RATE_HZ)
    playout.add(origin("a"), bytes(CHUNK))
    playout.add(origin("b"), bytes(3 * CHUNK))
    playout.take()
    playout.take()
    playout.played(CHUNK + CHUNK // 2)
    playout.clear()
    cut = {item.origin.item_id: (item.played_ms, item.received_ms) for item in playout.cut()}
    assert cut == {"a": (20.0, 20.0), "b": (10.0, 60.0)}
    assert playout.cut() == ()


def test_a_chunk_that_was_being_written_when_the_cut_came_is_never_taken_for_the_next_answer() -> (
    None
):
    playout = Playout(rate_hz=RATE_HZ)
    playout.add(origin("old"), bytes(2 * CHUNK))
    playout.take()
    playout.clear()
    playout.cut()
    playout.add(origin("new", "r2"), bytes(2 * CHUNK))
    playout.played(CHUNK)
    playout.take()
    playout.played(CHUNK)
    (item,) = playout.finish("r2")
    assert item.played_ms == 20.0


def test_speech_beyond_the_bound_is_refused() -> None:
    playout = Playout(rate_hz=RATE_HZ, limit_s=1)
    assert playout.add(origin("a"), bytes(2 * RATE_HZ))
    assert not playout.add(origin("a"), bytes(2))
    assert playout.waiting_ms == 1000


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("add"), st.sampled_from("abc"), st.integers(1, 900)),
            st.tuples(st.just("mark"), st.sampled_from("abc"), st.just(0)),
            st.tuples(st.just("take"), st.just(""), st.integers(1, 5)),
            st.tuples(st.just("clear"), st.just(""), st.just(0)),
        ),
        max_size=60,
    )
)
def test_no_item_is_ever_played_beyond_what_came_and_no_sample_is_lost_or_doubled(
    steps: list[tuple[str, str, int]],
) -> None:
    playout = Playout(rate_hz=RATE_HZ)
    expected, heard = bytearray(), bytearray()
    for number, (step, item, amount) in enumerate(steps):
        match step:
            case "add":
                pcm = bytes([number % 255 + 1, 1]) * amount
                playout.add(origin(f"{item}{number}", item), pcm)
                expected += pcm
            case "mark":
                playout.add_mark(TTSStoppedFrame(context_id=item))
            case "take":
                for _ in range(amount):
                    chunk = playout.take()
                    if isinstance(chunk, bytes):
                        assert len(chunk) == CHUNK
                        heard += chunk.rstrip(b"\0")
                        playout.played(len(chunk))
            case _:
                assert expected.startswith(heard)
                expected, heard = bytearray(), bytearray()
                playout.clear()
                for item_cut in playout.cut():
                    assert 0 <= item_cut.played_ms <= item_cut.received_ms
    assert expected.startswith(heard)
    playout.add_mark(TTSStoppedFrame())
    while chunk := playout.take():
        if isinstance(chunk, bytes):
            heard += chunk.rstrip(b"\0")
    assert heard == expected
