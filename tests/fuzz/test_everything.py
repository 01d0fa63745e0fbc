"""All inputs for a moment; what fuzzing has found; and that it would find something."""

import asyncio
import random
from collections.abc import Mapping
from pathlib import Path

import pytest
from loguru import logger

from crossfade.errors import SettingsError
from tests.fuzz.everything import Feeding
from tests.fuzz.inputs import Input, inputs, refusing
from tests.fuzz.sockets import SOCKETS, nothing_logged
from tests.fuzz.target import Finding

NAMES = (
    "frames of clients", "frames of servers",
    "client", "twilio", "telnyx", "plivo", "webrtc offer", "webrtc candidates", "resume token",
    "ticket", "webhook", "sound file", "recording", "event log", "transcript", "summary", "capture",
    "scenario", "faults", "arms", "prices", "emulator's recording",
)  # fmt: skip
SLOW = {"recording", "event log", "transcript"}
FOUND = [
    ("client", b'{"type":"hello","output_rate_hz":8000.0}'),
    ("client", b'{"type":"hello","heard":{"stream":2,"samples":5,"response_ms":1}}'),
    ("twilio", b'{"event":"dtmf","dtmf":{"digit":[]}}'),
    ("telnyx", b'{"event":"dtmf","dtmf":{"digit":{}}}'),
    ("plivo", b'{"event":"dtmf","dtmf":{"digit":[[]]}}'),
]


@pytest.fixture(scope="module")
def ways_in(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Input]:
    return inputs(tmp_path_factory.mktemp("fuzz"))


def test_all_are_tried(ways_in: Mapping[str, Input]) -> None:
    assert set(NAMES) == ways_in.keys()


@pytest.mark.parametrize("name", NAMES)
def test_an_input_is_taken_or_refused(name: str, ways_in: Mapping[str, Input]) -> None:
    feeding = Feeding(ways_in[name], random.Random(7))

    async def feed() -> None:
        for _ in range(4 if name in SLOW else 200):
            feeding.feed()

    asyncio.run(feed())
    assert feeding.taken


@pytest.mark.parametrize("name", sorted(SOCKETS))
def test_a_bad_client_harms_itself_alone(name: str) -> None:
    assert SOCKETS[name](0, random.Random(7), 6) > 5


@pytest.mark.parametrize(("name", "data"), FOUND)
def test_what_was_found_is_taken_or_refused(
    name: str, data: bytes, ways_in: Mapping[str, Input]
) -> None:
    async def feed() -> None:
        refusing(ways_in[name].feed, data)

    asyncio.run(feed())


def test_what_a_browser_shows_to_look_at_calls_is_no_ticket(ways_in: Mapping[str, Input]) -> None:
    for shown in ways_in["ticket"].corpus:
        refusing(ways_in["ticket"].feed, shown)


def test_an_exception_is_a_finding_and_an_error_of_ours_is_none() -> None:
    def feed(data: bytes) -> None:
        if data == b"refused":
            raise SettingsError("no")
        raise KeyError(data)

    assert not refusing(feed, b"refused")
    with pytest.raises(Finding, match="broken"):
        refusing(feed, b"broken")


def test_what_is_told_as_an_error_is_a_finding() -> None:
    with pytest.raises(Finding, match="it broke"), nothing_logged():
        logger.error("it broke")


def test_a_line_that_takes_long_is_a_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.fuzz.everything._LONGEST_S", -1.0)
    feeding = Feeding(Input(corpus=[b"x"], feed=lambda data: None), random.Random(1))
    with pytest.raises(Finding, match="takes"):
        feeding.feed()
