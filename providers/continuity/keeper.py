"""Keeps a session served: one task that opens the next connection and picks its moment."""

import asyncio
import random
from typing import TYPE_CHECKING

from crossfade.errors import ConnectionLost, CrossfadeError
from crossfade.providers.commands import Command, EndTurn, Respond, SendText
from crossfade.providers.continuity.attempts import Attempts
from crossfade.providers.continuity.causes import silent
from crossfade.providers.continuity.doubts import Doubts
from crossfade.providers.continuity.line import Line
from crossfade.providers.continuity.liveness import Liveness, longest_pause_s
from crossfade.providers.continuity.machine import Happening, Service, Step, advance
from crossfade.providers.continuity.rotation import Moment, Plan, Situation
from crossfade.providers.continuity.rotations import rotation_for
from crossfade.providers.continuity.schedule import Schedule, schedule
from crossfade.providers.continuity.settings import Continuity
from crossfade.providers.events import (
    Event,
    Handover,
    ResponseDone,
    ResponseStarted,
    SpeechDone,
    SpeechStarted,
    SpeechStopped,
    UserTurnCommitted,
)

if TYPE_CHECKING:
    from crossfade.providers.continuity.lines import Lines

# So long after one beside a silent line was refused, the next is tried.
_RETRY_S = 2.0


class Keeper:
    """Decides when which connection serves; `Lines` does what is decided.

    Args:
        lines: The session's connections.
        settings: When to reconnect, to rotate and to give up.
        legs: How many providers the route has.
    """

    def __init__(self, lines: "Lines", settings: Continuity, legs: int) -> None:
        self._lines = lines
        self._settings = settings
        self._state = Service.SERVING
        self._next: Line | None = None
        self._task: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._attempts = Attempts(settings, legs, random.Random(settings.seed))
        self._liveness = Liveness(settings.silent_s)
        self._why = Handover.ROTATION
        self._handle = ""
        self._wished = False
        self._waits_for_quiet = False
        self._doubts = Doubts()
        self._refused_beside = 0
        """Connections that were refused beside the one that serves and is silent."""
        self._heard_s = 0.0
        self._rotated_s: float | None = None

    def start(self) -> None:
        """A connection serves: keep it so."""
        self._serving()
        self._task = asyncio.create_task(self._keep(), name="provider-continuity")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        if self._next is not None:
            self._lines.farewell(self._next)
            self._next = None

    # What it is told

    def nudge(self) -> None:
        """Have it look again."""
        self._news.set()

    def rotate(self) -> None:
        """Another connection shall serve from the next quiet moment on."""
        self._wished = True
        self.nudge()

    def asked(self, command: Command, now_s: float) -> None:
        if isinstance(command, EndTurn | Respond) or (
            isinstance(command, SendText) and command.respond
        ):
            self._liveness.asked(now_s)
            self.nudge()

    def user_speaks(self, speaks: bool, now_s: float) -> None:
        if speaks:
            self._doubts.ear_began(now_s)
            self._liveness.speaks(now_s)
        else:
            brief = self._doubts.ear_ended(now_s) and not self._lines.talk.owed.user_speaks
            self._liveness.spoke(now_s, brief=brief)
        self.nudge()

    def heard(self) -> None:
        """Something arrived from the provider that serves."""
        self._heard_s = asyncio.get_running_loop().time()
        self._refused_beside = 0
        self._liveness.told(self._heard_s)

    def told(self, event: Event, now_s: float) -> None:
        match event:
            case ResponseStarted():
                self._liveness.began(now_s)
                self._doubts.answered()
                self.nudge()
            case SpeechStarted() | SpeechStopped():
                # It was told late: the user has finished, and it should tell so.
                if not self._lines.user_has_floor:
                    self._liveness.spoke(now_s)
                    self.nudge()
            case UserTurnCommitted():
                self._liveness.asked(now_s)
                self._doubts.taken_up()
                self.nudge()
            case SpeechDone(response_id=response_id):
                sound_s = self._lines.talk.owed.received_ms(response_id) / 1000
                self._liveness.rests(now_s, sound_s)
                self.nudge()
            case ResponseDone():
                self._liveness.ended(now_s)
        if self._waits_for_quiet:
            self.nudge()

    def refused(self, place: int, error: Exception) -> None:
        """A provider of the route did not serve."""
        self._attempts.refused(place, error, asyncio.get_running_loop().time())

    def lost(self, error: CrossfadeError) -> None:
        """The connection that serves died of this."""
        now_s = asyncio.get_running_loop().time()
        self._attempts.lost(error, now_s)
        beside = self._state in (Service.PREPARING, Service.READY)
        if beside or self._attempts.next(now_s) is not None:
            self._give_up(error)
        else:
            self._happens(Happening.LOST)
            self._happens(Happening.SPENT)
            self._lines.end(error)
        self.nudge()

    # What it does

    async def _keep(self) -> None:
        try:
            while self._state is not Service.OVER:
                if self._state is Service.DOWN:
                    await self._redial()
                elif self._lines.line_serving is None:
                    await self._switch()
                else:
                    await self._watch(self._lines.line_serving)
        except Exception as error:
            self._state = Service.OVER
            self._lines.end(error)

    async def _redial(self) -> None:
        """Try to have another connection serve."""
        attempt = self._attempts.next(asyncio.get_running_loop().time())
        if attempt is None:
            self._happens(Happening.SPENT)
            self._lines.end(self._attempts.cause)
            return
        place, delay_s = attempt
        await asyncio.sleep(delay_s)
        await self._open(place, self._handle if place == self._lines.last.place else "")

    async def _open(self, place: int, handle: str = "") -> bool:
        """Open the next connection; whether it waits for its moment."""
        self._happens(Happening.WANTED)
        try:
            line = self._lines.line(place, handle)
            await line.open(seeded=not handle and self._lines.talk.has_history)
        except Exception as error:
            now_s = asyncio.get_running_loop().time()
            self._attempts.failed(place, error, now_s, resumed=bool(handle))
            self._handle = ""
            self._happens(Happening.FAILED)
            if self._state is Service.DOWN:
                self._attempts.count(now_s)
            return False
        self._next = line
        if self._happens(Happening.OPENED) is Step.SWITCH:
            await self._switch()
        return self._state is Service.READY

    def _give_up(self, error: CrossfadeError | None) -> None:
        """The connection that serves does so no more."""
        moment = Moment.QUIET if error is None else Moment.LOST
        self._handle = self._handle_for(self._lines.last, self._lines.situation(moment))
        self._why = Handover.ROTATION if error is None else Handover.RECONNECT
        self._lines.retire(error)
        self._happens(Happening.LOST)

    async def _switch(self) -> None:
        """Let the next connection serve, in the place of the one that does, if one does."""
        if self._lines.line_serving is not None:
            self._lines.retire()
        await self._lines.filed()
        line, self._next = self._next, None
        assert line is not None
        if line.connection.dead:
            self._lines.farewell(line)
            self._happens(Happening.LOST)
            return
        why, place = self._why, self._lines.last.place
        if line.place != place:
            why = Handover.FAILOVER if line.place > place else Handover.RETURN
        self._lines.serve(line, why)
        rotated = why is Handover.ROTATION
        self._rotated_s = asyncio.get_running_loop().time() if rotated else None
        self._serving()

    def _serving(self) -> None:
        """Another connection serves."""
        now_s = asyncio.get_running_loop().time()
        self._attempts.serves(self._lines.last.place, now_s)
        self._liveness.renewed(now_s, pause_s=longest_pause_s(self._lines.last.config))
        talk = self._lines.talk
        # What one that was well has made nothing of may be a noise; another's silence is no sign.
        heard = talk.uplink.owes_turn if self._why is Handover.ROTATION else talk.uplink.owes
        spoken = heard and not self._lines.user_has_floor
        if talk.owed.expects and self._doubts.of_a_question:
            self._liveness.asked(now_s)
        elif spoken and self._doubts.of_speech:
            self._liveness.spoke(now_s)
        self._wished = False
        self._why = Handover.ROTATION

    async def _watch(self, line: Line) -> None:
        """Wait for what is to be done while a connection serves, and do it."""
        await self._pause(self._due_s(line))
        if self._lines.line_serving is not line:
            return
        now_s = asyncio.get_running_loop().time()
        well_at_s = self._attempts.well_at_s(line.opened_s)
        if well_at_s is not None and now_s >= well_at_s:
            self._attempts.well(now_s)
        if self._suspicious(line, now_s):
            if self._lines.ask_withheld():
                self._liveness.asked(now_s)
            else:
                await self._doubt(line, now_s)
        elif self._state is Service.READY:
            await self._await_moment(line, now_s)
        elif self._rotates(line, now_s):
            await self._rotate(line, now_s)
        elif (place := self._attempts.place_to_return(now_s)) is not None:
            self._why = Handover.RETURN
            await self._open(place)

    async def _pause(self, until_s: float | None) -> None:
        """Wait until something happens, or until then."""
        loop = asyncio.get_running_loop()
        timer = None if until_s is None else loop.call_at(until_s, self._news.set)
        try:
            await self._news.wait()
        finally:
            self._news.clear()
            if timer is not None:
                timer.cancel()

    def _due_s(self, line: Line) -> float | None:
        """When to look again, if nothing happens."""
        now_s = asyncio.get_running_loop().time()
        plan, quiet_s, attempts = self._schedule(line), self._quiet_s, self._attempts
        due = [self._liveness.due_s, attempts.well_at_s(line.opened_s)]
        self._waits_for_quiet = self._state is Service.READY
        if self._state is Service.READY:
            due += [quiet_s, plan.force_s if self._why is Handover.ROTATION else None]
        elif not self._rotates(line, now_s):
            due += [plan.look_s, attempts.return_at_s()]
        elif self._beside(line, now_s):
            due.append(attempts.beside_at_s())
        else:
            self._waits_for_quiet = True
            due += [quiet_s, plan.force_s]
        return min((at for at in due if at is not None), default=None)

    def _suspicious(self, line: Line, now_s: float) -> bool:
        if not self._liveness.suspicious(now_s):
            return False
        talk = self._lines.talk
        # What waits to be read, or for the user to finish, is not missing; nor what was a noise.
        if line.connection.unread_bytes or not (talk.owed.expects or talk.uplink.owes):
            self._liveness.told(now_s)
        elif self._lines.user_has_floor:
            self._liveness.held(now_s)
        else:
            return True
        return False

    async def _doubt(self, line: Line, now_s: float) -> None:
        """The line may be dead: have another one serve, unless it tells something meanwhile."""
        self._lines.talk.uplink.doubted()
        if self._state is Service.SERVING and line.profile.parallel_sessions:
            self._why = Handover.RECONNECT
            if not await self._open(line.place):
                self._refused_beside += 1
                if self._heard_s > now_s or self._refused_beside < self._settings.attempts:
                    self._liveness.postponed(asyncio.get_running_loop().time() + _RETRY_S)
                    return
                # Neither it nor another one serves: who stands behind the session shall know.
        self._liveness.doubted(asyncio.get_running_loop().time())
        if self._heard_s > now_s:
            self._dismiss()
            return
        self._doubts.gave_up()
        error = silent(self._settings.silent_s)
        self._attempts.lost(error, now_s)
        self._give_up(error)

    def _dismiss(self) -> None:
        """The line that was doubted has told something."""
        line, self._next = self._next, None
        assert line is not None
        self._happens(Happening.NEEDLESS)
        self._lines.farewell(line)
        self._doubts.dispelled()
        self._why = Handover.ROTATION

    async def _await_moment(self, line: Line, now_s: float) -> None:
        """The next one is open: let it serve when nobody speaks, or when there is no more time."""
        assert self._next is not None
        if self._next.connection.dead:
            self._lines.farewell(self._next)
            error = ConnectionLost("The connection that was to follow died while it waited.")
            self._attempts.failed(self._next.place, error, now_s, resumed=False)
            self._next = None
            self._happens(Happening.FAILED)
        elif self._quiet(now_s) or (self._why is Handover.ROTATION and self._forced(line, now_s)):
            self._happens(Happening.MOMENT)
            await self._switch()

    def _rotates(self, line: Line, now_s: float) -> bool:
        """Whether a moment to rotate is looked for."""
        look_s = self._schedule(line).look_s
        return self._wished or (look_s is not None and now_s >= look_s)

    async def _rotate(self, line: Line, now_s: float) -> None:
        """Open the next connection beside this one, or in its place at the right moment."""
        self._why = Handover.ROTATION
        if self._beside(line, now_s):
            if now_s >= self._attempts.beside_at_s():
                await self._open(line.place)
        elif self._quiet(now_s) or self._forced(line, now_s):
            self._attempts.left()
            self._give_up(None)

    def _beside(self, line: Line, now_s: float) -> bool:
        """Whether the next connection is opened while this one serves."""
        rotation, situation = rotation_for(line.profile), self._situation(line, now_s)
        if situation.moment is Moment.FORCED or self._quiet(now_s):
            return rotation.plan(situation) is Plan.PARALLEL
        # What is said now may be over, and part of a session that can be resumed, by then.
        return not line.profile.resumption and rotation.prepares(situation)

    def _handle_for(self, line: Line, situation: Situation) -> str:
        """What another connection takes its session up with; empty if it begins a new one."""
        resumes = rotation_for(line.profile).plan(situation) is Plan.RESUME
        return situation.handle.token if resumes and situation.handle is not None else ""

    def _situation(self, line: Line, now_s: float) -> Situation:
        forced = self._forced(line, now_s)
        return self._lines.situation(Moment.FORCED if forced else Moment.QUIET)

    def _schedule(self, line: Line) -> Schedule:
        # Who is told to go goes, and by two clocks that agree.
        sure = line.told_to_go or line.end_is_sure
        rotated_s = None if sure else self._rotated_s
        return schedule(self._settings, line.opened_s, line.ends_s, rotated_s=rotated_s)

    def _forced(self, line: Line, now_s: float) -> bool:
        force_s = self._schedule(line).force_s
        return force_s is not None and now_s >= force_s

    @property
    def _quiet_s(self) -> float | None:
        """From when on the moment is quiet, if nothing happens before; None if it cannot be."""
        since_s = self._lines.quiet_since_s
        return None if since_s is None else since_s + self._settings.quiet_s

    def _quiet(self, now_s: float) -> bool:
        quiet_s = self._quiet_s
        return quiet_s is not None and now_s >= quiet_s

    def _happens(self, happening: Happening) -> Step:
        self._state, step = advance(self._state, happening)
        return step


__all__ = ["Keeper"]
