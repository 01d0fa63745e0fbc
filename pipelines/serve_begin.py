"""With what a call of a server begins: as a new one, or as one that another process began."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from loguru import logger

from crossfade.audio.pcm import duration_ms
from crossfade.audio.resample import resample
from crossfade.conversation.ledger import Conversation
from crossfade.conversation.store_records import NewCall, StoredCall
from crossfade.errors import (
    ConnectionLost,
    CredentialsRefused,
    CrossfadeError,
    ProviderFault,
    SettingsError,
    StoreError,
)
from crossfade.processors.tools import Tool
from crossfade.providers import SessionConfig
from crossfade.transports.websocket_messages import CloseCode, Hello
from crossfade.transports.websocket_token import LIFETIME_S, Claims

from .assembly import new_conversation
from .serve_call import Setting
from .serve_nodes import CallNodes, ServedNodes
from .serve_settings import ServeSettings
from .serve_store import CallKeeping, NameTaken
from .stored_config import config_of, stored_config
from .takeover import Owed, take_up
from .takeover_state import UNBORN, CallState, end_sample

REPLACED = "a newer token of the call was used; begin a new call"
NAMED = "there is a call of this name; its token is needed"
BEGINNING = "a call of this name is just beginning; try again"
_NO_STORE = "the store does not answer"
_WHY = "the server's log tells why"
_KINDS = (
    (ConnectionLost, "the model's service cannot be reached"),
    (CredentialsRefused, "the model's service does not accept the server's key"),
    (ProviderFault, "the model's service refuses the call"),
    (StoreError, _NO_STORE),
)


class AttachmentRefused(CrossfadeError):
    """A client cannot be attached.

    Args:
        code: Of the close.
        message: For the client, without secrets.
    """

    def __init__(self, code: CloseCode, message: str) -> None:
        super().__init__(message)
        self.code = code


def told_of(error: BaseException | None) -> str:
    """What clients are told of an error: its kind. Its text may name paths and addresses."""
    kinds = (words for kind, words in _KINDS if isinstance(error, kind))
    return f"{next(kinds, 'the server cannot take this call')}; {_WHY}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """What the chain of a call is made with."""

    setting: Setting
    nodes: CallNodes
    config: SessionConfig
    begun: NewCall | None = None
    """As the store has it already: a name that the client chose is taken before all else."""
    stored: StoredCall | None = None
    conversation: Conversation | None = None
    unfinished: bytes = b""
    """What the caller said that nobody answered, for the session of a call that keeps its node; in
    a call that can change it, the chain hears it again."""
    owed: Owed = Owed.NOTHING
    tools: Sequence[Tool] = ()
    """Those of this call alone."""


class Beginnings:
    """Finds with what calls begin.

    Args:
        settings: The server's.
        nodes: Whom the calls talk to.
        tools: What their models may call.
        keeping: The store; None keeps nothing.
    """

    def __init__(
        self,
        settings: ServeSettings,
        nodes: ServedNodes,
        *,
        tools: Sequence[Tool],
        keeping: CallKeeping | None,
    ) -> None:
        self._settings = settings
        self._nodes = nodes
        self._tools = tools
        self._keeping = keeping

    async def new(self, call_id: str, hello: Hello) -> Beginning:
        """A new call, with its name in the store if the client chose that.

        Raises:
            AttachmentRefused: There is a call of that name, the store does not answer, or no node
                takes the call.
        """
        beginning = Beginning(
            nodes=self._nodes_of(call_id, hello.caller or call_id),
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
        begun = new_call(beginning, self._rate_hz(beginning.nodes, beginning.setting.in_rate_hz))
        try:
            await self._keeping.begin(begun)
        except NameTaken as error:
            code = CloseCode.REFUSED if error.born else CloseCode.TAKEN
            raise AttachmentRefused(code, NAMED if error.born else BEGINNING) from error
        except StoreError as error:
            logger.warning("call {} cannot begin: {}", call_id, error)
            raise AttachmentRefused(CloseCode.TAKEN, _NO_STORE) from error
        return replace(beginning, begun=begun)

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
        in_rate_hz = claims.input_rate_hz
        nodes = self._nodes_of(claims.call_id, claims.call_id, began_with=stored.spec)
        nodes = nodes.beginning_with(state.node)
        # For our node; the store has it for the one before.
        rate_hz = self._rate_hz(nodes, in_rate_hz)
        unfinished = resample(stored.unfinished, stored.audio_rate_hz, rate_hz)
        return Beginning(
            nodes=nodes,
            setting=Setting(
                call_id=claims.call_id,
                began_at=stored.started_at,
                in_rate_hz=in_rate_hz,
                out_rate_hz=claims.output_rate_hz,
                received_samples=end_sample(
                    state.start_sample,
                    stored.unfinished,
                    in_rate_hz=in_rate_hz,
                    audio_rate_hz=stored.audio_rate_hz,
                ),
                heard_again=unfinished if nodes.change else b"",
                attachments=state.attachments,
                born=True,
            ),
            config=self._config(stored, nodes.first.name),
            stored=stored,
            conversation=Conversation.restored(taken.entries, started_at_s=stored.started_at_s),
            unfinished=b"" if nodes.change else unfinished,
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

    def _config(self, stored: StoredCall, node: str) -> SessionConfig:
        """As stored; but another provider has other voices."""
        config = config_of(stored.config)
        same = stored.spec.partition(":")[0] == node.partition(":")[0]
        return config if same else replace(config, voice=self._settings.voice)

    def _nodes_of(self, call_id: str, key: str, *, began_with: str = "") -> CallNodes:
        try:
            return self._nodes.of_call(key, began_with=began_with)
        except SettingsError as error:
            logger.warning("no node takes call {}: {}", call_id, error)
            raise AttachmentRefused(CloseCode.FAILED, told_of(error)) from error

    def _rate_hz(self, nodes: CallNodes, in_rate_hz: int) -> int:
        return self._nodes.heard_rate_hz(nodes, in_rate_hz=in_rate_hz)


def new_call(beginning: Beginning, audio_rate_hz: int) -> NewCall:
    """A call as the store is told of it.

    Args:
        beginning: With what it begins.
        audio_rate_hz: Rate of its unfinished audio.
    """
    return NewCall(
        id=beginning.setting.call_id,
        spec=beginning.nodes.first.name,
        started_at=beginning.setting.began_at,
        config=stored_config(beginning.config),
        audio_rate_hz=audio_rate_hz,
        state=UNBORN,
    )


__all__ = [
    "BEGINNING",
    "NAMED",
    "REPLACED",
    "AttachmentRefused",
    "Beginning",
    "Beginnings",
    "new_call",
    "told_of",
]
