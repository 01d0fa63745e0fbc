"""Audio of an item comes out in whole samples, whatever its pieces."""

from hypothesis import given
from hypothesis import strategies as st

from crossfade.providers.openai_items import Item, Items


@given(st.lists(st.binary(max_size=9)))
def test_pieces_are_joined_to_whole_samples(pieces: list[bytes]) -> None:
    item = Item()
    given_out = [item.whole_samples(piece) for piece in pieces]
    everything = b"".join(pieces)
    assert b"".join(given_out) == everything[: len(everything) // 2 * 2]
    assert all(len(pcm) % 2 == 0 for pcm in given_out)
    assert item.received_bytes == len(everything) // 2 * 2


def test_received_audio_is_counted_in_milliseconds() -> None:
    assert Item(received_bytes=48).received_ms(24000) == 1.0


def test_the_oldest_items_are_forgotten() -> None:
    items = Items()
    for number in range(257):
        items.get_or_add(f"i{number}", injected=False)
    assert items.get("i0") is None
    assert items.get("i1") is not None
