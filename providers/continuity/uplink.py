"""The user's audio, kept until its answer begins, so that another connection can hear it."""

from crossfade.providers.continuity.kept_audio import KeptAudio, TurnMark
from crossfade.providers.continuity.spoken import Spoken

# The caller's own ear hears speech no later than so long after its first sound.
_EAR_S = 0.5
# While little is to be kept, it is cut back twice a second.
_CUT_BACK_S = 0.5


class UplinkBuffer:
    """What of the user's audio a new connection must hear. Positions are bytes from the first on.

    Kept is all from the start of the oldest turn that is not answered; while no connection serves
    all that is said meanwhile, too; and while nobody speaks the latest `preroll_s`. Beyond
    `keep_s` the oldest is forgotten, and counted as lost once no session has it.

    Args:
        bytes_per_s: Of the audio.
        sample_bytes: Of one sample.
        keep_s: Never is more kept.
        preroll_s: So much is kept while nobody speaks; speech that the caller's own ear hears may
            have begun so long before.
        doubt_s: Speech that only that ear hears is noise, if nothing comes of it for so long.
        speech_events: Whether the provider tells when it hears speech.
    """

    def __init__(
        self,
        bytes_per_s: int,
        sample_bytes: int,
        keep_s: float,
        preroll_s: float,
        *,
        doubt_s: float = 10.0,
        speech_events: bool = True,
    ) -> None:
        self._sample_bytes = sample_bytes
        self._keep = self._whole(int(keep_s * bytes_per_s))
        self._preroll = self._before_gap = self._whole(int(preroll_s * bytes_per_s))
        self._ear = min(self._preroll, self._whole(int(_EAR_S * bytes_per_s)))
        self._cut_back = int(_CUT_BACK_S * bytes_per_s)
        self._kept = KeptAudio()
        self._spoken = Spoken(bytes_per_s, doubt_s, speech_events=speech_events)
        self._gap_from: int | None = None
        self._counted_to = 0
        self._cut_at = self._keep
        self._lost = 0

    @property
    def position_bytes(self) -> int:
        """How much was added, ever."""
        return self._kept.end_bytes

    @property
    def kept_bytes(self) -> int:
        return self._kept.end_bytes - self._kept.start_bytes

    @property
    def lost_bytes(self) -> int:
        """How much was lost, ever."""
        return self._lost

    @property
    def replay_from_bytes(self) -> int:
        """Position of the first byte that `replay` gives."""
        return max(self._wanted_from, self._kept.start_bytes)

    @property
    def owes(self) -> bool:
        """Whether a turn of the user is kept that is not answered."""
        return self._spoken.owed_from is not None

    @property
    def owes_turn(self) -> bool:
        """Whether such a turn goes on, or somebody else than the caller's ear has told of it: what
        that alone has heard may have been a noise."""
        return self._spoken.owes_turn

    @property
    def speech_events(self) -> bool:
        """Whether the provider tells when it hears speech; another one may serve."""
        return self._spoken.speech_events

    @speech_events.setter
    def speech_events(self, tells: bool) -> None:
        self._spoken.speech_events = tells

    def add(self, pcm: bytes) -> int:
        """Keep audio, whole samples; give how many bytes were lost by it."""
        kept = self._kept
        kept.add(pcm)
        return self._forget() if kept.end_bytes >= self._cut_at else 0

    def start_turn(self, back_bytes: int = 0, *, turn_id: str = "") -> None:
        """Note that the caller began a turn, with the audio that comes, or so long before."""
        at = self._whole(self._kept.end_bytes - back_bytes)
        at = max(at, self._kept.last_mark_bytes)
        self._kept.mark(TurnMark.START, at)
        self._spoken.start_turn(at, turn_id)
        self._changed()

    def end_turn(self) -> None:
        """Note that the caller ended a turn, with the audio that came."""
        now = self._kept.end_bytes
        begun_at = max(self._kept.last_mark_bytes, self._spoken.done_to)
        self._kept.mark(TurnMark.END, now)
        self._spoken.end_turn(now, begun_at)
        self._changed()

    def speech_started(self, at_bytes: int) -> None:
        """Note that the provider hears a turn begin."""
        self._spoken.speech_started(self._within(at_bytes))
        self._changed()

    def speech_stopped(self, at_bytes: int) -> None:
        """Note that the provider hears it end."""
        self._spoken.speech_stopped(self._within(at_bytes))
        self._changed()

    def hint_started(self) -> None:
        """Note that the caller's own ear hears somebody speak, for a moment already."""
        self._spoken.hint_started(self._within(self._kept.end_bytes - self._preroll))
        self._changed()

    def hint_stopped(self) -> None:
        self._spoken.hint_stopped(self._kept.end_bytes)
        self._changed()

    def committed(self) -> str:
        """Note that the provider took a turn up; give what the caller called it."""
        turn_id = self._spoken.committed(self._kept.end_bytes, self.replay_from_bytes)
        self._changed()
        return turn_id

    def answered(self) -> None:
        """Note that the answer to what was taken up has begun: it is not kept any longer."""
        self._spoken.answered(self._kept.end_bytes)
        self._changed()

    def taken_up(self) -> list[bytes]:
        """Give the audio of each turn that the provider took up and has not answered."""
        spans = self._spoken.taken_up
        return [self._kept.between(self._whole(start), self._whole(stop)) for start, stop in spans]

    def doubted(self) -> None:
        """Note that another connection is tried, for this one tells nothing: no speech that it
        should have told of is taken for noise meanwhile."""
        self._spoken.doubt_anew(self._kept.end_bytes)
        self._changed()

    def unserved(self, *, well: bool = False) -> int:
        """Note that no connection serves; give how many bytes of unanswered turns are lost.

        Args:
            well: The one that did was well until now: nobody had spoken, but for a word that
                the caller's ear, if it listens, has not heard yet.
        """
        if self._gap_from is None:
            self._gap_from = self._kept.end_bytes
            self._before_gap = self._ear if well and self._spoken.has_ear else self._preroll
        return self._count_loss()

    def served(self) -> int:
        """Note that another connection has what `replay` gave; give how many bytes it lacks."""
        lost = self._count_loss()
        self._gap_from = None
        self._spoken.begin_anew(self._kept.end_bytes, self._kept.start_bytes)
        self._changed()
        return lost

    def replay(self) -> list[bytes | TurnMark]:
        """Give what a new connection is to hear, in order."""
        self._kept.forget_to(self._wanted_from)
        return self._kept.since(self._kept.start_bytes)

    def unfinished(self) -> bytes:
        """Give the audio of the turns that are not answered."""
        owed_from = self._spoken.owed_from
        if owed_from is None:
            return b""
        return b"".join(piece for piece in self._kept.since(owed_from) if type(piece) is bytes)

    def _forget(self) -> int:
        kept, spoken = self._kept, self._spoken
        if self._gap_from is None:
            spoken.forget_noise(kept.end_bytes)
        kept.forget_to(max(self._wanted_from, kept.end_bytes - self._keep))
        self._set_cut()
        return 0 if self._gap_from is None else self._count_loss()

    def _changed(self) -> None:
        """Forget at the next audio what is not wanted any more."""
        self._cut_at = 0

    def _set_cut(self) -> None:
        """Set when to look again: nothing is to be forgotten until then."""
        wanted, doubted_at = self._wanted_from, self._spoken.doubted_at
        cut_at = self._kept.start_bytes + self._keep + 1
        if self._gap_from is None and self._spoken.owed_from is None and not self._all_wanted:
            cut_at = min(cut_at, wanted + self._preroll + self._cut_back)
        elif self._gap_from is None and doubted_at is not None:
            cut_at = min(cut_at, doubted_at)
        self._cut_at = cut_at

    @property
    def _all_wanted(self) -> bool:
        return self._spoken.nobody_tells

    @property
    def _wanted_from(self) -> int:
        """Where the audio begins that a new connection is to hear, were it all kept."""
        spoken, end = self._spoken, self._kept.end_bytes
        wanted = spoken.done_to
        if not self._all_wanted:
            if self._gap_from is None:
                wanted = max(wanted, end - self._preroll)
            else:
                wanted = max(wanted, self._gap_from - self._before_gap)
        turn_from = spoken.wanted_from
        return wanted if turn_from is None else self._whole(min(wanted, turn_from))

    def _count_loss(self) -> int:
        """Count what is owed and gone, once."""
        owed = [at for at in (self._gap_from, self._spoken.owed_from) if at is not None]
        start = self._kept.start_bytes
        since = max(min(owed, default=start), self._counted_to)
        lost = max(0, start - since)
        if lost:
            self._counted_to = start
            self._lost += lost
        return lost

    def _within(self, at_bytes: int) -> int:
        """The position, of those that can still be had."""
        end = self._kept.end_bytes
        return self._whole(min(max(at_bytes, self._kept.start_bytes, self._spoken.done_to), end))

    def _whole(self, count: int) -> int:
        return count - count % self._sample_bytes


__all__ = ["TurnMark", "UplinkBuffer"]
