"""One call of a server: its chain, its journal, and the clients that come and go."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum

from loguru import logger

from crossfade.errors import CrossfadeError
from crossfade.observability.call_summary import CallSummary
from crossfade.transports.attachment import Attachment
from crossfade.transports.client_transport import ClientTransport
from crossfade.transports.websocket import WebSocketTransport
from crossfade.transports.websocket_messages import CloseCode, Hello, write_message
from crossfade.transports.websocket_token import LIFETIME_S, Claims, TokenSigner

from .assembly import Call
from .takeover_state import UNBORN, CallState, SpeechPosition, StateKeeper

UNBORN_S = 5.0
"""A client that has not yet said a word after `ready` may come back for so long."""
GRACE_S = 15.0
"""A call that has lasted long enough may take so long to come to a quiet moment."""
_LOOK_S = 0.05


class Ending(Enum):
    """How a call ends here."""

    OVER = "over"
    """The caller hung up, or did not come back."""
    MOVED = "moved"
    """Another process is to go on with it."""
    TAKEN = "taken"
    """Another process has taken it."""
    FAILED = "failed"
    UNBORN = "unborn"
    """Its client went before it had said a word: the call has not come about."""


_LAST_WORDS = {
    Ending.OVER: (CloseCode.OVER, "the call is over", "bye"),
    Ending.MOVED: (CloseCode.MOVED, "the server hands its calls over", "moved"),
    Ending.TAKEN: (CloseCode.REPLACED, "the call goes on elsewhere", None),
    Ending.FAILED: (CloseCode.FAILED, "the call cannot go on here", None),
    Ending.UNBORN: (CloseCode.UNKNOWN, "the call has not come about", None),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a call begins with."""

    call_id: str
    in_rate_hz: int
    out_rate_hz: int
    began_at: float
    """Unix time."""
    received_samples: int = 0
    heard_again: bytes = b""
    """What the caller said last of these, and nobody answered: it is heard again, s16le mono."""
    attachments: int = 0
    born: bool = False
    """Whether a client has shown that it knows its token."""


MakeTransport = Callable[[Setting, Callable[[], bool]], ClientTransport]
"""Makes the transport of a call, of what it begins with and of `unsure`."""


def own_transport(setting: Setting, unsure: Callable[[], bool]) -> ClientTransport:
    """That of calls whose clients speak our protocol."""
    return WebSocketTransport(
        in_rate_hz=setting.in_rate_hz,
        out_rate_hz=setting.out_rate_hz,
        received_samples=setting.received_samples,
        heard_again=setting.heard_again,
        unsure=unsure,
    )


class ServedCall:
    """A call from its beginning here to its end here.

    Args:
        setting: What it begins with.
        signer: Of its tokens.
        detached_s: How long it goes on without a client.
        unsure: Whether the call may be another process's by now.
        make: Makes its transport.
        longest_s: How long it may last, wherever it is served; 0 is as long as it likes.
    """

    def __init__(
        self,
        setting: Setting,
        signer: TokenSigner,
        *,
        detached_s: float,
        unsure: Callable[[], bool] = lambda: False,
        make: MakeTransport = own_transport,
        longest_s: float = 0.0,
    ) -> None:
        self.call_id = setting.call_id
        self.began_at = setting.began_at
        self.transport = make(setting, unsure)
        self._signer = signer
        self._detached_s = detached_s
        self._longest_s = longest_s
        self._attachments = setting.attachments
        self._presented = setting.attachments
        self._was_born = setting.born
        self._kept: Callable[[], bool] = lambda: True
        self.greet: Callable[[], None] = lambda: None
        """Tells a client that was attached how things stand."""
        self.node: Callable[[], str] = str
        """Which of several nodes serves."""
        self._issued_at_s = 0.0
        self._issued_as_kept = True
        self._started_at_s = float("inf")
        self._unfinished = b""
        self._call: Call | None = None
        self._ending: Ending | None = None
        self._end = asyncio.Event()
        self.failure: BaseException | None = None
        self._reason = ""
        """Why it ends, if that needs to be said."""

    @property
    def ending(self) -> Ending | None:
        """How it ends here; None while it goes on."""
        return self._ending

    @property
    def serving(self) -> str:
        """Who serves it: one of several nodes, or PROVIDER:MODEL; empty if nobody does."""
        serving = None if self._call is None else self._call.serving()
        return self.node() or ("" if serving is None else serving.provider)

    @property
    def born(self) -> bool:
        """Whether a client has shown that it knows its token. Before, nobody is in the call."""
        return self._was_born or self.transport.client_spoke

    def accepts(self, claims: Claims) -> bool:
        """Whether a token is none that a newer one has replaced. What it says is not checked."""
        return claims.attachment >= self._presented

    def issued(self, claims: Claims) -> bool:
        """Whether a token may be from here; else another process has served the call since."""
        return claims.attachment <= self._attachments

    def attach(self, socket: Attachment, hello: Hello, claims: Claims | None) -> None:
        """Take a client in; its token is worth nothing once the new one is used."""
        if claims is not None:
            self._was_born = True
            self._presented = max(self._presented, claims.attachment)
        self._attachments += 1
        token = self._issue()
        self.transport.attach(
            socket,
            hello,
            ready=lambda stream: write_message(
                "ready",
                call_id=self.call_id,
                token=token,
                token_lifetime_s=LIFETIME_S,
                kept=self._issued_as_kept,
                input_rate_hz=self.transport.in_rate_hz,
                output_rate_hz=self.transport.out_rate_hz,
                received_samples=self.transport.taken_samples,
                stream=stream,
            ),
        )
        self.greet()

    def _issue(self) -> str:
        """A token for the attachment after this one, good for its whole life from now on."""
        self._issued_at_s = asyncio.get_running_loop().time()
        self._issued_as_kept = self._kept()
        return self._signer.issue(self.claims())

    def claims(self) -> Claims:
        """What a token for the attachment after this one says."""
        return Claims(
            call_id=self.call_id,
            attachment=self._attachments,
            began_at=self.began_at,
            kept=self._kept(),
            expires_at=time.time() + LIFETIME_S,
            input_rate_hz=self.transport.in_rate_hz,
            output_rate_hz=self.transport.out_rate_hz,
        )

    def _renew_token(self) -> None:
        """Give a client that is attached another token when half of the last one's life is over,
        or when the store has the call at last."""
        held_s = asyncio.get_running_loop().time() - self._issued_at_s
        news = self._kept() and not self._issued_as_kept
        if self.transport.detached_since_s is None and (news or held_s >= LIFETIME_S / 2):
            token = self._issue()
            self.transport.tell(
                write_message(
                    "token", token=token, token_lifetime_s=LIFETIME_S, kept=self._issued_as_kept
                )
            )

    def unfinished(self) -> bytes:
        """What the caller said and nobody began to answer, for the store."""
        unfinished = b"" if self._call is None else self._call.unfinished()
        # Who compares it with what he was told before is done at once if it is the same.
        if unfinished != self._unfinished:
            self._unfinished = unfinished
        return self._unfinished

    def stored_state(self, audio_rate_hz: int) -> Callable[[], str]:
        """What the store keeps beside it; asked each time after it.

        Args:
            audio_rate_hz: Rate of the unfinished audio.
        """
        keeper = StateKeeper(in_rate_hz=self.transport.in_rate_hz, audio_rate_hz=audio_rate_hz)
        before, written = CallState(), CallState().encoded()

        def state() -> str:
            nonlocal before, written
            if not self.born:
                return UNBORN
            if self._call is None:
                return CallState(attachments=self._presented).encoded()
            now = keeper.state(
                received_samples=self.transport.received_samples,
                unfinished=self._unfinished,
                attachments=self._presented,
                speech={
                    item.origin.item_id: SpeechPosition(
                        received_ms=item.received_ms, played_ms=item.played_ms
                    )
                    for item in self._call.playout.positions
                    if not item.origin.injected
                },
                node=self.node(),
            )
            if now != before:
                before, written = now, now.encoded()
            return written

        return state

    def finish(self, ending: Ending) -> None:
        """End the call here, for this reason; the first one counts."""
        if self._ending is None:
            self._ending = ending
            self._end.set()

    async def run(
        self,
        call: Call,
        *,
        kept: Callable[[], bool],
        started: Callable[[], None],
        leave: Callable[[Ending], Awaitable[None]],
    ) -> Ending:
        """Run the chain until the call ends here.

        Args:
            call: The chain.
            kept: Whether the store has the call.
            started: Called when clients can be attached.
            leave: Awaited when the call has ended, and its chain has not.
        """
        self._call, self._kept = call, kept

        @call.worker.event_handler("on_pipeline_started")  # type: ignore[untyped-decorator]
        async def on_started(*_: object) -> None:
            self._started_at_s = asyncio.get_running_loop().time()
            self.transport.hear_again()
            started()

        running = asyncio.create_task(call.run(), name=f"call {self.call_id}")
        watching = asyncio.create_task(self._watch(), name=f"watch {self.call_id}")
        try:
            await asyncio.wait([running, watching], return_when=asyncio.FIRST_COMPLETED)
            if self._ending is None:
                self._ended_by_itself(running)
            assert self._ending is not None
            await leave(self._ending)
        finally:
            # Nobody listens any more: what is still to be played is not waited for.
            for task in (running, watching):
                task.cancel()
            await asyncio.gather(running, watching, return_exceptions=True)
        return self._ending

    def dismiss(self, ending: Ending) -> None:
        """Tell the client."""
        code, reason, last = _LAST_WORDS[ending]
        reason = self._reason or reason
        words = None if last is None else write_message(last, reason=reason)
        self.transport.close(code, reason, words)

    async def come_to_rest(self, timeout_s: float) -> None:
        """Wait until nobody speaks, for so long at most."""
        until_s = asyncio.get_running_loop().time() + timeout_s
        while not (self.transport.quiet and self.settled):
            if asyncio.get_running_loop().time() >= until_s:
                return
            await asyncio.sleep(_LOOK_S)

    @property
    def settled(self) -> bool:
        """Whether nothing that the caller said waits for its answer, and nothing to be played."""
        call = self._call
        return call is None or (call.playout.empty and not call.unfinished())

    def _ended_by_itself(self, running: asyncio.Task[CallSummary]) -> None:
        error = running.exception()
        if error is None:
            # Such as by its budget.
            self._ending = Ending.OVER
            self._reason = "the call has come to its end"
            return
        self._ending = Ending.FAILED
        self.failure = error
        words = str(error) if isinstance(error, CrossfadeError) else repr(error)
        logger.warning("call {} cannot go on: {}", self.call_id, words)

    def _too_long(self) -> bool:
        """Whether it has lasted too long, and nobody is cut off, or it is high time."""
        over_s = time.time() - self.began_at - self._longest_s
        if not self._longest_s or over_s < 0:
            return False
        return over_s > GRACE_S or (self.transport.quiet and self.settled)

    async def _watch(self) -> None:
        """Keep the client's token good, and wait for a reason to end."""
        hung_up = asyncio.create_task(self.transport.hung_up())
        ordered = asyncio.create_task(self._end.wait())
        try:
            while not (hung_up.done() or ordered.done()):
                await asyncio.wait(
                    [hung_up, ordered], timeout=1.0, return_when=asyncio.FIRST_COMPLETED
                )
                self._renew_token()
                if self._too_long():
                    self._reason = "the call has lasted as long as it may"
                    break
                since_s = self.transport.detached_since_s
                if since_s is not None:
                    gone_s = asyncio.get_running_loop().time() - max(since_s, self._started_at_s)
                    if gone_s > UNBORN_S and not self.born:
                        self.finish(Ending.UNBORN)
                    if gone_s > self._detached_s:
                        break
        finally:
            hung_up.cancel()
            ordered.cancel()
        self.finish(Ending.OVER)


__all__ = ["Ending", "MakeTransport", "ServedCall", "Setting", "own_transport"]
