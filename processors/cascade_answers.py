"""The answers of a cascade that are not over, and what the chain is told of them."""

from collections.abc import Iterator

from crossfade.conversation.usage import Usage
from crossfade.frames.control import ResponseEndFrame, ResponseStartFrame
from crossfade.frames.text import SpokenTextFrame, TextType
from crossfade.frames.usage import service_provider, usage_metrics

from .cascade_answer import Answer
from .cascade_stage import Take


class Answers:
    """Tells of each answer that it begins, its words, that it ends, and what it cost.

    Args:
        name: Of the node.
        push: Given the frames.
    """

    def __init__(self, name: str, push: Take) -> None:
        self._name = name
        self._push = push
        self._open: dict[str, Answer] = {}
        self._cut: list[Answer] = []

    def __iter__(self) -> Iterator[Answer]:
        return iter(self._open.values())

    def __bool__(self) -> bool:
        return bool(self._open)

    def find(self, response_id: str) -> Answer | None:
        """An answer that is not over."""
        return self._open.get(response_id)

    def add(self, answer: Answer) -> None:
        """It is asked for; nobody hears of it yet."""
        self._open[answer.id] = answer

    def drop(self, answer: Answer) -> None:
        """It is over."""
        self._open.pop(answer.id, None)

    def cut(self) -> None:
        """All are cut; `tell_cut` tells so."""
        for answer in self._open.values():
            answer.cut = True
            if answer.begun:
                self._cut.append(answer)
        self._open.clear()

    async def tell_cut(self) -> None:
        """Tell the end of those that were cut."""
        while self._cut:
            await self.end(self._cut.pop(0), "interrupted")

    def keep_quiet(self) -> None:
        """Nobody listens any more to how the cut ones ended."""
        self._cut.clear()

    async def begin(self, answer: Answer) -> None:
        """It is heard of from now on."""
        answer.begun = True
        await self._push(ResponseStartFrame(response_id=answer.id, injected=answer.injected))

    async def word(self, answer: Answer, piece: str) -> None:
        """A piece of it as written."""
        await self._push(
            SpokenTextFrame(
                piece,
                TextType.TOKEN,
                context_id=answer.item_id,
                response_id=answer.id,
                injected=answer.injected,
            )
        )

    async def end(self, answer: Answer, status: str) -> None:
        """It has ended so."""
        received_ms = {answer.item_id: answer.received_ms} if answer.speaks else {}
        await self._push(
            ResponseEndFrame(
                response_id=answer.id,
                status=status,
                usage=answer.usage,
                reason=answer.failure,
                received_ms=received_ms,
            )
        )
        if answer.usage is not None:
            await self.charge(answer.writer, answer.model, answer.usage, response_id=answer.id)

    async def charge(self, writer: str, model: str, usage: Usage, *, response_id: str = "") -> None:
        """A service has taken so much."""
        await self._push(
            usage_metrics(
                self._name,
                model,
                usage,
                provider=service_provider(writer),
                response_id=response_id,
                speech=False,
            )
        )


__all__ = ["Answers"]
