"""Identifiers as the service makes them: a prefix and random letters, from an injected source."""

import random
import string

import pybase64

_PADDED_CHARACTERS = 16
_ALPHABET = string.ascii_letters + string.digits


class Identifiers:
    """Makes ids of events, items, responses, calls and sessions."""

    def __init__(self, source: random.Random) -> None:
        self._source = source

    def new(self, prefix: str) -> str:
        """An id such as `item_E6U0xpLmn5e80rVGpEeKv`."""
        return f"{prefix}_{self.letters().decode()}"

    def letters(self) -> bytes:
        """What follows the prefix of an id."""
        # Base64 whose two signs are letters: each sound that is sent has an id.
        return pybase64.b64encode(self._source.randbytes(16), altchars=b"aZ")[:21]

    def padding(self, delta: str) -> str:
        """The `obfuscation` beside a text delta, which hides its length on an encrypted line."""
        return "".join(self._source.choices(_ALPHABET, k=-len(delta) % _PADDED_CHARACTERS))
