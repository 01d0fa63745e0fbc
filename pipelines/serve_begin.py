"""With what a call of a server begins: as a new one, or as one that another process began."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from loguru import logger

from crossfade.audio.pcm import duration_ms
from crossfade.audio.resample import resample
from crossfade.conversation.ledger import Conversation
from crossfade.conversation.store_records import NewCall, StoredCall
from crossfade.errors import CrossfadeError, StoreError
from crossfade.processors.tools import Tool
from crossfade.providers import SessionConfig, connect
from crossfade.transports.websocket_messages import CloseCode, Hello
from crossfade.transports.websocket_token import LIFETIME_S, Claims

from .assembly import new_conversation
from .endpoint import Endpoint
from .serve_call import Setting
from .serve_settings import ServeSettings
from .serve_store import CallKeeping, NameTaken
from .stored_config import config_of, stored_config
from .takeover import Owed, take_up
from .takeover_state import UNBORN, CallState, end_sample

REPLACED = "a newer token of the call was used; begin a new call"
NAMED = "there is a call of this name; its token is needed"
BEGINNING = "a call of this name is just beginning; try again"
_NO_STORE = "the store does not answer"


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
    tools: Sequence[Tool] = ()
    """Those of this call alone."""


class Beginnings:
    """Finds with what calls begin.

    Args:
        settings: The server's.
        provider: Whom the calls talk to.
        tools: What its model may call.
        keeping: The store; None keeps nothing.
    """

    def __init__(
        self,
        settings: ServeSettings,
        provider: Endpoint,
        *,
        tools: Sequence[Tool],
        keeping: CallKeeping | None,
    ) -> None:
        self._settings = settings
        self._provider = provider
        self._tools = tools
        self._keeping = keeping

    async def new(self, call_id: str, hello: Hello) -> Beginning:
        """A new call, with its name in the store if the client chose that.

        Raises:
            AttachmentRefused: There is a call of that name, or the store does not answer.
        """
        beginning = Beginning(
            setting=Setting(
                call_id=call_id,
                began_at=time.time(),
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
        begun = self.new_call(beginning, self._rate_hz)
        try:
            await self._keeping.begin(begun)
        except NameTaken as error:
            code = CloseCode.REFUSED if error.born else CloseCode.TAKEN
            raise AttachmentRefused(code, NAMED if error.born else BEGINNING) from error
        except StoreError as error:
            logger.warning("call {} cannot begin: {}", call_id, error)
            raise AttachmentRefused(CloseCode.TAKEN, _NO_STORE) from error
        return replace(beginning, begun=begun)

    def new_call(self, beginning: Beginning, audio_rate_hz: int) -> NewCall:
        """As the store is told of it.

        Args:
            beginning: With what it begins.
            audio_rate_hz: Rate of its unfinished audio.
        """
        return NewCall(
            id=beginning.setting.call_id,
            spec=self._provider.spec,
            started_at=beginning.setting.began_at,
            config=stored_config(beginning.config),
            audio_rate_hz=audio_rate_hz,
            state=UNBORN,
        )

    async def newest(self, call_id: str, hello: Hello) -> Claims | None:
        """What the newest token of a call would say, of one that runs in the store; else None.

        Raises:
            AttachmentRefused: The store does not answer.
        """
        if self._keeping is None:
            return None
        try:
            seen = await self._keeping.look(call_id)
        except StoreError as error:
            logger.warning("call {} is not looked for: {}", call_id, error)
            raise AttachmentRefused(CloseCode.TAKEN, _NO_STORE) from error
        if seen is None or seen.state == UNBORN:
            return None
        return Claims(
            call_id=call_id,
            attachment=CallState.decoded(seen.state).attachments,
            began_at=seen.started_at,
            expires_at=time.time() + LIFETIME_S,
            input_rate_hz=hello.input_rate_hz or 16000,
            output_rate_hz=hello.output_rate_hz or 24000,
        )

    async def taken(self, claims: Claims, hello: Hello) -> Beginning:
        """Take a call over from another process.

        Raises:
            AttachmentRefused: There is none that runs, or the store does not answer.
        """
        try:
            stored = None if self._keeping is None else await self._take(self._keeping, claims)
        except StoreError as error:
            logger.warning("call {} cannot be taken over: {}", claims.call_id, error)
            raise AttachmentRefused(CloseCode.TAKEN, _NO_STORE) from error
        if stored is None:
            if not claims.kept:
                known = "only the server where the call began knows of it; try that"
                raise AttachmentRefused(CloseCode.TAKEN, known)
            raise AttachmentRefused(CloseCode.UNKNOWN, "there is no such call any more")
        state = CallState.decoded(stored.state)
        again = frozenset(tool.declaration.name for tool in self._tools if tool.policy.idempotent)
        taken = take_up(
            stored.entries,
            state,
            unfinished=bool(stored.unfinished),
            heard=hello.heard,
            idempotent=again,
            now_s=asyncio.get_running_loop().time(),
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
                began_at=stored.started_at,
                in_rate_hz=claims.input_rate_hz,
                out_rate_hz=claims.output_rate_hz,
                received_samples=end_sample(
                    state.start_sample,
                    stored.unfinished,
                    in_rate_hz=claims.input_rate_hz,
                    audio_rate_hz=stored.audio_rate_hz,
                ),
                attachments=state.attachments,
                born=True,
            ),
            config=self._config(stored),
            stored=stored,
            conversation=Conversation.restored(taken.entries, started_at_s=stored.started_at_s),
            # For our provider; the store has it for the one before.
            unfinished=resample(stored.unfinished, stored.audio_rate_hz, self._rate_hz),
            owed=taken.owed,
        )

    async def _take(self, keeping: CallKeeping, claims: Claims) -> StoredCall | None:
        """Take a call, if the token is none that a newer one has replaced: nobody who has but an
        old one can take it from whoever serves it. A later call of the same name is another."""
        seen = await keeping.look(claims.call_id)
        if seen is None or seen.started_at != claims.began_at:
            return None
        if claims.attachment < CallState.decoded(seen.state).attachments:
            raise AttachmentRefused(CloseCode.REFUSED, REPLACED)
        return await keeping.take(claims.call_id)

    def _config(self, stored: StoredCall) -> SessionConfig:
        """As stored; but another provider has other voices."""
        config = config_of(stored.config)
        same = stored.spec.partition(":")[0] == self._provider.spec.partition(":")[0]
        return config if same else replace(config, voice=self._settings.voice)

    @cached_property
    def _rate_hz(self) -> int:
        """The rate at which our provider hears the caller."""
        ours = connect(
            self._provider.spec,
            base_url=self._provider.base_url,
            api_key=self._provider.api_key,
        )
        return ours.input_rate_hz


__all__ = ["BEGINNING", "NAMED", "REPLACED", "AttachmentRefused", "Beginning", "Beginnings"]
