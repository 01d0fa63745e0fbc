"""Pieces of words, as a SentencePiece tokenizer cuts them, put together to text.

A character that is no piece of its own comes byte by byte, as <0xE2>, <0x82>, <0xAC>.
"""

import codecs
import re

_SPACE = "\u2581"
_MARK = re.compile(r"<(?:0x(?P<byte>[0-9A-F]{2})|/?[a-z_]+)>")


class Words:
    """The text of one stream of pieces."""

    def __init__(self) -> None:
        self._bytes = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def add(self, piece: str) -> str:
        """Give the text that is complete with this piece; none for padding and other marks."""
        mark = _MARK.fullmatch(piece)
        if mark is None:
            # What is left of a broken character ends here.
            return self._bytes.decode(b"", final=True) + piece.replace(_SPACE, " ")
        byte = mark["byte"]
        return "" if byte is None else self._bytes.decode(bytes.fromhex(byte))


__all__ = ["Words"]
