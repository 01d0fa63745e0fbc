"""How phone calls leave: the agent's goodbye, and what the company is told that comes next."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from loguru import logger

from crossfade.errors import CrossfadeError, SettingsError
from crossfade.transports.phone_carrier import Answer, Carrier, HangUp, PutThrough, Refuse

from .serve_call import Ending, ServedCall
from .serve_calls import Calls
from .serve_workers_peers import ALONE, Peers

_MOST_REMEMBERED = 1024
_REST_S = 15.0
_GOODBYE_S = 1.5
_LATEST_GOODBYE_S = 5.0
_LOOK_S = 0.05
_ASKED_S = 1.0


class Leaving:
    """What the agent's tools do with a call, and what such calls do next.

    Args:
        calls: Those of this process.
        carrier: The company that is told.
        destinations: Whom callers may be put through to: name → number.
        webhook: The address under which the company asked last.
        peers: The other workers, any of which the company may ask.
    """

    def __init__(
        self,
        calls: Calls,
        carrier: Carrier,
        destinations: Mapping[str, str],
        webhook: Callable[[], str],
        peers: Peers = ALONE,
    ) -> None:
        self._calls = calls
        self._carrier = carrier
        self._destinations = destinations
        self._webhook = webhook
        self._next: OrderedDict[str, Answer] = OrderedDict()
        """What calls that are over do next; the oldest are forgotten."""
        self._peers = peers
        self._what = f"next {carrier.path}"
        peers.on(self._what, self._told_next)

    def next(self, call_id: str) -> Answer | None:
        """What a call does next that is over here; told once."""
        return self._next.pop(call_id, None)

    def knows(self, call_id: str) -> bool:
        """Whether it is decided what a call does next."""
        return call_id in self._next

    def then(self, call_id: str, answer: Answer) -> None:
        """Have the company told so when it asks, whichever worker that is."""
        self._remember(call_id, answer)
        kind, fields = type(answer).__name__, asdict(answer)
        self._peers.tell(self._what, call=call_id, answer=kind, fields=fields)

    def end(self, call_sid: str) -> None:
        """Hang up when the agent has said its goodbye."""
        self._leave(call_sid, HangUp())

    def transfer(self, call_sid: str, number: str) -> None:
        """Put the caller through when the agent has said so.

        Raises:
            SettingsError: It is no number of `destinations`.
        """
        name = next((name for name, each in self._destinations.items() if each == number), None)
        if name is None:
            raise SettingsError(f"{number!r} is none of those whom callers may be put through to")
        self._leave(call_sid, PutThrough(name=name, number=number))

    def _leave(self, call_id: str, answer: HangUp | PutThrough) -> None:
        self._calls.promise(self._go(call_id, answer), name=f"leave {call_id}")

    async def _go(self, call_id: str, answer: HangUp | PutThrough) -> None:
        served = self._calls.served(call_id)
        if served is None:
            return
        await _goodbye_begun(served)
        await served.come_to_rest(_REST_S)
        if served.ending is Ending.OVER:
            # The caller hung up first.
            return
        try:
            await self._carrier.redirect(call_id, answer, self._webhook())
        except CrossfadeError as error:
            logger.warning("call {} is redirected by its stream's end: {}", call_id, error)
        # Without an order the company asks what comes next when the stream ends.
        self.then(call_id, answer)
        served.finish(Ending.OVER)
        if self._calls.draining:
            # There must be somebody to ask.
            await asyncio.sleep(_ASKED_S)

    def _told_next(self, told: Mapping[str, Any]) -> None:
        """Another worker had the call, and this one may be asked what it does next."""
        kind = {each.__name__: each for each in (HangUp, PutThrough, Refuse)}[told["answer"]]
        self._remember(told["call"], kind(**told["fields"]))

    def _remember(self, call_id: str, answer: Answer) -> None:
        self._next[call_id] = answer
        if len(self._next) > _MOST_REMEMBERED:
            self._next.popitem(last=False)


async def _goodbye_begun(served: ServedCall) -> None:
    """Wait until the agent can be taken to have begun its goodbye, or to say none."""
    loop = asyncio.get_running_loop()
    began_s, spoke = loop.time(), False
    while loop.time() - began_s < (_GOODBYE_S if spoke else _LATEST_GOODBYE_S):
        await asyncio.sleep(_LOOK_S)
        spoke = spoke or not served.transport.quiet


__all__ = ["Leaving"]
