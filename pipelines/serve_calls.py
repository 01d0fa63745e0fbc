"""The calls of one process: begun, taken over from others, and handed over to them."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from loguru import logger

from crossfade.conversation.store_records import CallStatus, StoredHandle
from crossfade.errors import CrossfadeError, StoreError
from crossfade.observability.call import CallRecord
from crossfade.processors.keypad import Keypad
from crossfade.processors.tools import Tool
from crossfade.providers.continuity.route import Endpoint as RouteEndpoint
from crossfade.providers.continuity.serving import Serving
from crossfade.transports.attachment import Attachment
from crossfade.transports.websocket_messages import CloseCode, Hello
from crossfade.transports.websocket_token import Claims, TokenRefused, TokenSigner

from .assembly import Call
from .call_folder import make_call_folder
from .call_journal import CallJournal
from .endpoint import Endpoint
from .native_call import native_call
from .serve_admission import Admission
from .serve_begin import BEGINNING, NAMED, REPLACED, AttachmentRefused, Beginning, Beginnings
from .serve_call import Ending, ServedCall
from .serve_details import CallDetails
from .serve_limits import UNLIMITED, ClientLimits
from .serve_settings import ServeSettings
from .serve_store import CallKeeping
from .takeover_prompt import TakeoverPrompt
from .telemetry_calls import Watch, watch_nothing

_ENDING = {
    Ending.OVER: (CloseCode.UNKNOWN, "the call is over"),
    Ending.MOVED: (CloseCode.MOVED, "the server hands its calls over"),
    Ending.TAKEN: (CloseCode.TAKEN, "the call has gone on elsewhere; try again"),
    Ending.FAILED: (CloseCode.FAILED, "the call cannot go on here"),
    Ending.UNBORN: (CloseCode.UNKNOWN, "the call has not come about"),
}
_START_S = 15.0
_LOOK_S = 0.1


class Calls:
    """Attaches clients to calls; a call begins with its first client, here or in another process.

    Args:
        settings: The server's.
        provider: Whom the calls talk to.
        route: Who takes a call over when the provider fails, in this order.
        tools: What its model may call.
        signer: Of the tokens.
        keeping: The store; None keeps nothing.
        ended: Told after each call how many run.
        watch: Told of each call's record when it begins.
        limits: How many calls one client may have; None is as many as it likes.
    """

    def __init__(
        self,
        settings: ServeSettings,
        provider: Endpoint,
        *,
        route: Sequence[RouteEndpoint] = (),
        tools: Sequence[Tool],
        signer: TokenSigner,
        keeping: CallKeeping | None,
        ended: Callable[[int], None] = lambda running: None,
        watch: Watch = watch_nothing,
        limits: ClientLimits | None = None,
    ) -> None:
        self._settings = settings
        self._provider = provider
        self._route = route
        self._tools = tools
        self._signer = signer
        self._keeping = keeping
        self._ended = ended
        self._watch = watch
        self._limits = limits or ClientLimits(UNLIMITED)
        self._clients: dict[str, str] = {}
        """Which client began a call."""
        self._beginnings = Beginnings(settings, provider, tools=tools, keeping=keeping)
        self._admission = Admission()
        if keeping is not None:
            keeping.on_sure = self._go_on
        self._served: dict[str, ServedCall] = {}
        self._beginning: dict[str, asyncio.Task[ServedCall]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._switching: set[asyncio.Task[None]] = set()
        self.draining = False

    @property
    def count(self) -> int:
        """Calls that run here."""
        return len(self._served)

    @property
    def full(self) -> bool:
        """Whether no more calls are taken."""
        return len(self._served) + len(self._beginning) >= self._settings.most_calls

    async def attach(self, socket: Attachment, hello: Hello, *, client: str = "") -> ServedCall:
        """Attach a client to the call of its token, or to a new one.

        Args:
            socket: Its line.
            hello: What it said first.
            client: Its address, for what one client may have.

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
        served = await self._find(call_id, claims, hello, socket, client)
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
        served = self._served.get(call_id)
        if served is not None:
            claims: Claims | None = served.claims()
        else:
            claims = await self._beginnings.newest(call_id, hello)
        if claims is None and not (new or call_id in self._beginning):
            raise AttachmentRefused(CloseCode.UNKNOWN, "there is no such call any more")
        served = await self._find(call_id, claims, hello, socket, tools=tools)
        served.attach(socket, hello, claims)
        return served

    def served(self, call_id: str) -> ServedCall | None:
        """A call that runs here."""
        return self._served.get(call_id)

    async def drain(self) -> None:
        """Take no more calls, and hand over those that run, or end them where nobody can go on.

        Each is handed over at its next quiet moment, or after `drain_s`.
        """
        self.draining = True
        await asyncio.gather(*(self._hand_over(served) for served in tuple(self._served.values())))
        await self.close()

    async def close(self) -> None:
        """End what still runs here, as if the process had died, but with its last words kept."""
        while self._tasks:
            for served in tuple(self._served.values()):
                served.finish(Ending.MOVED)
            # Those that are just beginning are told at the next look.
            await asyncio.wait(self._tasks, timeout=_LOOK_S)

    async def _hand_over(self, served: ServedCall) -> None:
        await served.come_to_rest(self._settings.drain_s)
        served.finish(Ending.MOVED if self._keeping is not None else Ending.OVER)

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
        served = self._served.get(call_id)
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
    ) -> ServedCall:
        served = self._served.get(call_id)
        if served is not None and claims is not None:
            return await self._still(served, claims)
        # Of two clients that come at once, both are for the same call.
        task = self._beginning.get(call_id)
        if task is None:
            if self.full:
                raise AttachmentRefused(CloseCode.BUSY, "the server has as many calls as it takes")
            if claims is None and client is not None:
                self._count(call_id, client)
            beginning = self._begin(call_id, claims, hello, socket, tools)
            task = asyncio.create_task(beginning, name=f"begin {call_id}")
            self._beginning[call_id] = task
            task.add_done_callback(lambda done: self._begun(call_id, done))
        return await asyncio.shield(task)

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
        for served in self._served.values():
            if served.ending is None:
                served.transport.go_on()

    def _begun(self, call_id: str, task: asyncio.Task[ServedCall]) -> None:
        del self._beginning[call_id]
        # Whoever waited for it may be gone.
        if task.cancelled() or task.exception() is not None:
            self._uncount(call_id)

    def _count(self, call_id: str, client: str) -> None:
        """Count a new call of a client.

        Raises:
            AttachmentRefused: It has as many as one may have.
        """
        if not self._limits.takes(client):
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
        beginning = replace(beginning, tools=tools)
        served = ServedCall(
            beginning.setting,
            self._signer,
            detached_s=self._settings.detached_s,
            unsure=(lambda: False) if self._keeping is None else self._keeping.unsure,
        )
        started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(
            self._serve(served, beginning, started), name=f"serve {served.call_id}"
        )
        self._tasks.add(task)
        task.add_done_callback(self._over)
        await asyncio.wait([task, started], timeout=_START_S, return_when=asyncio.FIRST_COMPLETED)
        if not started.done() or started.cancelled():
            task.cancel()
            await asyncio.wait([task])
            raise AttachmentRefused(
                CloseCode.FAILED, served.failure or "the call did not start in time"
            )
        return served

    def _over(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._ended(len(self._served))

    async def _serve(
        self, served: ServedCall, beginning: Beginning, started: "asyncio.Future[None]"
    ) -> None:
        """Serve a call until it ends here."""
        try:
            async with self._chain(served, beginning) as (call, journal):

                def on_started() -> None:
                    self._served[served.call_id] = served
                    if not started.done():
                        started.set_result(None)

                if (
                    self._keeping is not None
                    and beginning.stored is None
                    and beginning.begun is None
                ):
                    # A call that is not in the store yet could not be found by its token.
                    await self._keeping.flush_new(served.call_id)
                ending = await served.run(
                    call,
                    kept=lambda: journal is None or journal.kept,
                    started=on_started,
                    leave=lambda ending: self._leave(served, journal, ending),
                )
                if journal is not None and ending is Ending.OVER:
                    journal.end(CallStatus.ENDED, time.time())
                    assert self._keeping is not None
                    await self._keeping.flush(served.call_id)
        except CrossfadeError as error:
            served.failure = str(error)
            logger.warning("call {} cannot be served: {}", served.call_id, error)
            if self._keeping is not None and beginning.stored is not None:
                with contextlib.suppress(StoreError):
                    await self._keeping.give_back(served.call_id)
        finally:
            self._served.pop(served.call_id, None)
            self._uncount(served.call_id)
            unborn = beginning.begun is not None and not started.done()
            if self._keeping is not None and (unborn or served.ending is Ending.UNBORN):
                await self._keeping.withdraw(served.call_id)
            started.cancel()

    @contextlib.asynccontextmanager
    async def _chain(
        self, served: ServedCall, beginning: Beginning
    ) -> AsyncIterator[tuple[Call, CallJournal | None]]:
        folder = make_call_folder(self._settings.runs, datetime.now())
        details = {"model": self._settings.model, "call": served.call_id}
        record = CallRecord.open(folder, capture=self._settings.capture, details=details)
        self._watch(record, served.call_id)
        try:
            async with native_call(
                self._provider.spec,
                transport=served.transport,
                record=record,
                config=beginning.config,
                tools=[*self._tools, *beginning.tools],
                base_url=self._provider.base_url,
                api_key=self._provider.api_key,
                route=self._route,
                conversation=beginning.conversation,
                unfinished=beginning.unfinished,
                in_rate_hz=served.transport.in_rate_hz,
                out_rate_hz=served.transport.out_rate_hz,
                entry=[Keypad()],
                custom=[TakeoverPrompt(beginning.owed)],
            ) as call:
                if self._settings.details:
                    self._tell_details(served, record, call)
                yield call, self._journal(served, beginning, call, folder)
        finally:
            record.dropped("ms of the caller's sound on the way", round(served.transport.lost_ms))
            record.close({})

    def _tell_details(self, served: ServedCall, record: CallRecord, call: Call) -> None:
        serving = call.serving()
        details = CallDetails(
            served.transport.tell_detail,
            record,
            call.conversation,
            provider=self._provider.spec if serving is None else serving.provider,
            secrets=frozenset().union(*(tool.declaration.secrets for tool in self._tools)),
        )
        served.greet = details.greet
        served.transport.on_played(details.played)
        served.transport.on_node = lambda name: self._choose(call, name, details)

    def _choose(self, call: Call, name: str, details: CallDetails) -> None:
        """Have another node serve a call, if it has one of that name."""

        async def switch() -> None:
            try:
                await call.switch_to(name, why="the caller's choice")
            except CrossfadeError as error:
                details.problem(str(error))

        task = asyncio.create_task(switch(), name="switch nodes")
        self._switching.add(task)
        task.add_done_callback(self._switching.discard)

    def _journal(
        self, served: ServedCall, beginning: Beginning, call: Call, folder: Path
    ) -> CallJournal | None:
        if self._keeping is None:
            return None
        rate_hz = call.unfinished_rate_hz
        return self._keeping.open(
            beginning.begun or self._beginnings.new_call(beginning, rate_hz),
            call.conversation,
            unfinished=served.unfinished if self._settings.unfinished_audio else None,
            state=served.stored_state(rate_hz),
            handle=lambda: _stored_handle(call.serving()),
            begun=beginning.begun is not None,
            stored=beginning.stored,
            folder=folder,
            taken=lambda: served.finish(Ending.TAKEN),
        )

    async def _leave(self, served: ServedCall, journal: CallJournal | None, ending: Ending) -> None:
        """Let go of a call: another process is to have its last state before its client asks."""
        if journal is not None and ending in (Ending.MOVED, Ending.FAILED, Ending.UNBORN):
            assert self._keeping is not None
            journal.leave()
            await self._keeping.flush(served.call_id)
        served.dismiss(ending)


def _stored_handle(serving: Serving | None) -> StoredHandle | None:
    if serving is None or not serving.handle:
        return None
    return StoredHandle(spec=serving.provider, value=serving.handle)


__all__ = ["Calls"]
