"""What the session is configured to be, and which changes of it the service may still refuse."""

from collections import OrderedDict

from crossfade.providers.commands import Update
from crossfade.providers.config import SessionConfig

_PREFIX = "crossfade_update_"
# Nobody changes so much at once; the oldest is taken for confirmed.
_MOST_PENDING = 64
_FIELDS = ("instructions", "tools", "voice")


class Changes:
    """The configuration, rolled back to what was confirmed when a change is refused."""

    def __init__(self) -> None:
        self._confirmed = SessionConfig()
        self._pending: OrderedDict[str, Update] = OrderedDict()
        self._doubtful: set[str] = set()
        self._sent = 0

    @property
    def config(self) -> SessionConfig:
        """What holds if nothing is refused any more."""
        config = self._confirmed
        for update in self._pending.values():
            config = update.applied_to(config)
        return config

    @property
    def next_name(self) -> str:
        """How the change is called that is sent next."""
        return f"{_PREFIX}{self._sent + 1}"

    def begin(self, config: SessionConfig) -> None:
        self._confirmed = config

    def doubtful(self, field: str) -> bool:
        """Whether it is not known what the service holds here."""
        return field in self._doubtful

    def send(self, update: Update) -> None:
        """Note that a change was sent by the next name."""
        self._pending[self.next_name] = update
        self._sent += 1
        self._doubtful.difference_update(_changed(update))
        if len(self._pending) > _MOST_PENDING:
            self.confirm()

    def confirm(self) -> str:
        """Note that the service made the oldest change that is pending; give its name."""
        if not self._pending:
            return ""
        name, update = self._pending.popitem(last=False)
        self._confirmed = update.applied_to(self._confirmed)
        return name

    def refuse(self, name: str = "") -> bool:
        """Note that a change was refused: all of it.

        Args:
            name: The change; the oldest, in doubt, if the service named none.

        Returns:
            Whether one was pending.
        """
        update = self._pending.pop(name or next(iter(self._pending), ""), None)
        if update is not None and not name:
            self._doubtful |= _changed(update)
        return update is not None


def _changed(update: Update) -> set[str]:
    return {field for field in _FIELDS if getattr(update, field) is not None}


__all__ = ["Changes"]
