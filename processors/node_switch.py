"""Swaps the speech node of a call while it runs."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

from loguru import logger
from pipecat.processors.frame_processor import FrameProcessorSetup

from crossfade.audio.pcm import duration_ms
from crossfade.errors import CrossfadeError, SettingsError
from crossfade.frames.audio import (
    AudioRawFrame,
    InputAudioRawFrame,
    SpeechFrame,
    SpeechPlayedFrame,
    TTSStoppedFrame,
)
from crossfade.frames.continuity import AudioLostFrame, NodeFailedFrame, NodeSwitchedFrame
from crossfade.frames.control import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    CancelFrame,
    EndFrame,
    ErrorFrame,
    Frame,
    InterruptionFrame,
    MetricsFrame,
    PlayoutHoldFrame,
    ResponseEndFrame,
    StartFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from crossfade.frames.images import UserImageFrame
from crossfade.frames.text import InputTextRawFrame, UserTranscriptFrame
from crossfade.frames.tools import AcknowledgeFrame, FunctionCallResultFrame, ToolCancelFrame

from .base import DOWNSTREAM, UPSTREAM, FrameDirection, Processor
from .kept_uplink import HEARD, KeptUplink
from .node_slot import MakeNode, Slot
from .node_switch_keeper import SwapKeeper
from .node_switch_route import NodeRoute
from .node_switch_settings import Order, SwitchSettings, When
from .node_switch_standing import Standing
from .sounding import Sounding
from .speech_node import SpeechNode, Wanted
from .speech_rate import SpeechRate
from .switch_policy import SwitchPolicy, Wish

_CALM_S = 1.0
"""A node that is pushing is waited for so long before its gate is closed."""
_BURST_MS = 5000.0
"""So much of the user's sound is replayed at once; what is more comes at `_REPLAY_SPEED`."""
_REPLAY_SPEED = 20.0
_STAY = (InputTextRawFrame, UserImageFrame, AcknowledgeFrame)
"""What goes no further than the node."""
_STIRS = (
    *HEARD,
    InterruptionFrame,
    InputTextRawFrame,
    FunctionCallResultFrame,
    ToolCancelFrame,
    SpeechPlayedFrame,
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
)


class NodeSwitch(Processor):
    """Stands in the speech node's place, and lets one of several nodes serve.

    The incoming node is made, connected and started while the other one still serves. At the
    moment of the swap the other's gate closes; its running response ends as `cut`, and the rest is
    asked of the incoming node. That one reads the conversation, hears again what the user has said
    since the beginning of the turn that is not answered, and gets the results of tools that run.
    A node that does not come up leaves the other one serving.

    The turns are to be ours (`TurnOwner.LOCAL`), whichever node serves.

    Args:
        nodes: Makes each node, by name. A node is made anew each time.
        first: Who serves first; the first of `nodes` if none is named.
        route: Who serves when a node fails, in the order of preference; the preferred one is
            taken again at a quiet moment when it is well. Empty: the call ends with its node.
        spare: A node that is kept up while another one serves, to take over without delay.
        rate_hz: Rate of the user's audio, mono.
        speech_rate_hz: Rate of the speech that is sent on, mono; a node of another is converted.
        settings: The times.
        policy: What asks for a swap by itself.
        owed: What the first node owes the user, in a call that goes on from elsewhere.

    Raises:
        SettingsError: A name is not known.
    """

    passes_on = (InterruptionFrame, PlayoutHoldFrame)

    def __init__(
        self,
        nodes: Mapping[str, MakeNode],
        *,
        first: str | None = None,
        route: Sequence[str] = (),
        spare: str | None = None,
        rate_hz: int = 16000,
        speech_rate_hz: int = 24000,
        settings: SwitchSettings | None = None,
        policy: SwitchPolicy | None = None,
        owed: Wanted = Wanted.NOTHING,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        self._nodes = dict(nodes)
        self._name = first or next(iter(self._nodes), "")
        self._policy = policy or SwitchPolicy()
        for each in (self._name, *route, *(() if spare is None else (spare,)), *self._policy.nodes):
            self._check(each)
        self.route, self.spare = tuple(route), spare
        self.settings = self._settings = settings = settings or SwitchSettings()
        ways = NodeRoute(route, return_after_s=settings.return_after_s)
        self._keeper = SwapKeeper(self, self._nodes, ways, settings, spare)
        self._kept = KeptUplink(rate_hz, keep_s=settings.keep_s, preroll_ms=settings.preroll_ms)
        self._standing = Standing(self._kept, owed=owed)
        self._sounding = Sounding()
        self._rate = SpeechRate(speech_rate_hz)
        self._serving: Slot | None = None
        """Whose frames come through."""
        self._live: Slot | None = None
        """Who is given the call's frames as they come."""
        # What a node that takes over has to hear first, and what came meanwhile
        self._replay: list[Frame] = []
        self._pending: deque[tuple[Frame, FrameDirection]] = deque()
        self._catching_up = False
        self._left = ""
        self.on_order: Callable[[Order], None] | None = None
        """Told of each swap that is asked for, by the policy, too."""
        self._unserved_since_s = 0.0
        self._stirred_s = 0.0
        self._spoken_until_s: float | None = None
        """When the user was last heard, until the agent is."""

    # What the application does

    @property
    def nodes(self) -> Mapping[str, MakeNode]:
        """Makes each node, by name."""
        return self._nodes

    @property
    def serving(self) -> str:
        """The name of the node that serves, or did last."""
        return self._name

    @property
    def node(self) -> SpeechNode | None:
        """The node that serves; None while none does."""
        return None if self._serving is None else self._serving.node

    async def prepare(self) -> SpeechNode:
        """Make the first node, before the chain runs; else it is made when the chain is set up.
        If it cannot be had, the next of the route is.

        Raises:
            CrossfadeError: None can be had.
        """
        if self._serving is None:
            self._serving = await self._keeper.first(self._name)
            self._name = self._serving.name
        return self._serving.node

    async def let_go(self) -> None:
        """Let go of all nodes; the end of the chain does it, too."""
        await self._keeper.stop()

    async def to(
        self, node: str, *, when: When = When.QUIET, why: str = "asked for", speaks: bool = False
    ) -> NodeSwitchedFrame | None:
        """Have another node serve, and wait until it does.

        A tool that waits for this must say `When.NOW`: no moment is quiet while it runs.

        Args:
            node: Its name.
            when: The moment.
            why: For the log.
            speaks: Whether it has the next word, where nothing is owed anyway.

        Returns:
            What was told of it; None if it serves already.

        Raises:
            SettingsError: There is no such node.
            CrossfadeError: It cannot be used, and the other one serves on; or it waited for a quiet
                moment, and another node was wanted at once.
        """
        return await asyncio.shield(self._order(node, when, why, speaks))

    def ask(
        self, node: str, *, when: When = When.QUIET, why: str = "asked for", speaks: bool = False
    ) -> None:
        """As `to`, and wait for nothing; if the node cannot be used, frame and log tell.

        Raises:
            SettingsError: There is no such node.
        """
        self._order(node, when, why, speaks)

    def report_cost(self, spent_usd: float) -> None:
        """Tell the policy what the call has cost so far."""
        self._follow(self._policy.cost(spent_usd))

    def report_latency(self, answered_ms: float) -> None:
        """Tell the policy how long after the user the agent was heard. It is measured here, too,
        by what local voice activity hears."""
        self._follow(self._policy.latency(answered_ms))

    def unfinished_audio(self) -> bytes:
        """What the user said that nobody has begun to answer, s16le mono at the chain's rate."""
        position = self._standing.heard_from
        return b"" if position is None else self._kept.sound_since(position)

    def _order(
        self, node: str, when: When, why: str, speaks: bool
    ) -> "asyncio.Task[NodeSwitchedFrame | None]":
        self._check(node)
        limit_s = self._settings.deadline_s
        order = Order(node=node, when=when, why=why, speaks=speaks, deadline_s=limit_s)
        if self.on_order is not None:
            self.on_order(order)
        return self._keeper.order(order)

    def _follow(self, wish: Wish | None) -> None:
        if wish is not None and wish.to != self._name:
            self.ask(wish.to, why=wish.why)

    def _check(self, node: str) -> None:
        if node not in self._nodes:
            raise SettingsError(
                f"there is no node {node!r} to switch to; there are {', '.join(self._nodes)}"
            )

    # From the chain

    def handle_audio(self, frame: AudioRawFrame) -> None:
        if not isinstance(frame, InputAudioRawFrame):
            self.push_audio(frame)
            return
        self.expect(frame, self._kept.rate_hz)
        self._kept.hear(frame)
        if self._live is not None:
            self._live.node.receive_audio(frame)
        elif self._catching_up:
            self._pending.append((frame, DOWNSTREAM))

    def note(self, frame: Frame, direction: FrameDirection) -> None:
        self._standing.passed(frame, down=direction is DOWNSTREAM)
        self._sounding.note(frame)
        if isinstance(frame, _STIRS):
            self._stir()
            self._measure(frame)

    async def forward(self, frame: Frame, direction: FrameDirection) -> None:
        match frame:
            case StartFrame():
                await self._start(frame)
                await self.push_frame(frame, direction)
                return
            case EndFrame() | CancelFrame():
                self._keeper.over()
                await self._keeper.stop(but=self._live)
        if self._live is not None:
            await self._live.give(frame, direction, passes=True)
            return
        if self._catching_up:
            self._pending.append((frame, direction))
        if not isinstance(frame, _STAY):
            await self.push_frame(frame, direction)

    async def setup(self, setup: FrameProcessorSetup) -> None:  # type: ignore[override]
        await super().setup(setup)
        # What a node pushes is told to observers where it leaves the switch.
        self._keeper.set_up(replace(setup, observer=None))
        await self.prepare()

    async def cleanup(self) -> None:
        await super().cleanup()
        await self._keeper.stop()

    async def _start(self, frame: StartFrame) -> None:
        """Start the first node; what goes wrong tells so by itself."""
        slot = self._serving
        assert slot is not None
        with suppress(CrossfadeError):
            await self._keeper.start(slot, frame)
            await slot.node.take_over(self._standing.takeover())
        if self._serving is slot:
            self._live = slot

    def _stir(self) -> None:
        self._stirred_s = asyncio.get_running_loop().time()
        self._keeper.nudge()

    def _measure(self, frame: Frame) -> None:
        """Take the time from the user's last sound to the agent's first."""
        match frame:
            case VADUserStartedSpeakingFrame():
                self._spoken_until_s = None
            case VADUserStoppedSpeakingFrame():
                self._spoken_until_s = self._stirred_s - frame.stop_secs
            case BotStartedSpeakingFrame() if self._spoken_until_s is not None:
                answered_ms = (self._stirred_s - self._spoken_until_s) * 1000
                self._spoken_until_s = None
                self.report_latency(answered_ms)

    # From the nodes

    def hear(self, slot: Slot, frame: AudioRawFrame) -> None:
        """Take sound from a node."""
        if not isinstance(frame, SpeechFrame) or frame.origin is None:
            self.push_audio(frame)
        elif slot is self._serving:
            origin = frame.origin
            frame = self._rate.convert(frame, origin)
            length_ms = duration_ms(frame.audio, self._rate.rate_hz)
            self._standing.spoke(origin.response_id, origin.item_id, length_ms)
            self._sounding.generated(origin.response_id, origin.item_id)
            self.push_audio(frame)

    async def take(self, slot: Slot, frame: Frame, direction: FrameDirection, passes: bool) -> None:
        """Take a frame from a node: one of the call's that passes, or one of its own."""
        if passes:
            await self.push_frame(frame, direction)
        elif isinstance(frame, ErrorFrame) and _ends_processor(frame):
            await self._failed(slot, frame)
        elif slot is self._serving:
            if not isinstance(frame, MetricsFrame):
                self._stir()
            failure = slot.gives_up(frame) if isinstance(frame, ResponseEndFrame) else None
            if failure is not None and self._keeper.has_others:
                # What it failed to answer is cut, and the other one's to answer.
                await self._failed(slot, failure)
                return
            await self._emit(frame, direction)
        elif _comes_late(slot, frame):
            await self._emit(frame, direction)

    async def _emit(self, frame: Frame, direction: FrameDirection) -> None:
        if not self._standing.emitted(frame):
            return
        match frame:
            case ResponseEndFrame():
                self._sounding.response_ended(frame.response_id)
                self._rate.forget(frame.response_id)
            case TTSStoppedFrame():
                self._speak_rest(frame.context_id or "")
        await self.push_frame(frame, direction)

    def _speak_rest(self, response_id: str) -> None:
        if (rest := self._rate.rest(response_id)) is not None:
            self.push_audio(rest)

    async def _failed(self, slot: Slot, frame: ErrorFrame) -> None:
        serves = slot is self._serving
        if not self._keeper.failed(slot, frame, serves=serves):
            await self.push_frame(frame, UPSTREAM)
        elif serves:
            self._serving = self._live = None
            self._catching_up = False
            self._pending.clear()
            self._unserved_since_s = asyncio.get_running_loop().time()

    # What the keeper does

    def quiet_at_s(self) -> float | None:
        """When the call is quiet if nothing happens; None while something does."""
        if self._standing.busy or self._sounding.now:
            return None
        settings = self._settings
        waits = self._standing.awaits
        return self._stirred_s + (settings.patience_s if waits else settings.quiet_s)

    async def hand_over(self, slot: Slot, order: Order) -> Slot | None:
        """Let a node serve that is up; gives the one that did."""
        loop = asyncio.get_running_loop()
        if self._serving is not None:
            await self._serving.calm(_CALM_S)
        before = self._serving
        if before is not None:
            self._unserved_since_s = loop.time()
        self._left = self._name
        self._serving, self._live, self._name = slot, None, slot.name
        slot.since_s = loop.time()
        await self.tell_ends()
        # Nothing is awaited between here and the node's reading of the conversation.
        takeover = self._standing.takeover()
        if before is not None:
            again = {turn.item_id for turn in takeover.turns}
            before.awaited = frozenset(self._standing.unheard - again)
        if order.speaks and takeover.wanted is Wanted.NOTHING and not self._standing.user_waits:
            takeover = replace(takeover, wanted=Wanted.ANSWER)
        position = self._standing.heard_from
        self._replay = list(self._kept.since(self._kept.start if position is None else position))
        self._catching_up = True
        await slot.node.take_over(takeover)
        return before

    async def catch_up(self, slot: Slot) -> float:
        """Have the node that serves hear what is not answered, and what came meanwhile; gives how
        much of the user's sound it heard again, in ms."""
        if self._sounding.now:
            await slot.give(BotStartedSpeakingFrame(), UPSTREAM, passes=False)
        heard_ms = 0.0
        for frame in self._replay:
            heard_ms += await self._give_again(slot, frame, DOWNSTREAM)
            if heard_ms > _BURST_MS and isinstance(frame, InputAudioRawFrame):
                await asyncio.sleep(
                    duration_ms(frame.audio, frame.sample_rate) / _REPLAY_SPEED / 1e3
                )
        counts = self._standing.user_waits
        self._replay = []
        while self._pending and self._serving is slot:
            await self._give_again(slot, *self._pending.popleft())
        if self._serving is slot:
            self._catching_up, self._live = False, slot
        return heard_ms if counts else 0.0

    async def _give_again(self, slot: Slot, frame: Frame, direction: FrameDirection) -> float:
        if isinstance(frame, InputAudioRawFrame):
            slot.node.receive_audio(frame)
            return duration_ms(frame.audio, frame.sample_rate)
        await slot.give(frame, direction, passes=False)
        return 0.0

    async def tell_ends(self) -> None:
        """End what the node that served has begun."""
        for end in self._standing.cut():
            if end.status == "cut" and end.received_ms:
                self._speak_rest(end.response_id)
                await self.push_frame(TTSStoppedFrame(context_id=end.response_id))
            self._sounding.response_ended(end.response_id)
            self._rate.forget(end.response_id)
            await self.push_frame(end)

    async def tell_switched(self, slot: Slot, why: str, replayed_ms: float) -> NodeSwitchedFrame:
        """Tell that another node serves."""
        profile, now_s = slot.node.profile, asyncio.get_running_loop().time()
        told = NodeSwitchedFrame(
            left=self._left,
            node=slot.name,
            why=why,
            profile=profile,
            open_calls=profile is None or profile.open_calls,
            gap_ms=(now_s - self._unserved_since_s) * 1000,
            replayed_ms=replayed_ms,
        )
        logger.info(f"{told.node} serves in the place of {told.left}: {why}")
        if replayed_ms and self._kept.lost_ms:
            await self.broadcast_frame(AudioLostFrame, lost_ms=self._kept.lost_ms)
        await self.broadcast_frame_instance(told)
        return told

    async def tell_failed(self, slot: Slot, message: str, *, served: bool) -> None:
        """Tell that a node cannot serve."""
        logger.warning(f"the node {slot.name} cannot serve: {message}")
        await self.broadcast_frame(NodeFailedFrame, node=slot.name, message=message, served=served)

    async def settle_words(self, slot: Slot) -> None:
        """Take what was made out of turns for their words, where no more of them come."""
        for item_id in sorted(slot.awaited):
            if text := self._standing.made_out(item_id):
                now = datetime.now(UTC).isoformat(timespec="milliseconds")
                await self._emit(UserTranscriptFrame(text, "", now, item_id=item_id), UPSTREAM)

    async def give_up(self, failure: ErrorFrame) -> None:
        """No node serves any more, nor will: the call ends with this."""
        await self.push_frame(failure, UPSTREAM)


def _ends_processor(frame: ErrorFrame) -> bool:
    return frame.processor is not None and not frame.processor.is_usable


def _comes_late(slot: Slot, frame: Frame) -> bool:
    """Whether a frame of a node that serves no more comes through: what its answers cost, and the
    words of turns that it took up."""
    if isinstance(frame, UserTranscriptFrame):
        return slot.tells_words(frame.item_id)
    return isinstance(frame, MetricsFrame)


__all__ = ["NodeSwitch", "SwitchSettings", "When"]
