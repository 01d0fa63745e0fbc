"""Who is attached to which of the calls of one process, and how many calls there may be."""

import asyncio
import secrets
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any

from crossfade.processors.tools import Tool
from crossfade.transports.attachment import Attachment
from crossfade.transports.client_socket import ClientSocket
from crossfade.transports.websocket_messages import CloseCode, Hello
from crossfade.transports.websocket_token import Claims, TokenRefused, TokenSigner

from .serve_admission import Admission
from .serve_begin import BEGINNING, NAMED, REPLACED, AttachmentRefused, Beginnings
from .serve_call import Ending, MakeTransport, ServedCall, own_transport
from .serve_caps import DayMeter
from .serve_chain import Chains
from .serve_headroom import Headroom
from .serve_limits import UNLIMITED, ClientLimits
from .serve_nodes import ServedNodes
from .serve_running import RunningCalls
from .serve_settings import ServeSettings
from .serve_store import CallKeeping
from .serve_workers_peers import ALONE, Peers
from .telemetry_calls import Watch, watch_nothing

_ENDING = {
    Ending.OVER: (CloseCode.UNKNOWN, "the call is over"),
    Ending.MOVED: (CloseCode.MOVED, "the server hands its calls over"),
    Ending.TAKEN: (CloseCode.TAKEN, "the call has gone on elsewhere; try again"),
    Ending.FAILED: (CloseCode.FAILED, "the call cannot go on here"),
    Ending.UNBORN: (CloseCode.UNKNOWN, "the call has not come about"),
}
_MOST = "the server has as many calls as it takes"


class Calls:
    """Attaches clients to calls; a call begins with its first client, here or in another process.

    Args:
        settings: The server's.
        nodes: Whom the calls talk to.
        tools: What their models may call.
        signer: Of the tokens.
        keeping: The store; None keeps nothing.
        ended: Told after each call how many run.
        watch: Told of each call's record when it begins.
        limits: How many calls one client may have; None is as many as it likes.
        headroom: Tells whether there is time for another; None is always.
        day: Counts what the calls of a day come to.
        peers: The other workers of the server.
        changed: Told how many run whenever one has begun or ended.
    """

    def __init__(
        self,
        settings: ServeSettings,
        nodes: ServedNodes,
        *,
        tools: Sequence[Tool],
        signer: TokenSigner,
        keeping: CallKeeping | None,
        ended: Callable[[int], None] = lambda running: None,
        watch: Watch = watch_nothing,
        limits: ClientLimits | None = None,
        headroom: Headroom | None = None,
        day: DayMeter | None = None,
        peers: Peers = ALONE,
        changed: Callable[[int], None] = lambda running: None,
    ) -> None:
        self._settings = settings
        self._headroom = headroom
        self.day = day or DayMeter(settings.caps)
        self.peers = self._peers = peers
        self._changed = changed
        self._signer = signer
        self._keeping = keeping
        self._running = RunningCalls(
            settings,
            Chains(settings, tools=tools, keeping=keeping, watch=watch),
            nodes,
            signer=signer,
            keeping=keeping,
            follower=self,
            ended=ended,
        )
        self._limits = limits or ClientLimits(UNLIMITED)
        self._clients: dict[str, str] = {}
        """Which client began a call."""
        self._beginnings = Beginnings(settings, nodes, tools=tools, keeping=keeping)
        self._admission = Admission()
        if keeping is not None:
            keeping.on_sure = self._go_on
        self._beginning: dict[str, asyncio.Task[ServedCall]] = {}
        self._promises: set[asyncio.Task[None]] = set()
        self.draining = False

    @property
    def count(self) -> int:
        """Calls that run here."""
        return len(self._running)

    @property
    def full(self) -> bool:
        """Whether no new calls are taken, by any worker."""
        return self.refusal is not None and not self._peers.room

    @property
    def refusal(self) -> str | None:
        """Why no new calls are taken here, for those who ask; None if they are."""
        calls = len(self._running) + len(self._beginning)
        if calls >= self._settings.most_calls:
            return _MOST
        if self._headroom is not None and self._headroom.busy(calls):
            return "the server is busy; try again in some seconds"
        return self.day.refusal

    async def attach(
        self,
        socket: Attachment,
        hello: Hello,
        *,
        client: str = "",
        make: MakeTransport = own_transport,
    ) -> ServedCall:
        """Attach a client to the call of its token, or to a new one.

        Args:
            socket: Its line.
            hello: What it said first.
            client: Its address, for what one client may have.
            make: Makes the transport of a call that begins here, or is taken over.

        Raises:
            AttachmentRefused: It cannot be.
        """
        if self.draining:
            raise AttachmentRefused(CloseCode.BUSY, "the server ends; try another")
        claims = None if hello.token is None else self._claims(hello.token)
        if claims is not None:
            call_id = claims.call_id
        else:
            call_id = hello.call_id or f"call_{secrets.token_hex(12)}"
            self._refuse_name(call_id)
        served = await self._find(call_id, claims, hello, socket, client, make=make)
        if claims is not None and not served.accepts(claims):
            raise AttachmentRefused(CloseCode.REFUSED, REPLACED)
        served.attach(socket, hello, claims)
        return served

    async def attach_phone(
        self, socket: Attachment, hello: Hello, *, new: bool, tools: Sequence[Tool]
    ) -> ServedCall:
        """Attach a phone to the call of its name, wherever that is; who asks is trusted.

        Args:
            socket: Its line.
            hello: With the call's name.
            new: Whether the call may begin with it.
            tools: What the model may call in this call besides.

        Raises:
            AttachmentRefused: It cannot be.
        """
        if self.draining:
            raise AttachmentRefused(CloseCode.BUSY, "the server ends; try another")
        assert hello.call_id is not None
        call_id = hello.call_id
        served = self._running.get(call_id)
        if served is not None:
            claims: Claims | None = served.claims()
        else:
            claims = await self._beginnings.newest(call_id, hello)
        if claims is None and not (new or call_id in self._beginning):
            raise AttachmentRefused(CloseCode.UNKNOWN, "there is no such call any more")
        served = await self._find(call_id, claims, hello, socket, tools=tools)
        served.attach(socket, hello, claims)
        return served

    def pass_on(self, line: ClientSocket, call_id: str | None, *, new: bool = False) -> bool:
        """Have another worker answer a line, if that one has the call, or room for a new one.

        Args:
            line: The line, on which nobody has answered yet.
            call_id: The call that its client wants; None is a new one.
            new: Whether a call of this name may begin.
        """
        if line.given or (call_id is not None and self._is_here(call_id)):
            return False
        if call_id is not None and self._peers.holds(call_id):
            wanted: str | None = call_id
        elif (new or call_id is None) and self.refusal is not None and self._peers.room:
            wanted = None
        else:
            return False
        given = line.give_away()
        if given is not None:
            self._peers.pass_on(*given, wanted)
        return given is not None

    def _is_here(self, call_id: str) -> bool:
        return self._running.get(call_id) is not None or call_id in self._beginning

    def call_of(self, token: str) -> str | None:
        """The call that a good token is for."""
        try:
            return self._claims(token).call_id
        except AttachmentRefused:
            return None

    def served(self, call_id: str) -> ServedCall | None:
        """A call that runs here."""
        return self._running.get(call_id)

    def promise(self, work: Coroutine[Any, Any, None], *, name: str) -> None:
        """Have something done for a call that must be done here: calls are not handed over before.

        Args:
            work: Takes some seconds.
            name: Of its task.
        """
        task = asyncio.create_task(work, name=name)
        self._promises.add(task)
        task.add_done_callback(self._promises.discard)

    async def drain(self) -> None:
        """Take no more calls, and hand over those that run, or end them where nobody can go on.

        Each is handed over at its next quiet moment, or after `drain_s`.
        """
        self.draining = True
        if self._promises:
            await asyncio.wait(self._promises, timeout=self._settings.drain_s)
        await self._running.hand_over()

    async def close(self) -> None:
        """End what still runs here, as if the process had died, but with its last words kept."""
        await self._running.close()

    # Told by those that run

    def has_begun(self, call_id: str) -> None:
        self._changed(len(self._running))
        self._peers.begun(call_id, self._clients.get(call_id, ""))

    def has_ended(self, call_id: str, *, begun: bool) -> None:
        if begun:
            self._peers.ended(call_id)
            self._changed(len(self._running))
        self._uncount(call_id)

    # Finding, beginning and taking over

    def _claims(self, token: str) -> Claims:
        try:
            return self._signer.read(token, time.time())
        except TokenRefused as error:
            raise AttachmentRefused(CloseCode.REFUSED, str(error)) from error

    def _refuse_name(self, call_id: str) -> None:
        """Refuse a name that a client chose, if it is a call's that runs here.

        Raises:
            AttachmentRefused: It is. For good only if somebody is in the call: else the one that
                chose it may be this client, whose line died before it was told its token.
        """
        served = self._running.get(call_id)
        if served is not None and served.born:
            raise AttachmentRefused(CloseCode.REFUSED, NAMED)
        if served is not None or call_id in self._beginning:
            raise AttachmentRefused(CloseCode.TAKEN, BEGINNING)

    async def _find(
        self,
        call_id: str,
        claims: Claims | None,
        hello: Hello,
        socket: Attachment,
        client: str | None = None,
        *,
        tools: Sequence[Tool] = (),
        make: MakeTransport = own_transport,
    ) -> ServedCall:
        served = self._running.get(call_id)
        if served is not None and claims is not None:
            return await self._still(served, claims)
        # Of two clients that come at once, both are for the same call.
        task = self._beginning.get(call_id)
        if task is None:
            new = claims is None
            if (refusal := self._refusal_of(new=new)) is not None:
                raise AttachmentRefused(CloseCode.BUSY, refusal)
            if new and client is not None:
                self._count(call_id, client)
            if new:
                # At once: it may be the day's last, and others come.
                self.day.begins()
            beginning = self._begin(call_id, claims, hello, socket, tools, make)
            task = asyncio.create_task(beginning, name=f"begin {call_id}")
            self._beginning[call_id] = task
            task.add_done_callback(lambda done: self._begun(call_id, done, new=new))
        return await asyncio.shield(task)

    def _refusal_of(self, *, new: bool) -> str | None:
        """Why a call is not taken; one that goes on is, as long as there is a place."""
        if new:
            return self.refusal
        calls = len(self._running) + len(self._beginning)
        return _MOST if calls >= self._settings.most_calls else None

    async def _still(self, served: ServedCall, claims: Claims) -> ServedCall:
        """The call that is served here, if it still is and the token is for it.

        Raises:
            AttachmentRefused: It is not.
        """
        if self._keeping is not None:
            await self._keeping.sure()
        if served.ending is not None:
            raise AttachmentRefused(*_ENDING[served.ending])
        if claims.began_at < served.began_at:
            raise AttachmentRefused(*_ENDING[Ending.UNBORN])
        if claims.began_at > served.began_at or not served.issued(claims):
            # Another process has served it, or a call of its name, since.
            served.finish(Ending.TAKEN)
            raise AttachmentRefused(*_ENDING[Ending.TAKEN])
        return served

    def _go_on(self) -> None:
        """The process slept, and knows now which of its calls are still its own."""
        for served in self._running:
            if served.ending is None:
                served.transport.go_on()

    def _begun(self, call_id: str, task: asyncio.Task[ServedCall], *, new: bool) -> None:
        del self._beginning[call_id]
        # Whoever waited for it may be gone.
        if task.cancelled() or task.exception() is not None:
            self._uncount(call_id)
            if new:
                self.day.has_not_begun()

    def _count(self, call_id: str, client: str) -> None:
        """Count a new call of a client.

        Raises:
            AttachmentRefused: It has as many as one may have.
        """
        if not self._limits.takes(client, elsewhere=self._peers.calls_of(client)):
            raise AttachmentRefused(CloseCode.BUSY, "your address has as many calls as it may")
        self._clients[call_id] = client

    def _uncount(self, call_id: str) -> None:
        if (client := self._clients.pop(call_id, None)) is not None:
            self._limits.leaves(client)

    async def _begin(
        self,
        call_id: str,
        claims: Claims | None,
        hello: Hello,
        socket: Attachment,
        tools: Sequence[Tool],
        make: MakeTransport,
    ) -> ServedCall:
        """Make a call's chain and start it, when it is its turn.

        Raises:
            AttachmentRefused: It cannot be made.
        """
        await self._admission.turn(new=claims is None)
        if self.draining:
            raise AttachmentRefused(CloseCode.BUSY, "the server ends; try another")
        if claims is not None:
            beginning = await self._beginnings.taken(claims, hello)
        elif socket.is_open:
            beginning = await self._beginnings.new(call_id, hello)
        else:
            raise AttachmentRefused(CloseCode.TIMEOUT, "the client has gone")
        return await self._running.begin(replace(beginning, tools=tools), make)


__all__ = ["Calls"]
