"""Tickets of the streams of phone calls."""

from collections.abc import Mapping
from typing import Any

import pytest

from crossfade.pipelines.serve_begin import AttachmentRefused
from crossfade.pipelines.serve_phone_tickets import TICKET_S, StreamTickets
from crossfade.pipelines.serve_workers_peers import Peers, Told

NOW_S = 1_700_000_000.0
SECRET = b"of the company"


class Others(Peers):
    """All workers of a server, who hear each other at once."""

    def __init__(self, workers: "list[Others]") -> None:
        self._told: dict[str, Told] = {}
        self._workers = workers
        workers.append(self)

    def on(self, what: str, told: Told) -> None:
        self._told[what] = told

    def tell(self, what: str, **fields: Any) -> None:
        told: Mapping[str, Any] = fields
        for each in self._workers:
            if each is not self:
                each._told[what](told)


def test_a_ticket_begins_one_call_at_all_workers_together() -> None:
    workers: list[Others] = []
    one, two = (StreamTickets(SECRET, "/twilio", Others(workers)) for _ in range(2))
    ticket = one.give("CA1", NOW_S, new=True)
    # A worker that only hands the line on has begun nothing.
    assert one.begins("CA1", ticket, NOW_S)
    assert two.begins("CA1", ticket, NOW_S)
    two.use(ticket)
    assert not one.begins("CA1", ticket, NOW_S)
    assert not two.begins("CA1", ticket, NOW_S)


def test_a_ticket_is_for_its_call_and_a_minute() -> None:
    tickets = StreamTickets(SECRET, "/twilio")
    ticket = tickets.give("CA1", NOW_S, new=True)
    others = StreamTickets(b"another", "/twilio"), StreamTickets(SECRET, "/plivo")
    for broken in (None, "", "x", ticket[:-1], "0" + ticket[1:], ticket.replace("1", "١", 1)):
        with pytest.raises(AttachmentRefused):
            tickets.begins("CA1", broken, NOW_S)
    with pytest.raises(AttachmentRefused):
        tickets.begins("CA2", ticket, NOW_S)
    with pytest.raises(AttachmentRefused):
        tickets.begins("CA1", ticket, NOW_S + TICKET_S + 1)
    for other in others:
        with pytest.raises(AttachmentRefused):
            other.begins("CA1", ticket, NOW_S)


def test_without_a_secret_nobody_else_can_make_one() -> None:
    one, other = StreamTickets(b"", "/telnyx"), StreamTickets(b"", "/telnyx")
    ticket = one.give("CA1", NOW_S, new=True)
    assert one.begins("CA1", ticket, NOW_S)
    with pytest.raises(AttachmentRefused):
        other.begins("CA1", ticket, NOW_S)


def test_the_next_stream_of_a_call_begins_no_other() -> None:
    tickets = StreamTickets(SECRET, "/twilio")
    assert not tickets.begins("CA1", tickets.give("CA1", NOW_S, new=False), NOW_S)
