"""When nobody speaks, nothing plays and nothing is owed."""

from crossfade.providers.commands import Respond
from crossfade.providers.continuity.floor import Floor
from crossfade.providers.continuity.liveness import TURN_OVER_S
from crossfade.providers.continuity.owed import Owed
from crossfade.providers.continuity.uplink import UplinkBuffer
from crossfade.providers.events import SpeechStarted

SILENT_S = 6.0


def buffer() -> UplinkBuffer:
    return UplinkBuffer(bytes_per_s=2000, sample_bytes=2, keep_s=60.0, preroll_s=2.0)


def test_it_is_quiet_since_anything_happened_last() -> None:
    floor, owed, uplink = Floor(SILENT_S), Owed(), buffer()
    floor.stirred(5.0)
    assert floor.quiet_since_s(owed, uplink) == 5.0
    floor.playing = True
    assert floor.quiet_since_s(owed, uplink) is None
    floor.playing = False
    owed.asked(Respond())
    assert floor.quiet_since_s(owed, uplink) is None


def test_what_the_ear_alone_has_heard_is_waited_for_a_while() -> None:
    floor, owed, uplink = Floor(SILENT_S), Owed(), buffer()
    uplink.add(bytes(2000))
    floor.user_speaks(True, 1.0)
    uplink.hint_started()
    assert floor.quiet_since_s(owed, uplink) is None
    floor.user_speaks(False, 2.0)
    uplink.hint_stopped()
    assert floor.quiet_since_s(owed, uplink) == 2.0 + TURN_OVER_S
    # Who tells of no speech is given as long as he may be silent.
    uplink.speech_events = False
    assert floor.quiet_since_s(owed, uplink) == 2.0 + SILENT_S


def test_the_ear_knows_better_than_the_provider_whether_the_user_speaks() -> None:
    floor, owed = Floor(SILENT_S), Owed()
    assert not floor.is_users(owed)
    owed.told(SpeechStarted(item_id="u1", at_ms=0))
    assert floor.is_users(owed)
    floor.user_speaks(False, 1.0)
    assert not floor.is_users(owed)
    floor.user_speaks(True, 2.0)
    assert floor.is_users(owed)
