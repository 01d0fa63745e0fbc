"""Phrases spoken beside the conversation, picked from the events of a session in use."""

import asyncio
from typing import Any, cast

import pytest

from crossfade.errors import ConnectionLost
from crossfade.offline.responder import Responder
from crossfade.processors.phrase_rendering import Asides, Rendering, order, render_apart
from crossfade.providers import (
    AudioChunk,
    Event,
    ProviderError,
    RealtimeSession,
    ResponseDone,
    ResponseStarted,
    ResponseStatus,
    Severity,
    TextDelta,
)
from tests.clock import run
from tests.processors.chain import settled


class Session:
    """Keeps what it is asked for, and gives the events it is told."""

    def __init__(self, *events: Event) -> None:
        self.labels: list[str] = []
        self.texts: list[str] = []
        self.closed = False
        self._events = list(events)

    async def respond_aside(
        self, instructions: str, *, text: str, label: str, modality: object = None
    ) -> None:
        assert text == ""
        self.labels.append(label)

    async def send_text(self, text: str) -> None:
        self.texts.append(text)

    async def __aenter__(self) -> "Session":
        return self

    async def __aexit__(self, *_: object) -> None:
        self.closed = True

    def __aiter__(self) -> "Session":
        return self

    async def __anext__(self) -> Event:
        if not self._events:
            raise StopAsyncIteration
        return self._events.pop(0)


def as_session(session: Session) -> RealtimeSession:
    return cast(RealtimeSession, session)


def spoken(response: str, words: str, status: ResponseStatus) -> list[Event]:
    first, last = words[: len(words) // 2], words[len(words) // 2 :]
    item: Any = {"response_id": response, "item_id": f"item of {response}"}
    return [
        AudioChunk(pcm=b"\1\0", **item),
        TextDelta(text=first, spoken=True, **item),
        AudioChunk(pcm=b"\2\0", **item),
        TextDelta(text=last, spoken=True, **item),
        ResponseDone(response_id=response, status=status),
    ]


def test_an_order_is_understood_whatever_it_quotes() -> None:
    assert Responder.say(order("One moment, please.")) == "One moment, please."
    assert Responder.say(order('This "thing" takes time.')) == "This 'thing' takes time."


def test_two_phrases_at_once_are_told_apart_and_nothing_else_is_taken() -> None:
    async def main() -> None:
        asides, session = Asides(), Session()
        first, second = (
            asyncio.create_task(asides.render(as_session(session), text)) for text in "ab"
        )
        await settled()
        one, other = session.labels
        assert one != other
        assert asides.take(ResponseStarted(response_id="1", injected=True, label=one))
        assert asides.take(ResponseStarted(response_id="2", injected=True, label=other))
        assert not asides.take(ResponseStarted(response_id="3"))
        assert not asides.take(ResponseStarted(response_id="4", injected=True, label="theirs"))
        whole = zip(
            spoken("1", "a word", ResponseStatus.COMPLETED),
            spoken("2", "another", ResponseStatus.INCOMPLETE),
            spoken("3", "an answer", ResponseStatus.COMPLETED),
            strict=True,
        )
        for ours, ours_too, theirs in whole:
            assert asides.take(ours)
            assert asides.take(ours_too)
            assert not asides.take(theirs)
        pcm = b"\1\0\2\0"
        assert await first == Rendering(pcm=pcm, words="a word", complete=True)
        assert await second == Rendering(pcm=pcm, words="another", complete=False)
        # Its error comes behind the end, and is told by that.
        assert not asides.take(
            ProviderError(message="m", severity=Severity.REQUEST, response_id="1")
        )

    run(main())


def test_what_nobody_waits_for_any_more_is_taken_nevertheless() -> None:
    async def main() -> None:
        asides, session = Asides(), Session()
        asking = asyncio.create_task(asides.render(as_session(session), "a"))
        await settled()
        start = ResponseStarted(response_id="1", injected=True, label=session.labels[0])
        assert asides.take(start)
        asking.cancel()
        await settled()
        assert all(asides.take(e) for e in spoken("1", "late", ResponseStatus.COMPLETED))
        assert not asides.take(start)

    run(main())


def test_a_session_of_its_own_is_closed_when_the_phrase_is_said() -> None:
    async def main() -> None:
        events = spoken("1", "a word", ResponseStatus.COMPLETED)
        session = Session(ResponseStarted(response_id="1"), *events)
        made = await render_apart(as_session(session))
        assert made == Rendering(pcm=b"\1\0\2\0", words="a word", complete=True)
        assert session.closed
        assert len(session.texts) == 1

    run(main())


def test_a_session_that_ends_too_soon_gives_half_a_phrase() -> None:
    async def main() -> None:
        events = spoken("1", "a word", ResponseStatus.COMPLETED)
        made = await render_apart(as_session(Session(*events[:2])))
        assert made == Rendering(pcm=b"\1\0", words="a w", complete=False)

    run(main())


def test_a_session_that_cannot_be_asked_says_so() -> None:
    class Lost(Session):
        async def respond_aside(
            self, instructions: str, *, text: str, label: str, modality: object = None
        ) -> None:
            raise ConnectionLost("the line is cut")

    async def main() -> None:
        with pytest.raises(ConnectionLost):
            await Asides().render(as_session(Lost()), "a")

    run(main())
