"""Tokens and tickets of the server."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.errors import SettingsError
from crossfade.pipelines.serve_access import TICKET_LIFETIME_S, Access

TOKEN = "0123456789abcdef"
NOW_S = 1_700_000_000.0


def test_without_a_token_everybody_comes_in() -> None:
    access = Access()
    assert not access.needed
    assert access.admits(None, NOW_S)
    assert access.knows(None)


def test_with_one_only_who_shows_it_or_a_ticket() -> None:
    access = Access([TOKEN, TOKEN[::-1]])
    assert access.needed
    assert access.admits(TOKEN, NOW_S)
    assert access.admits(TOKEN[::-1], NOW_S)
    assert access.admits(access.ticket(NOW_S), NOW_S + 1)
    for shown in (None, "", TOKEN[:-1], f"{TOKEN}x", "x.y.z", "ü"):
        assert not access.admits(shown, NOW_S)
        assert not access.knows(shown)


def test_a_ticket_is_good_once_and_not_for_long() -> None:
    access = Access([TOKEN])
    ticket = access.ticket(NOW_S)
    assert access.admits(ticket, NOW_S)
    assert not access.admits(ticket, NOW_S)
    late = access.ticket(NOW_S)
    assert not access.admits(late, NOW_S + TICKET_LIFETIME_S + 1)


def test_a_ticket_lets_nobody_have_tickets() -> None:
    access = Access([TOKEN])
    assert not access.knows(access.ticket(NOW_S))


def test_the_processes_of_a_server_know_each_others_tickets_and_no_others() -> None:
    ticket = Access([TOKEN], "one secret").ticket(NOW_S)
    assert Access([TOKEN], "one secret").admits(ticket, NOW_S)
    assert not Access([TOKEN], "another").admits(ticket, NOW_S)
    assert not Access([TOKEN]).admits(ticket, NOW_S)


def test_what_is_signed_besides_is_signed_by_keys_of_its_own() -> None:
    access = Access([TOKEN], "one secret")
    assert access.key("phones") == Access([], "one secret").key("phones")
    assert len({access.key("phones"), access.key("x"), Access([TOKEN], "x").key("phones")}) == 3
    assert access.key("phones") != Access().key("phones")


def test_a_short_token_is_none() -> None:
    with pytest.raises(SettingsError, match="openssl rand"):
        Access(["short"])


@given(st.text(max_size=300))
def test_nothing_else_comes_in(shown: str) -> None:
    assert not Access([TOKEN], "secret").admits(shown, NOW_S) or shown == TOKEN


@given(st.data())
def test_an_altered_ticket_does_not(data: st.DataObject) -> None:
    access = Access([TOKEN], "secret")
    ticket = access.ticket(NOW_S)
    at = data.draw(st.integers(0, len(ticket) - 1))
    other = data.draw(st.characters(codec="ascii").filter(lambda c: c != ticket[at]))
    assert not access.admits(ticket[:at] + other + ticket[at + 1 :], NOW_S)
