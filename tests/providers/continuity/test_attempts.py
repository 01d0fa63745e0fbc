"""Which provider is tried next."""

import random

import pytest

from crossfade.errors import ConnectionLost, CredentialsRefused, ProviderFault, SettingsError
from crossfade.providers import Continuity
from crossfade.providers.continuity.attempts import Attempts
from crossfade.providers.continuity.causes import is_fatal

DEAD = ConnectionLost("The line is dead.")
KEY = CredentialsRefused("The key was refused.")


def attempts(legs: int = 1, **settings: float) -> Attempts:
    made = Attempts(Continuity(**settings), legs, random.Random(1))  # type: ignore[arg-type]
    made.serves(0, 0.0)
    return made


def test_the_first_attempt_is_made_at_once_and_then_it_waits() -> None:
    made = attempts()
    made.lost(DEAD, 1.0)
    assert made.next(1.0) == (0, 0.0)
    made.failed(0, DEAD, 1.0, resumed=False)
    made.count(1.0)
    attempt = made.next(1.0)
    assert attempt is not None
    assert 0 < attempt[1] <= 0.25


def test_the_only_provider_is_tried_until_the_budget_is_spent() -> None:
    made = attempts(attempts=4)
    made.lost(DEAD, 1.0)
    tries = 0
    while made.next(1.0) is not None:
        tries += 1
        made.failed(0, DEAD, 1.0, resumed=False)
        made.count(1.0)
    assert tries == 4
    assert made.cause is DEAD


def test_a_fatal_cause_leaves_no_attempt() -> None:
    made = attempts()
    made.lost(KEY, 1.0)
    assert made.next(1.0) is None
    assert made.cause is KEY


def test_a_fatal_cause_moves_on_at_once() -> None:
    made = attempts(legs=2)
    made.lost(KEY, 1.0)
    assert made.next(1.0) == (1, 0.0)


def test_some_failures_move_on() -> None:
    made = attempts(legs=2)
    made.lost(DEAD, 1.0)
    places = []
    for _ in range(4):
        attempt = made.next(1.0)
        assert attempt is not None
        places.append(attempt[0])
        made.failed(attempt[0], DEAD, 1.0, resumed=False)
        made.count(1.0)
    assert places == [0, 0, 1, 1]


def test_an_earlier_provider_is_returned_to_when_it_has_rested() -> None:
    made = attempts(legs=2, return_after_s=60.0)
    for _ in range(3):
        made.failed(0, DEAD, 1.0, resumed=False)
    made.serves(1, 1.0)
    assert made.place_to_return(2.0) is None
    assert made.return_at_s() == 61.0
    assert made.place_to_return(61.0) == 0


def test_a_handle_that_is_refused_says_nothing_of_the_provider() -> None:
    made = attempts(legs=2)
    made.lost(DEAD, 1.0)
    for _ in range(5):
        made.failed(0, ProviderFault("No such session.", code="1008"), 1.0, resumed=True)
    assert made.next(1.0) == (0, 0.0)


@pytest.mark.parametrize(
    ("error", "fatal"),
    [
        (DEAD, False),
        (KEY, True),
        (SettingsError("No."), True),
        (ProviderFault("No money.", code="insufficient_quota"), True),
        (ProviderFault("Not found.", code="404"), True),
        (ProviderFault("Busy.", code="503"), False),
        (ProviderFault("Too many.", code="429"), False),
        (RuntimeError("the vault is shut"), False),
    ],
)
def test_what_no_other_connection_would_better(error: Exception, fatal: bool) -> None:
    assert is_fatal(error) is fatal
