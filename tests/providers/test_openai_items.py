"""Audio of an item comes out in whole samples, whatever its pieces."""

from hypothesis import given
from hypothesis import strategies as st

from crossfade.providers.config import Encoding
from crossfade.providers.openai_items import Item, Items
from crossfade.providers.openai_profiles import OPENAI
from crossfade.providers.sound_format import sound_format


@given(st.lists(st.binary(max_size=9)), st.sampled_from([1, 2]))
def test_pieces_are_joined_to_whole_samples(pieces: list[bytes], sample_bytes: int) -> None:
    item = Item()
    given_out = [item.whole_samples(piece, sample_bytes) for piece in pieces]
    everything = b"".join(pieces)
    whole_bytes = len(everything) // sample_bytes * sample_bytes
    assert b"".join(given_out) == everything[:whole_bytes]
    assert all(len(pcm) % sample_bytes == 0 for pcm in given_out)
    assert item.received_bytes == whole_bytes


def test_the_oldest_items_are_forgotten() -> None:
    items = Items(sound_format(Encoding.PCM, OPENAI.fallback))
    for number in range(257):
        items.get_or_add(f"i{number}", injected=False)
    assert items.get("i0") is None
    assert items.get("i1") is not None
