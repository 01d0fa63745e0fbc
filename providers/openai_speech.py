"""Speech in messages that are like the one before, but for their own id and their sound.

Ten times a second and more for each call; to read such a message as JSON takes longer than all
else that is done with it here.
"""

import re

from crossfade.providers.wire_json import JsonObject, string

_SOUND_BEGINS = re.compile(rb'"delta"\s*:\s*"$')
_PLAIN = re.compile(rb"[ !#-\[\]-~]*")
"""What JSON writes as it is."""
_END = b'"}'


class SpeechLike:
    """Knows the messages again that differ from one that was read in nothing else.

    Attributes:
        response_id: Whose sound they carry.
        item_id: Of which item.
    """

    __slots__ = ("_before", "_behind", "_id_ends_at", "item_id", "response_id")

    def __init__(self) -> None:
        self.response_id = self.item_id = ""
        self._before = self._behind = b""
        """What stands before the message's own id, and between that and the sound."""
        self._id_ends_at = 0
        """Where the latter begins; 0 while no message is known."""

    def learn(self, message: bytes, fields: JsonObject) -> None:
        """Take a message of sound for the pattern, if its id is written once and its sound last."""
        self._id_ends_at = 0
        own_id, sound = string(fields, "event_id").encode(), string(fields, "delta").encode()
        head = message[: len(message) - len(sound) - len(_END)]
        quoted = b'"%b"' % own_id
        if not (
            own_id
            and message == head + sound + _END
            and head.count(quoted) == 1
            and _SOUND_BEGINS.search(head)
        ):
            return
        id_at = head.index(quoted) + 1
        self._before, self._id_ends_at = head[:id_at], id_at + len(own_id)
        self._behind = head[self._id_ends_at :]
        self.response_id, self.item_id = string(fields, "response_id"), string(fields, "item_id")

    def sound(self, message: bytes) -> bytes | None:
        """The sound of a message that is like the pattern, as it is written; None if it is not.

        Whoever decodes it strictly finds out whether it is base64 up to the message's end.
        """
        ends_at = self._id_ends_at
        sound_at = ends_at + len(self._behind)
        if not (
            ends_at
            and message.startswith(self._behind, ends_at)
            and message.startswith(self._before)
            and message.endswith(_END, sound_at)
            and _PLAIN.fullmatch(message, len(self._before), ends_at)
        ):
            return None
        return message[sound_at : -len(_END)]


__all__ = ["SpeechLike"]
