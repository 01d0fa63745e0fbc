"""How a call stands, for who swaps its node: whose turn it is, what runs, what is owed. Pure.

Told of the frames that pass the node and of those that it emits.
"""

from collections import OrderedDict, deque
from dataclasses import dataclass, field

from crossfade.frames.control import (
    Frame,
    InterruptionFrame,
    ResponseEndFrame,
    ResponseStartFrame,
    SpeechDroppedFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    UserTurnCommittedFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from crossfade.frames.text import (
    InputTextRawFrame,
    UserPartialTranscriptFrame,
    UserTranscriptFrame,
)
from crossfade.frames.tools import (
    FunctionCallInProgressFrame,
    FunctionCallResultFrame,
    ToolCallsFrame,
    ToolCancelFrame,
    is_final,
)

from .kept_uplink import HEARD, KeptUplink
from .speech_node import HeardBefore, Takeover, Wanted

_NAMES_KEPT = 64

NamesTurn = UserPartialTranscriptFrame | UserTranscriptFrame | UserTurnCommittedFrame


@dataclass(slots=True)
class _Turn:
    """A turn of the user that is not answered, or speech that may become one."""

    at: int
    """Where in the kept sound it begins."""
    begun: bool = False
    ended: bool = False
    name: str = ""
    committed: bool = False


@dataclass(slots=True)
class _Response:
    injected: bool
    pays: Wanted = Wanted.NOTHING
    """What was owed when it began."""
    turns: list[_Turn] = field(default_factory=list)
    """What it is the answer to."""
    begun: bool = False
    """Some of its sound has come."""
    interrupted: bool = False
    received_ms: dict[str, float] = field(default_factory=dict)


class Standing:
    """Follows a call through whichever node serves.

    Args:
        kept: The user's sound; held from where the oldest turn begins that is not answered.
        owed: What is owed as the call begins.
    """

    def __init__(self, kept: KeptUplink, *, owed: Wanted = Wanted.NOTHING) -> None:
        self._kept = kept
        self._user_sounds = False
        self._turns: deque[_Turn] = deque()
        self._unnamed = 0
        """Turns that were answered before they had a name."""
        self._wanted = owed
        self._responses: dict[str, _Response] = {}
        self._calls: set[str] = set()
        self._fresh: set[str] = set()
        # By name: whether the words have come
        self._told: OrderedDict[str, bool] = OrderedDict()
        self._made_out: dict[str, str] = {}

    @property
    def user_waits(self) -> bool:
        """Whether the user speaks, or has said something that is not answered."""
        return self._user_sounds or bool(self._turns)

    @property
    def busy(self) -> bool:
        """Whether somebody speaks or a tool runs, for as long as that may take."""
        speaks = any(turn.begun and not turn.ended for turn in self._turns)
        return bool(self._user_sounds or speaks or self._responses or self._calls)

    @property
    def awaits(self) -> bool:
        """Whether the node that serves is to tell something soon."""
        return bool(self._turns or self.unheard or self._wanted is not Wanted.NOTHING)

    @property
    def unheard(self) -> set[str]:
        """Turns whose words have not come, though they were answered or will be."""
        return {name for name, words in self._told.items() if not words}

    def made_out(self, item_id: str) -> str:
        """What was told of a turn whose words have not come yet."""
        return self._made_out.get(item_id, "")

    @property
    def heard_from(self) -> int | None:
        """Where the oldest turn begins that is not answered."""
        return self._turns[0].at if self._turns else None

    # What passes the node

    def passed(self, frame: Frame, *, down: bool) -> None:
        match frame:
            case InterruptionFrame():
                self._interrupted()
            case FunctionCallInProgressFrame():
                self._calls.add(frame.tool_call_id)
            case FunctionCallResultFrame() if not down:
                if is_final(frame):
                    self._answered_call(frame.tool_call_id, asks=bool(frame.run_llm))
                elif frame.run_llm:
                    self._want(Wanted.ANSWER)
            case ToolCancelFrame() if not down:
                self._answered_call(frame.tool_call_id, asks=bool(frame.run_llm))
            case InputTextRawFrame():
                # The user goes on to something else than the rest of an answer.
                self._wanted = Wanted.ANSWER
            case _ if down and isinstance(frame, HEARD):
                self._hear(frame)

    def _hear(self, frame: Frame) -> None:
        match frame:
            case VADUserStartedSpeakingFrame():
                self._user_sounds = True
                self._open_turn()
            case UserStartedSpeakingFrame():
                self._open_turn().begun = True
                if self._wanted is Wanted.REST:
                    self._wanted = Wanted.NOTHING
        self._kept.mark(frame)
        match frame:
            case SpeechDroppedFrame() | VADUserStoppedSpeakingFrame():
                self._user_sounds = False
                if self._turns and not self._turns[-1].begun:
                    self._turns.pop()
                    self._release()
            case UserStoppedSpeakingFrame() if self._turns and self._turns[-1].begun:
                self._turns[-1].ended = True

    def _open_turn(self) -> _Turn:
        if not self._turns or self._turns[-1].ended:
            self._turns.append(_Turn(self._kept.begin()))
        return self._turns[-1]

    def _interrupted(self) -> None:
        self._wanted = Wanted.NOTHING
        for response in self._responses.values():
            response.interrupted = True

    def _answered_call(self, call_id: str, *, asks: bool) -> None:
        self._calls.discard(call_id)
        if asks:
            self._fresh.add(call_id)
            self._want(Wanted.ANSWER)

    def _want(self, wanted: Wanted) -> None:
        if self._wanted is Wanted.NOTHING:
            self._wanted = wanted

    # What the node emits

    def emitted(self, frame: Frame) -> bool:
        """Take note of a frame of the node's own; whether it is new, and not told of a turn again
        that is heard a second time."""
        match frame:
            case ResponseStartFrame():
                self._start(frame)
            case ResponseEndFrame():
                self._end(self._responses.pop(frame.response_id, None), frame.status)
            case ToolCallsFrame():
                self._calls |= {call.id for call in frame.calls}
            case UserPartialTranscriptFrame() | UserTranscriptFrame() | UserTurnCommittedFrame():
                return self._tell(frame)
        return True

    def spoke(self, response_id: str, item_id: str, length_ms: float) -> None:
        """Take note of speech of the node."""
        response = self._responses.get(response_id)
        if response is None:
            return
        if not response.begun:
            self._begin(response)
        response.received_ms[item_id] = response.received_ms.get(item_id, 0.0) + length_ms

    def _start(self, frame: ResponseStartFrame) -> None:
        response = self._responses[frame.response_id] = _Response(frame.injected)
        if frame.injected:
            return
        response.pays, self._wanted = self._wanted, Wanted.NOTHING
        response.turns = [turn for turn in self._turns if turn.ended]
        self._fresh.clear()

    def _end(self, response: _Response | None, status: str) -> None:
        if response is None:
            return
        if status == "cut" and not (response.injected or response.interrupted):
            # Its node goes on with it by itself, in a response of its own.
            self._owe(response)
        else:
            self._begin(response)

    def _begin(self, response: _Response) -> None:
        """Some of its sound has come: what it answers is answered."""
        if response.begun:
            return
        response.begun = True
        for turn in response.turns:
            if turn in self._turns:
                self._turns.remove(turn)
                self._unnamed += not turn.name
        self._release()

    def _tell(self, frame: NamesTurn) -> bool:
        name, known = frame.item_id, frame.item_id in self._told
        turn = next((turn for turn in self._turns if turn.name == name), None)
        if turn is None and not known:
            turn = self._name(name)
        match frame:
            case UserTurnCommittedFrame():
                if turn is not None:
                    new, turn.committed = not turn.committed, True
                    return new
                return not known
            case UserTranscriptFrame():
                new, self._told[name] = not self._told.get(name, False), True
                self._made_out.pop(name, None)
                if turn is not None and turn.ended:
                    self._said(turn, words=bool(frame.text.strip()))
                return new
            case UserPartialTranscriptFrame() if not self._told.get(name, False):
                self._made_out[name] = frame.text
                return True
        return False

    def _said(self, turn: _Turn, *, words: bool) -> None:
        """A turn is over, and its words are known: nobody has to hear it again."""
        self._turns.remove(turn)
        self._release()
        comes = any(turn in response.turns for response in self._responses.values())
        if words and not comes:
            self._want(Wanted.ANSWER)

    def _name(self, name: str) -> _Turn | None:
        """Find the turn that is told of for the first time."""
        self._told[name] = False
        if len(self._told) > _NAMES_KEPT:
            forgotten, _ = self._told.popitem(last=False)
            self._made_out.pop(forgotten, None)
        if self._unnamed:
            self._unnamed -= 1
            return None
        turn = next((turn for turn in self._turns if turn.begun and not turn.name), None)
        if turn is not None:
            turn.name = name
        return turn

    def _release(self) -> None:
        self._kept.release(self._turns[0].at if self._turns else None)

    # The change

    def cut(self) -> list[ResponseEndFrame]:
        """The node serves no more: give the ends of the responses that ran."""
        responses, self._responses = self._responses, {}
        ends = []
        for response_id, response in responses.items():
            status = "interrupted" if response.interrupted else "cut"
            reason = None if response.interrupted else "Another node goes on with it."
            ends.append(
                ResponseEndFrame(
                    response_id=response_id,
                    status=status,
                    reason=reason,
                    received_ms=response.received_ms,
                )
            )
            if not (response.injected or response.interrupted):
                self._owe(response)
        return ends

    def _owe(self, response: _Response) -> None:
        if response.received_ms or response.pays is Wanted.REST:
            self._wanted = Wanted.REST
        elif response.begun or not any(turn in self._turns for turn in response.turns):
            self._wanted = Wanted.ANSWER

    def takeover(self) -> Takeover:
        """What the node is told that serves next."""
        # Sound that is no turn yet may be a cough: what is owed is made, and held while it lasts.
        user_first = any(turn.begun for turn in self._turns)
        wanted = Wanted.NOTHING if user_first else self._wanted
        turns = tuple(
            HeardBefore(item_id=turn.name, committed=turn.committed)
            for turn in self._turns
            if turn.name
        )
        return Takeover(wanted=wanted, turns=turns, fresh=frozenset(self._fresh))


__all__ = ["Standing"]
