"""What becomes of the calls that a model makes. Pure: no clock, no tasks, no await.

Told what happens and what time it is, it says what to do. The life of a call:

    IN TIME   its response waits for it
    LATE      it was answered by a placeholder or a part of its result, and runs on
    READY     its result waits until it can be told, where it is told as text
    over      it has its result, failed or was cancelled, and is forgotten

All calls of one response are answered with one response: the last of them to be answered, by
whatever it is, has the model speak.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from crossfade.conversation.tools import ToolCall
from crossfade.frames.tools import ToolPhase

from .tool_actions import (
    Action,
    Begin,
    Cancel,
    Drop,
    Note,
    Tell,
    ToolWire,
)
from .tool_consent import Consent
from .tool_entries import Group, OpenCall, Stage, clocks_of, text_of
from .tool_floor import Floor, UserSound
from .tool_policy import OnDuplicate, OnInterruption
from .tool_runs import RunningTool, ToolRuns, signature
from .tool_words import consent_wanted, error_of, placeholder_of, refusal_of
from .tools import Tool

MOST_CALLS = 256
"""Calls that are open at once; what goes beyond is refused."""
_ENDED_KEPT = 512
# Timers may fire a little early.
_EARLY_MS = 0.01


class ToolCalls:
    """The calls of one conversation.

    Every method gives what is to be done now, in order. `wake` is to be called at `wake_at_ms`.

    Args:
        tools: By name.
        wire: How the model takes answers; a tool that is declared blocking is waited for.
    """

    def __init__(self, tools: Mapping[str, Tool], wire: ToolWire = ToolWire.PARTS) -> None:
        self._tools = tools
        self._wire = wire
        self._open: dict[str, OpenCall] = {}
        self._ended: deque[str] = deque(maxlen=_ENDED_KEPT)
        self._runs = ToolRuns()
        self._consent = Consent()
        self._floor = Floor()
        self._now_ms = 0.0
        self._over = False
        self._actions: list[Action] = []

    def succeeded(self, wire: ToolWire, *, open_calls: bool = True) -> None:
        """Another session has taken the conversation over.

        Args:
            wire: How its model takes answers.
            open_calls: Whether it knows the open calls of the earlier one, and awaits them.
        """
        self._wire = wire
        for entry in self._open.values():
            entry.stranger |= not open_calls

    @property
    def wake_at_ms(self) -> float | None:
        """When something is due by itself; None if nothing is."""
        times = [at for call in self._open.values() for at in clocks_of(call)]
        waiting = any(call.parts or call.stage is Stage.READY for call in self._open.values())
        due_until_ms = self._floor.due_until_ms(self._now_ms)
        if waiting and due_until_ms is not None:
            times.append(due_until_ms)
        return min(times, default=None)

    # What the model does

    def called(self, calls: Sequence[ToolCall], now_ms: float) -> list[Action]:
        """A response called tools. A call that was made before is the same one, told twice."""
        if self._over:
            return []
        new = {
            call.id: call
            for call in calls
            if call.id not in self._open and call.id not in self._ended
        }
        group = Group(waiting=set(new))
        entries = []
        for call in new.values():
            entry = OpenCall(
                call=call, tool=self._tools.get(call.name), group=group, began_ms=now_ms
            )
            self._actions.append(Begin(call=call, tool=entry.tool))
            entries.append(entry)
        for entry in entries:
            self._open[entry.call.id] = entry
            self._note(entry, ToolPhase.STARTED)
        for entry in entries:
            self._start(entry, now_ms)
        return self.wake(now_ms)

    def taken_back(self, call_id: str, now_ms: float) -> list[Action]:
        """The provider takes a call back: it must not be answered any more."""
        if entry := self._open.get(call_id):
            self._cancel(entry, "The provider took the call back.", tell=False)
        return self.wake(now_ms)

    def response_started(self, response_id: str, now_ms: float) -> list[Action]:
        self._floor.response_started(response_id)
        self._consent.response_began()
        if self._floor.agent_speaks:
            self._consent.agent_heard()
        return self.wake(now_ms)

    def response_ended(self, response_id: str, now_ms: float) -> list[Action]:
        self._floor.response_ended(response_id)
        return self.wake(now_ms)

    # Who speaks

    def user_speaks(self, speaks: bool, now_ms: float) -> list[Action]:
        """The user's turn begins or ends, by whoever owns the turns."""
        if self._floor.turn(speaks, now_ms):
            self._consent.user_spoke()
        return self.wake(now_ms)

    def user_sounds(self, sound: UserSound, now_ms: float) -> list[Action]:
        """The user is heard on this machine."""
        if self._floor.sound(sound, now_ms):
            self._consent.user_spoke()
        return self.wake(now_ms)

    def agent_speaks(self, speaks: bool, now_ms: float) -> list[Action]:
        """The agent is heard, whoever put it into its mouth."""
        self._floor.agent_speaks = speaks
        if speaks:
            self._consent.agent_heard()
        return self.wake(now_ms)

    def interrupted(self, now_ms: float) -> list[Action]:
        """The user interrupted: tools that are of no use then are cancelled."""
        for entry in list(self._open.values()):
            running = entry.run is not None
            cancels = entry.tool and entry.tool.policy.on_interruption is OnInterruption.CANCEL
            if running and cancels:
                self._cancel(entry, "The user interrupted it.", tell=True)
        return self.wake(now_ms)

    def hung_up(self) -> list[Action]:
        """The conversation is over: everything is cancelled, and nobody is told."""
        self._over = True
        for entry in list(self._open.values()):
            self._cancel(entry, "The conversation ended.", tell=False)
        self._actions += self._runs.stop_all()
        return self._take()

    # What the tools do

    def part(self, run_id: int, value: Any, now_ms: float) -> list[Action]:
        """A tool gave a part of its result; the last part is the result itself."""
        run = self._runs.get(run_id)
        if run is not None and not run.stopped:
            run.spoke = True
            for entry in self._of(run):
                entry.parts.append(value)
                self._note(entry, ToolPhase.PROGRESS)
        return self.wake(now_ms)

    def returned(self, run_id: int, output: Any, now_ms: float) -> list[Action]:
        """A tool gave its result."""
        run = self._runs.over(run_id)
        if run is not None and run.stopped:
            why = "its call was cancelled before; the result is stale"
            self._actions.append(Drop(name=run.tool.name, why=why))
        elif run is not None:
            for entry in self._of(run):
                self._settle(entry, output, None)
        return self.wake(now_ms)

    def failed(
        self, run_id: int, why: str, now_ms: float, *, hopeless: bool = False
    ) -> list[Action]:
        """A tool failed, for a reason that the model may know.

        It is run again if its policy allows it, unless it is `hopeless`.
        """
        run = self._runs.get(run_id)
        if run is not None and not hopeless and (again := self._runs.again(run)):
            self._actions.append(again)
        elif run is not None:
            self._runs.over(run_id)
            for entry in self._of(run):
                self._settle(entry, error_of(why), error_of(why))
        return self.wake(now_ms)

    def stopped(self, run_id: int, now_ms: float) -> list[Action]:
        """A run was cancelled, and is over. Calls that wait for it all the same have failed."""
        run = self._runs.get(run_id)
        if run is not None and not run.stopped:
            return self.failed(run_id, f"{run.tool.name} was cancelled.", now_ms, hopeless=True)
        self._runs.over(run_id)
        return self.wake(now_ms)

    # What is due

    def wake(self, now_ms: float) -> list[Action]:
        """Do what time has made due."""
        self._now_ms = now_ms
        if not self._over:
            for entry in list(self._open.values()):
                self._check(entry, now_ms + _EARLY_MS)
            self._deliver(now_ms)
            self._actions += self._runs.due()
        return self._take()

    def _take(self) -> list[Action]:
        actions, self._actions = self._actions, []
        # What is told in one breath is spoken of once.
        told = [(i, each) for i, each in enumerate(actions) if isinstance(each, Tell) and each.ask]
        for i, each in told[:-1]:
            actions[i] = replace(each, ask=False)
        return actions

    def _check(self, entry: OpenCall, now_ms: float) -> None:
        """Look at the clocks of one call."""
        if entry.tool is None or entry.run is None or entry.stage is Stage.READY:
            return
        policy, runs_ms = entry.tool.policy, now_ms - entry.began_ms
        if runs_ms >= policy.deadline_ms:
            why = f"{entry.call.name} gave no answer within {policy.deadline_ms / 1000:g} seconds."
            self._leave(entry)
            self._settle(entry, why, why)
            return
        if not entry.slow and runs_ms >= policy.acknowledge_after_ms:
            entry.slow = True
            phrases = entry.tool.policy.phrases
            self._actions.append(Note(call=entry.call, phase=ToolPhase.SLOW, phrases=phrases))
        if entry.stage is Stage.IN_TIME and runs_ms >= policy.timeout_ms:
            self._hold_off(entry)

    # Answers

    def _start(self, entry: OpenCall, now_ms: float) -> None:
        call, tool = entry.call, entry.tool
        refusal = refusal_of(call, tool, self._tools)
        if refusal is None and len(self._open) > MOST_CALLS:
            refusal = "Too many calls are open. Wait for their results, and call again."
        if refusal is not None or tool is None:
            self._settle(entry, refusal, refusal)
            return
        mark = signature(call.arguments)
        if tool.policy.confirm and not self._consent.given(tool.name, mark, now_ms):
            self._settle(entry, consent_wanted(tool.name), None)
            return
        run = self._runs.same(tool, mark)
        if run is not None and tool.policy.on_duplicate is OnDuplicate.REJECT:
            why = f"{tool.name} runs already with these arguments; wait for its result."
            self._settle(entry, why, why)
        elif run is not None and tool.policy.on_duplicate is OnDuplicate.SHARE:
            self._join(entry, run)
        elif self._runs.full(tool):
            why = f"{tool.name} is busy with other calls. Try again in a while."
            self._settle(entry, why, why)
        else:
            self._join(entry, self._runs.add(tool, call.arguments, mark))
            self._actions += self._runs.due()

    def _join(self, entry: OpenCall, run: RunningTool) -> None:
        run.call_ids.append(entry.call.id)
        entry.run = run

    def _leave(self, entry: OpenCall) -> None:
        """The call waits for its run no longer."""
        run, entry.run = entry.run, None
        if run is not None and entry.call.id in run.call_ids:
            stop = self._runs.leave(run, entry.call.id)
            if stop is not None:
                self._actions.append(stop)

    def _of(self, run: RunningTool) -> list[OpenCall]:
        return [self._open[call_id] for call_id in run.call_ids if call_id in self._open]

    def _settle(self, entry: OpenCall, output: Any, error: str | None) -> None:
        """A call has its result, or failed."""
        entry.run = None
        answered = entry.stage is not Stage.IN_TIME and self._wire_of(entry) is ToolWire.WAITS
        if answered or entry.stranger:
            # As text it has the model speak at once.
            entry.group.answered(entry.call.id, real=True)
            entry.stage, entry.result = Stage.READY, (output, error)
            entry.parts.clear()
            self._note(entry, ToolPhase.ENDED)
            return
        if entry.stage is Stage.IN_TIME:
            ask = entry.group.answered(entry.call.id, real=True)
        else:
            owed = entry.group.answered(entry.call.id, real=True)
            ask = owed or error is not None or entry.told != text_of(output)
        self._end(entry, output, error, ask=ask)

    def _end(self, entry: OpenCall, output: Any, error: str | None, *, ask: bool) -> None:
        self._forget(entry)
        self._actions.append(
            Tell(call=entry.call, tool=entry.tool, output=output, error=error, ask=ask)
        )
        if entry.stage is not Stage.READY:
            self._note(entry, ToolPhase.ENDED)

    def _hold_off(self, entry: OpenCall) -> None:
        """A call takes too long: answer it with what there is, and let it run on."""
        wire, known = self._wire_of(entry), bool(entry.parts)
        entry.stage = Stage.LATE
        ask = entry.group.answered(entry.call.id, real=known or wire is ToolWire.WAITS)
        if wire is ToolWire.ONCE:
            # Nothing can be told of it; what the others gave is spoken of when it ends.
            entry.group.owed = ask
        else:
            assert entry.tool is not None
            output = entry.parts.pop() if known else placeholder_of(entry.tool)
            self._tell_part(entry, output, ask=ask, known=known)

    def _deliver(self, now_ms: float) -> None:
        """Tell what waited for silence."""
        if not self._floor.free(now_ms):
            return
        asked = False
        for entry in list(self._open.values()):
            if entry.stage is Stage.READY:
                ask = entry.result[1] is not None or entry.told != text_of(entry.result[0])
                self._end(entry, *entry.result, ask=ask)
                asked |= ask
            elif entry.parts and not self._floor.agent_speaks and self._takes_part(entry):
                part = entry.parts.pop()
                if text_of(part) == entry.told:
                    continue
                ask = True
                if entry.stage is Stage.IN_TIME:
                    ask = entry.group.answered(entry.call.id, real=True)
                entry.stage = Stage.LATE
                self._tell_part(entry, part, ask=ask, known=True)
                asked |= ask
        if asked:
            self._floor.asked(now_ms)

    def _takes_part(self, entry: OpenCall) -> bool:
        wire = self._wire_of(entry)
        late = entry.stage is Stage.LATE
        return wire is ToolWire.PARTS or (wire is ToolWire.WAITS and late)

    def _tell_part(self, entry: OpenCall, output: Any, *, ask: bool, known: bool) -> None:
        if known:
            entry.told = text_of(output)
        self._actions.append(
            Tell(call=entry.call, tool=entry.tool, output=output, final=False, ask=ask)
        )

    def _cancel(self, entry: OpenCall, reason: str, *, tell: bool) -> None:
        ask = entry.group.answered(entry.call.id, real=False)
        # Nothing is told that could wait; the answer to the user covers the other calls.
        ask = ask and (tell or not self._floor.user_speaks)
        self._leave(entry)
        self._forget(entry)
        self._actions.append(Cancel(call=entry.call, reason=reason, tell=tell, ask=ask))
        self._note(entry, ToolPhase.ENDED)

    def _forget(self, entry: OpenCall) -> None:
        del self._open[entry.call.id]
        self._ended.append(entry.call.id)

    def _note(self, entry: OpenCall, phase: ToolPhase) -> None:
        phrases = () if entry.tool is None else entry.tool.policy.phrases
        self._actions.append(Note(call=entry.call, phase=phase, phrases=phrases))

    def _wire_of(self, entry: OpenCall) -> ToolWire:
        blocking = entry.tool is not None and entry.tool.policy.blocking
        return ToolWire.WAITS if blocking else self._wire


__all__ = ["MOST_CALLS", "ToolCalls"]
