"""The handles by which another connection goes on with a session."""

import asyncio
import random
import string
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..backends.backend import Dialogue
from ..line import Line
from .closes import INTERNAL, INVALID_HANDLE, SESSION_NOT_FOUND, Closed
from .conversation import Context, Conversation

HANDLES_KEPT = 1000
_HANDLE_CHARACTERS = 60
_FORGOTTEN_KEPT = 10_000
_ALPHABET = string.ascii_letters + string.digits


@dataclass(frozen=True, slots=True)
class _Saved:
    conversation: Conversation
    context: Context
    expires_s: float


class Handles:
    """The sessions that can be resumed.

    A handle brings back the context of the moment it was given; the dialogue behind it goes on
    from where it is. At most `HANDLES_KEPT` handles are taken, the newest.

    Args:
        seconds: How long a handle is taken.
        dismiss: Closes the dialogue of a session that nobody can resume any more.
    """

    def __init__(self, seconds: float, dismiss: Callable[[Dialogue], Any]) -> None:
        self._seconds = seconds
        self._dismiss = dismiss
        self._saved: OrderedDict[str, _Saved] = OrderedDict()
        self._expired: OrderedDict[str, None] = OrderedDict()

    def give(self, conversation: Conversation, chance: random.Random) -> str:
        """A new handle to a session as it is now."""
        self._purge(HANDLES_KEPT - 1)
        handle = "".join(chance.choices(_ALPHABET, k=_HANDLE_CHARACTERS))
        expires_s = asyncio.get_running_loop().time() + self._seconds
        self._saved[handle] = _Saved(conversation, conversation.context.copy(), expires_s)
        return handle

    def resume(self, handle: str, line: Line) -> Conversation:
        """The session of a handle, from now on of another connection.

        Raises:
            Closed: The handle is unknown or too old, or the session is still connected.
        """
        self._purge(HANDLES_KEPT)
        if handle in self._expired:
            raise Closed(SESSION_NOT_FOUND)
        if handle not in self._saved:
            raise Closed(INVALID_HANDLE)
        saved = self._saved[handle]
        if saved.conversation.connected:
            raise Closed(INTERNAL)
        saved.conversation.line = line
        saved.conversation.context = saved.context.copy()
        return saved.conversation

    def leave(self, conversation: Conversation, line: Line) -> None:
        """A connection of a session is gone."""
        if conversation.line is line:
            self._purge(HANDLES_KEPT)
            self._dismiss_lost([conversation])

    def close(self) -> None:
        """Take no handle any more."""
        lost = [saved.conversation for saved in self._saved.values()]
        self._saved.clear()
        self._seconds = 0.0
        self._dismiss_lost(lost)

    def _purge(self, keep: int) -> None:
        now_s = asyncio.get_running_loop().time()
        lost = []
        for handle, saved in list(self._saved.items()):
            if saved.expires_s > now_s and len(self._saved) <= keep:
                break
            del self._saved[handle]
            self._expired[handle] = None
            lost.append(saved.conversation)
        while len(self._expired) > _FORGOTTEN_KEPT:
            self._expired.popitem(last=False)
        self._dismiss_lost(lost)

    def _dismiss_lost(self, conversations: Sequence[Conversation]) -> None:
        if not conversations:
            return
        kept = {id(saved.conversation) for saved in self._saved.values()}
        lost = {id(each): each for each in conversations if not each.connected}
        for key, conversation in lost.items():
            if key not in kept and not conversation.dismissed:
                conversation.dismissed = True
                self._dismiss(conversation.dialogue)
