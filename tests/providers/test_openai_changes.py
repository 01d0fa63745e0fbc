"""Which configuration holds, whatever becomes of the changes that were sent."""

from hypothesis import given
from hypothesis import strategies as st

from crossfade.providers.commands import Update
from crossfade.providers.config import SessionConfig
from crossfade.providers.openai_changes import Changes


def sent(changes: Changes, update: Update) -> str:
    name = changes.next_name
    changes.send(update)
    return name


def test_a_refused_change_is_taken_back_whole() -> None:
    changes = Changes()
    changes.begin(SessionConfig(instructions="A"))
    name = sent(changes, Update(instructions="B", voice="calm"))
    assert changes.config == SessionConfig(instructions="B", voice="calm")
    assert changes.refuse(name)
    assert changes.config == SessionConfig(instructions="A")
    assert not changes.refuse(name)
    assert not changes.refuse()


def test_what_is_refused_without_a_name_is_the_oldest_and_in_doubt() -> None:
    changes = Changes()
    changes.send(Update(instructions="B"))
    changes.send(Update(voice="calm"))
    assert changes.refuse()
    assert changes.config == SessionConfig(voice="calm")
    assert changes.doubtful("instructions")
    assert not changes.doubtful("voice")
    changes.send(Update(instructions="C"))
    assert not changes.doubtful("instructions")


def test_pending_changes_are_bounded_and_lost_is_none_of_them() -> None:
    changes = Changes()
    for number in range(1000):
        changes.send(Update(instructions=str(number)))
    assert len(changes._pending) == 64
    assert changes.config.instructions == "999"


@given(st.lists(st.sampled_from(["change", "confirm", "refuse"])))
def test_the_configuration_is_that_of_the_last_change_that_was_not_refused(
    steps: list[str],
) -> None:
    changes = Changes()
    held, pending = "", dict[str, str]()
    for number, step in enumerate(steps):
        if step == "change":
            pending[sent(changes, Update(instructions=str(number)))] = str(number)
        elif pending and step == "confirm":
            held = pending.pop(next(iter(pending)))
            changes.confirm()
        elif pending:
            name = list(pending)[-1]
            del pending[name]
            assert changes.refuse(name)
        assert changes.config.instructions == [held, *pending.values()][-1]
