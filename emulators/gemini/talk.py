"""What is said in a session once it is set up: content, realtime input, results of functions."""

import random
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from ..backends.backend import Told, Trigger
from ..faults.script import Fault
from ..tasks import OwnedTasks
from ..turn_detection import ScorerFactory
from ..user_audio import UserAudio
from . import faults
from .answers import Answers
from .calls import Calls
from .closes import INVALID_ARGUMENT, INVALID_ROLE, NOT_IMPLEMENTED, Closed
from .configuration import Configuration, content_text, updated
from .conversation import Conversation
from .outbox import Outbox
from .timing import Timing
from .tokens import IMAGE_TOKENS, Tokens, audio_tokens, text_tokens
from .turn import Request
from .user_turns import BYTES_PER_MS, UserTurns, Utterance, audio_rate_hz

_ROLES = ("user", "model")


class Talk:
    """A session that is set up.

    Args:
        conversation: What is remembered, and who answers.
        configuration: What is in force.
        outbox: Where messages go.
        tasks: Owns all work.
        chance: Makes ids.
        timing: The pace.
        scorer: Makes the speech scorer of a turn detector.
        refuse_audio: Sound is refused while the model waits for a function.
        settled: Told whether the session can be resumed as it is now, when that changes.
        saw_video: Told of video.
        refuse: Told why the connection must end.
        audio: Keeps what the user says, if somebody wants to look at it.
    """

    def __init__(
        self,
        conversation: Conversation,
        configuration: Configuration,
        *,
        outbox: Outbox,
        tasks: OwnedTasks,
        chance: random.Random,
        timing: Timing,
        scorer: ScorerFactory,
        refuse_audio: bool,
        settled: Callable[[bool], None],
        saw_video: Callable[[], None],
        refuse: Callable[[Closed], None],
        audio: UserAudio | None = None,
    ) -> None:
        self.configuration = configuration
        self.conversation = conversation
        self._refuse_audio = refuse_audio
        self._grace_ms = timing.crossing_ms
        self._settled = settled
        self._saw_video = saw_video
        # The history may still be given.
        self._begun = False
        self._calls = Calls(chance, vertex=configuration.endpoint.vertex)
        self._answers = Answers(
            conversation,
            configuration,
            calls=self._calls,
            outbox=outbox,
            tasks=tasks,
            timing=timing,
            settled=settled,
            refuse=refuse,
        )
        self._turns = UserTurns(
            configuration,
            conversation.dialogue,
            outbox=outbox,
            tasks=tasks,
            timing=timing,
            scorer=scorer,
            began=self._answers.user_began,
            ended=self._spoken,
            audio=audio,
        )
        self._handlers: dict[str, Callable[[Any], None]] = {
            "realtimeInput.audio": self._hear,
            "realtimeInput.mediaChunks": self._take_media,
            "realtimeInput.video": self._see,
            "realtimeInput.text": self._read,
            "realtimeInput.activityStart": lambda _: self._turns.start_activity(),
            "realtimeInput.activityEnd": lambda _: self._turns.end_activity(),
            "realtimeInput.audioStreamEnd": self._end_stream,
            "clientContent": self._take_content,
            "toolResponse": self._take_results,
            "contextUpdate": self._update,
        }
        conversation.dialogue.configure(configuration.tools.offered)

    def receive(self, kind: str, value: Any) -> None:
        """Take a checked message.

        Raises:
            Closed: It cannot be taken.
        """
        self._handlers[kind](value)
        self._begun |= kind.startswith("realtimeInput")

    def suffer(self, fault: Fault) -> None:
        """One of the wire's own faults strikes."""
        match fault:
            case faults.CallCancellation():
                self._answers.cancel_calls()
            case faults.LateInterruption():
                self._answers.late_interruption = True
            case faults.RejectTurn(reason=reason):
                self._answers.rejection = reason
            case _:
                self._turns.transcript_fault = fault

    def _hear(self, blob: Mapping[str, Any]) -> None:
        rate_hz = audio_rate_hz(blob.get("mimeType", "audio/pcm"))
        if self._refuse_audio and self._calls.blocking and self._answers.called_ms > self._grace_ms:
            raise Closed(NOT_IMPLEMENTED)
        self._turns.hear(blob.get("data", b""), rate_hz)

    def _take_media(self, blobs: list[Mapping[str, Any]]) -> None:
        for blob in blobs:
            if blob.get("mimeType", "").startswith("image/"):
                self._see(blob)
            else:
                self._hear(blob)

    def _see(self, blob: Mapping[str, Any]) -> None:
        if not blob.get("mimeType", "").startswith("image/"):
            raise Closed(INVALID_ARGUMENT)
        self._saw_video()
        if self._turns.active or self.configuration.coverage != "TURN_INCLUDES_ONLY_ACTIVITY":
            self.conversation.context.add("user", Tokens(image=IMAGE_TOKENS))
            self._answers.fit()

    def _read(self, text: str) -> None:
        """Typed text is an activity like speech. A blank one makes the model answer what waits."""
        context = self.conversation.context
        if not text.strip():
            if not self._answers.running and context.last_role == "user":
                self._ask()
            return
        context.add("user", Tokens(text=text_tokens(text)), text)
        if self.configuration.detection is None and self._turns.active:
            return
        if self.configuration.interrupts:
            self._answers.interrupt()
        self._ask()

    def _ask(self) -> None:
        waits = self.conversation.context.waits_for_answer
        self._answers.ask(Request(trigger=Trigger.TEXT if waits else Trigger.REQUEST))

    def _end_stream(self, ended: bool) -> None:
        if ended:
            self._turns.end_stream()

    def _spoken(self, utterance: Utterance) -> None:
        self.conversation.context.add("user", utterance.tokens)
        self._answers.user_ended(
            Request(trigger=Trigger.SPEECH, words=utterance.words, heard=utterance.turn)
        )

    def _take_content(self, content: Mapping[str, Any]) -> None:
        model, context = self.configuration.model, self.conversation.context
        complete = content.get("turnComplete", False)
        # A history that was announced triggers no model call, says the service's reference.
        answered = model.content_is_answered and (self._begun or not self.configuration.seeded)
        if not model.content_mid_session and (self._begun or not self.configuration.seeded):
            raise Closed(INVALID_ARGUMENT)
        turns = content.get("turns", [])
        for turn in turns:
            self._check_role(turn)
        if complete or model.content_interrupts:
            self._answers.interrupt()
        for turn in turns:
            self._add(turn)
        self._answers.fit()
        if not complete:
            if turns and not self._answers.running:
                self._settled(True)
            return
        self._begun = True
        if model.ends_with_user and context.last_role == "model" and turns:
            raise Closed(INVALID_ARGUMENT)
        if answered:
            self._ask()

    def _check_role(self, turn: Mapping[str, Any]) -> None:
        role = turn.get("role", "" if self.configuration.model.explicit_roles else "user")
        if role not in _ROLES:
            raise Closed(INVALID_ROLE)

    def _add(self, turn: Mapping[str, Any]) -> None:
        role = turn.get("role", "user")
        tokens, context = Tokens(), self.conversation.context
        for part in turn.get("parts", []):
            tokens += _part_tokens(part)
            for who, text in _told(role, part):
                self.conversation.dialogue.told(who, text)
        if role == "model":
            # It answered what came before it.
            context.take_unanswered()
        context.add(role, tokens, content_text(turn))

    def _take_results(self, response: Mapping[str, Any]) -> None:
        self._answers.take(self._calls.answer(response.get("functionResponses", [])))

    def _update(self, update: Mapping[str, Any]) -> None:
        self.configuration = updated(self.configuration, update)
        self._answers.configuration = self.configuration
        self.conversation.dialogue.configure(self.configuration.tools.offered)


def _part_tokens(part: Mapping[str, Any]) -> Tokens:
    """What a checked part costs; what is neither text nor a blob is counted as the text it is."""
    if "text" in part:
        return Tokens(text=text_tokens(part["text"]))
    if "inlineData" in part:
        blob = part["inlineData"]
        if blob.get("mimeType", "").startswith("audio/"):
            return Tokens(audio=audio_tokens(len(blob.get("data", b"")) / BYTES_PER_MS))
        return Tokens(image=IMAGE_TOKENS)
    return Tokens(text=text_tokens(str(part)))


def _told(role: str, part: Mapping[str, Any]) -> list[tuple[Told, str]]:
    """What a part of given content tells of the conversation, for who answers it."""
    if "functionCall" in part:
        return [(Told.CALL, part["functionCall"].get("name", ""))]
    if "functionResponse" in part:
        return [(Told.RESULT, orjson.dumps(part["functionResponse"].get("response", {})).decode())]
    text = part.get("text", "")
    if not text.strip() or part.get("thought"):
        return []
    return [(Told.AGENT if role == "model" else Told.USER, text)]
