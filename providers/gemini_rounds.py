"""Where Gemini stands between a call and its words on the result."""

from crossfade.providers.awaited_tools import AwaitedTools


class Rounds(AwaitedTools):
    """The tool rounds of a session.

    Gemini does not say which response speaks of a result. The one that waits for its tool does so
    next. The one that talks on while a tool runs first ends the turn in which it called, with
    whatever it still says there, however fast the result came.
    """

    def __init__(self) -> None:
        super().__init__()
        self._calling = False
        self._answering = False
        self._cuts = False

    @property
    def calling(self) -> bool:
        """Whether the turn in which the model called a tool goes on beside it."""
        return self._calling

    @property
    def answers_by_itself(self) -> bool:
        """Whether the model speaks of a result, or will do so without being asked."""
        return self.due or self._answering

    @property
    def silent(self) -> bool:
        """Whether a result is to be spoken of, and nothing is being said."""
        return self.due and not self._calling and not self._answering

    def calls_beside(self) -> None:
        """The model called a tool that it does not wait for."""
        self._calling = True

    def cuts(self) -> None:
        """A result was told that cuts what is being said."""
        self._cuts = True

    def take_cut(self) -> bool:
        """Whether what was just cut was cut by a result; asked once for each."""
        cuts, self._cuts = self._cuts, False
        return cuts

    def response_begins(self) -> None:
        if self._calling:
            return
        self._cuts = False
        self._answering = self._answering or self.due
        self.answer_begins()

    def turn_over(self) -> None:
        """The model's turn is over, or cut."""
        self._calling = self._answering = False


__all__ = ["Rounds"]
