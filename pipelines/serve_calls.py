"""The calls of one process: begun, taken over from others, and handed over to them."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from loguru import logger

from crossfade.audio.pcm import duration_ms
from crossfade.audio.resample import resample
from crossfade.conversation.ledger import Conversation
from crossfade.conversation.store_records import (
    CallStatus,
    NewCall,
    StoredCall,
    StoredHandle,
)
from crossfade.errors import CrossfadeError, StoreError
from crossfade.observability.call import CallRecord
from crossfade.processors.tools import Tool
from crossfade.providers import SessionConfig, connect
from crossfade.providers.continuity.route import Endpoint as RouteEndpoint
from crossfade.providers.continuity.serving import Serving
from crossfade.transports.websocket_messages import CloseCode, Hello
from crossfade.transports.websocket_socket import ClientSocket
from crossfade.transports.websocket_token import Claims, TokenRefused, TokenSigner

from .assembly import Call, new_conversation
from .call_folder import make_call_folder
from .call_journal import CallJournal
from .endpoint import Endpoint
from .native_call import native_call
from .serve_call import Ending, ServedCall, Setting
from .serve_settings import ServeSettings
from .serve_store import CallKeeping
from .stored_config import config_of, stored_config
from .takeover import Owed, take_up
from .takeover_prompt import TakeoverPrompt
from .takeover_state import CallState, end_sample

_ENDING = {
    Ending.OVER: (CloseCode.UNKNOWN, "the call is over"),
    Ending.MOVED: (CloseCode.MOVED, "the server hands its calls over"),
    Ending.TAKEN: (CloseCode.TAKEN, "the call has gone on elsewhere; try again"),
    Ending.FAILED: (CloseCode.FAILED, "the call cannot go on here"),
}
_REPLACED = "a newer token of the call was used; begin a new call"
_NAMED = "there is a call of this name; its token is needed"
_START_S = 15.0
_LOOK_S = 0.1


class AttachmentRefused(CrossfadeError):
    """A client cannot be attached.

    Args:
        code: Of the close.
        message: For the client, without secrets.
    """

    def __init__(self, code: CloseCode, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """What the chain of a call is made with."""

    setting: Setting
    config: SessionConfig
    begun: NewCall | None = None
    """As the store has it already: a name that the client chose is taken before all else."""
    stored: StoredCall | None = None
    conversation: Conversation | None = None
    unfinished: bytes = b""
    owed: Owed = Owed.NOTHING


class Calls:
    """Attaches clients to calls; a call begins with its first client, here or in another process.

    Args:
        settings: The server's.
        provider: Whom the calls talk to.
        route: Who takes a call over when the provider fails, in this order.
        tools: What its model may call.
        signer: Of the tokens.
        keeping: The store; None keeps nothing.
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
    ) -> None:
        self._settings = settings
        self._provider = provider
        self._route = route
        self._tools = tools
        self._signer = signer
        self._keeping = keeping
        self._served: dict[str, ServedCall] = {}
        self._beginning: dict[str, asyncio.Task[ServedCall]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.draining = False

    @property
    def count(self) -> int:
        """Calls that run here."""
        return len(self._served)

    async def attach(self, socket: ClientSocket, hello: Hello) -> ServedCall:
        """Attach a client to the call of its token, or to a new one.

        Raises:
            AttachmentRefused: It cannot be.
        """
        if self.draining:
            raise AttachmentRefused(CloseCode.BUSY, "the server ends; try another")
        claims = None if hello.token is None else self._claims(hello.token)
        call_id = (hello.call_id or f"call_{secrets.token_hex(12)}") if claims is None else None
        served = await self._find(claims, call_id, hello)
        if claims is not None and not served.accepts(claims):
            raise AttachmentRefused(CloseCode.REFUSED, _REPLACED)
        served.attach(socket, hello, claims)
        return served

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

    async def _find(self, claims: Claims | None, new_id: str | None, hello: Hello) -> ServedCall:
        call_id = claims.call_id if claims is not None else new_id
        assert call_id is not None
        if claims is None and (call_id in self._served or call_id in self._beginning):
            raise AttachmentRefused(CloseCode.REFUSED, _NAMED)
        if served := self._served.get(call_id):
            if served.ending is not None:
                raise AttachmentRefused(*_ENDING[served.ending])
            return served
        # Of two clients that come at once, both are for the same call.
        task = self._beginning.get(call_id)
        if task is None:
            if len(self._served) + len(self._beginning) >= self._settings.most_calls:
                raise AttachmentRefused(CloseCode.BUSY, "the server has as many calls as it takes")
            making = self._new(call_id, hello) if claims is None else self._taken(claims, hello)
            task = asyncio.create_task(self._begin(making), name=f"begin {call_id}")
            self._beginning[call_id] = task
            task.add_done_callback(lambda done: self._begun(call_id, done))
        return await asyncio.shield(task)

    def _begun(self, call_id: str, task: asyncio.Task[ServedCall]) -> None:
        del self._beginning[call_id]
        if not task.cancelled():
            # Whoever waited for it may be gone.
            task.exception()

    async def _new(self, call_id: str, hello: Hello) -> Beginning:
        """A new call, with its name in the store if the client chose that.

        Raises:
            AttachmentRefused: There is a call of that name, or the store does not answer.
        """
        beginning = Beginning(
            setting=Setting(
                call_id=call_id,
                in_rate_hz=hello.input_rate_hz or 16000,
                out_rate_hz=hello.output_rate_hz or 24000,
            ),
            config=SessionConfig(
                instructions=self._settings.instructions, voice=self._settings.voice
            ),
            conversation=new_conversation(),
        )
        if self._keeping is None or hello.call_id is None:
            return beginning
        begun = self._new_call(call_id, beginning.config, self._our_rate_hz())
        try:
            made = await self._keeping.begin(begun)
        except StoreError as error:
            logger.warning("call {} cannot begin: {}", call_id, error)
            raise AttachmentRefused(CloseCode.TAKEN, "the store does not answer") from error
        if not made:
            raise AttachmentRefused(CloseCode.REFUSED, _NAMED)
        return replace(beginning, begun=begun)

    async def _taken(self, claims: Claims, hello: Hello) -> Beginning:
        """Take a call over from another process.

        Raises:
            AttachmentRefused: There is none that runs, or the store does not answer.
        """
        try:
            stored = None if self._keeping is None else await self._take(self._keeping, claims)
        except StoreError as error:
            logger.warning("call {} cannot be taken over: {}", claims.call_id, error)
            raise AttachmentRefused(CloseCode.TAKEN, "the store does not answer") from error
        if stored is None:
            raise AttachmentRefused(CloseCode.UNKNOWN, "there is no such call any more")
        state = CallState.decoded(stored.state)
        again = frozenset(tool.declaration.name for tool in self._tools if tool.policy.idempotent)
        now_s = asyncio.get_running_loop().time()
        taken = take_up(
            stored.entries,
            state,
            unfinished=bool(stored.unfinished),
            heard=hello.heard,
            idempotent=again,
            now_s=now_s,
        )
        logger.info(
            "call {} goes on here: {:.1f} s of speech to be heard again, owed: {}",
            claims.call_id,
            duration_ms(stored.unfinished, stored.audio_rate_hz) / 1000,
            taken.owed.value,
        )
        return Beginning(
            setting=Setting(
                call_id=claims.call_id,
                in_rate_hz=claims.input_rate_hz,
                out_rate_hz=claims.output_rate_hz,
                received_samples=end_sample(
                    state.start_sample,
                    stored.unfinished,
                    in_rate_hz=claims.input_rate_hz,
                    audio_rate_hz=stored.audio_rate_hz,
                ),
                attachments=state.attachments,
            ),
            config=self._config(stored),
            stored=stored,
            conversation=Conversation.restored(taken.entries, started_at_s=stored.started_at_s),
            unfinished=self._at_our_rate(stored),
            owed=taken.owed,
        )

    def _config(self, stored: StoredCall) -> SessionConfig:
        """As stored; but another provider has other voices."""
        config = config_of(stored.config)
        same = stored.spec.partition(":")[0] == self._provider.spec.partition(":")[0]
        return config if same else replace(config, voice=self._settings.voice)

    def _at_our_rate(self, stored: StoredCall) -> bytes:
        """The unfinished audio, for our provider; the store has it for the one before."""
        return resample(stored.unfinished, stored.audio_rate_hz, self._our_rate_hz())

    def _our_rate_hz(self) -> int:
        """The rate at which our provider hears the caller."""
        ours = connect(
            self._provider.spec,
            base_url=self._provider.base_url,
            api_key=self._provider.api_key,
        )
        return ours.input_rate_hz

    def _new_call(self, call_id: str, config: SessionConfig, audio_rate_hz: int) -> NewCall:
        return NewCall(
            id=call_id,
            spec=self._provider.spec,
            started_at=time.time(),
            config=stored_config(config),
            audio_rate_hz=audio_rate_hz,
        )

    async def _take(self, keeping: CallKeeping, claims: Claims) -> StoredCall | None:
        """Take a call, if the token is none that a newer one has replaced: nobody who has but an
        old one can take it from whoever serves it."""
        seen = await keeping.look(claims.call_id)
        if seen is None:
            return None
        if claims.attachment < CallState.decoded(seen.state).attachments:
            raise AttachmentRefused(CloseCode.REFUSED, _REPLACED)
        return await keeping.take(claims.call_id)

    async def _begin(self, making: Coroutine[Any, Any, Beginning]) -> ServedCall:
        """Make a call's chain and start it.

        Raises:
            AttachmentRefused: It cannot be made.
        """
        beginning = await making
        served = ServedCall(beginning.setting, self._signer, detached_s=self._settings.detached_s)
        started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(
            self._serve(served, beginning, started), name=f"serve {served.call_id}"
        )
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await asyncio.wait([task, started], timeout=_START_S, return_when=asyncio.FIRST_COMPLETED)
        if not started.done() or started.cancelled():
            task.cancel()
            await asyncio.wait([task])
            raise AttachmentRefused(
                CloseCode.FAILED, served.failure or "the call did not start in time"
            )
        return served

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
                    await self._keeping.flush()
                ending = await served.run(
                    call,
                    started=on_started,
                    leave=lambda ending: self._leave(served, journal, ending),
                )
                if journal is not None and ending is Ending.OVER:
                    journal.end(CallStatus.ENDED, time.time())
                    assert self._keeping is not None
                    await self._keeping.flush()
        except CrossfadeError as error:
            served.failure = str(error)
            logger.warning("call {} cannot be served: {}", served.call_id, error)
            if self._keeping is not None and beginning.stored is not None:
                with contextlib.suppress(StoreError):
                    await self._keeping.give_back(served.call_id)
        finally:
            self._served.pop(served.call_id, None)
            if self._keeping is not None and beginning.begun is not None and not started.done():
                await self._keeping.withdraw(served.call_id)
            started.cancel()

    @contextlib.asynccontextmanager
    async def _chain(
        self, served: ServedCall, beginning: Beginning
    ) -> AsyncIterator[tuple[Call, CallJournal | None]]:
        folder = make_call_folder(self._settings.runs, datetime.now())
        details = {"model": self._settings.model, "call": served.call_id}
        record = CallRecord.open(folder, details=details)
        try:
            async with native_call(
                self._provider.spec,
                transport=served.transport,
                record=record,
                config=beginning.config,
                tools=self._tools,
                base_url=self._provider.base_url,
                api_key=self._provider.api_key,
                route=self._route,
                conversation=beginning.conversation,
                unfinished=beginning.unfinished,
                in_rate_hz=served.transport.in_rate_hz,
                out_rate_hz=served.transport.out_rate_hz,
                custom=[TakeoverPrompt(beginning.owed)],
            ) as call:
                yield call, self._journal(served, beginning, call)
        finally:
            record.dropped("ms of the caller's sound on the way", round(served.transport.lost_ms))
            record.close({})

    def _journal(self, served: ServedCall, beginning: Beginning, call: Call) -> CallJournal | None:
        if self._keeping is None:
            return None
        rate_hz = call.unfinished_rate_hz
        new = self._new_call(served.call_id, beginning.config, rate_hz)
        return self._keeping.open(
            beginning.begun or new,
            call.conversation,
            unfinished=served.unfinished,
            state=served.stored_state(rate_hz),
            handle=lambda: _stored_handle(call.serving()),
            begun=beginning.begun is not None,
            stored=beginning.stored,
            taken=lambda: served.finish(Ending.TAKEN),
        )

    async def _leave(self, served: ServedCall, journal: CallJournal | None, ending: Ending) -> None:
        """Let go of a call: another process is to have its last state before its client asks."""
        if journal is not None and ending in (Ending.MOVED, Ending.FAILED):
            assert self._keeping is not None
            journal.leave()
            await self._keeping.flush()
        served.dismiss(ending)


def _stored_handle(serving: Serving | None) -> StoredHandle | None:
    if serving is None or not serving.handle:
        return None
    return StoredHandle(spec=serving.provider, value=serving.handle)


__all__ = ["AttachmentRefused", "Beginning", "Calls"]
