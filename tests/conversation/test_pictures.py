"""What the user showed, while there is room for it."""

import hashlib

from crossfade.conversation.history import Picture
from crossfade.conversation.ledger import Conversation
from crossfade.conversation.pictures import MOST_BYTES, MOST_PICTURES, Pictures
from crossfade.conversation.turns import UserImage


def picture(size_bytes: int) -> Picture:
    return Picture(data=bytes(size_bytes), media_type="image/jpeg")


def test_the_newest_are_kept() -> None:
    pictures = Pictures()
    for number in range(MOST_PICTURES + 1):
        pictures.keep(str(number), picture(10))
    assert pictures.get("0") is None
    assert pictures.get("1") is not None
    assert pictures.size_bytes == 10 * MOST_PICTURES


def test_they_are_no_larger_together_than_there_is_room() -> None:
    pictures = Pictures()
    pictures.keep("first", picture(MOST_BYTES // 2))
    pictures.keep("second", picture(MOST_BYTES))
    pictures.keep("third", picture(MOST_BYTES + 1))
    assert pictures.get("first") is None
    assert pictures.get("third") is None
    assert pictures.size_bytes == MOST_BYTES


def test_the_ledger_holds_a_picture_by_reference_and_tells_it_while_it_is_there() -> None:
    conversation = Conversation()
    image_id = conversation.user_image(b"picture", "image/png", 1.0)
    (entry,) = conversation.entries
    digest = hashlib.sha256(b"picture").hexdigest()
    assert isinstance(entry, UserImage)
    assert (entry.image_id, entry.size_bytes, entry.sha256) == (image_id, 7, digest)
    kept = Picture(data=b"picture", media_type="image/png")
    assert conversation.history() == (kept,)
    assert conversation.to_dict()["turns"] == [
        {
            "role": "image",
            "id": image_id,
            "media_type": "image/png",
            "sha256": digest,
            "size_bytes": 7,
            "started_at_s": 1.0,
        }
    ]
    assert Conversation.restored(conversation.entries).history() == ()
    again = Conversation.restored(conversation.entries, pictures={image_id: kept})
    assert again.history() == (kept,)
