"""The replay server is strict about order and content, and lenient about ids and sound."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from websockets.asyncio.client import connect

from tests.clock import run
from tests.providers.replay.matching import Ids, difference
from tests.providers.replay.server import ReplayServer
from tests.providers.replay.session_file import Kind, Step, load

SOUND = base64.b64encode(bytes(8)).decode()


def sent(**message: Any) -> Step:
    return Step(sent=True, kind=Kind.MESSAGE, data=message)


def received(**message: Any) -> Step:
    return Step(sent=False, kind=Kind.MESSAGE, data=message)


def play(steps: Sequence[Step], messages: Sequence[Any], answers: int = 0) -> list[Any]:
    """Send these messages; gives so many answers."""

    async def main() -> list[Any]:
        async with ReplayServer(steps) as server, connect(server.url) as websocket:
            for message in messages:
                await websocket.send(orjson.dumps(message), text=True)
            heard = [orjson.loads(await websocket.recv()) for _ in range(answers)]
            await websocket.close()
            return heard

    return run(main())


STEPS = (
    sent(type="session.update", session={"instructions": "Be brief."}),
    received(type="session.updated"),
    sent(type="response.create"),
    received(type="response.created"),
)
UPDATE = {"type": "session.update", "session": {"instructions": "Be brief.", "speed": 1}}
CREATE = {"type": "response.create"}


def test_more_than_what_is_written_down_may_be_said() -> None:
    kinds = [answer["type"] for answer in play(STEPS, [UPDATE, CREATE], answers=2)]
    assert kinds == ["session.updated", "response.created"]


@pytest.mark.parametrize(
    ("messages", "complaint"),
    [
        ([CREATE, UPDATE], "response.create instead of session.update"),
        ([{"type": "session.update", "session": {}}], "instructions is missing"),
        ([UPDATE | {"session": {"instructions": "Be long."}}], "'Be long.' instead of 'Be brief.'"),
        ([UPDATE, CREATE, CREATE], "after the end the client sent response.create"),
        ([UPDATE], "never got as far as"),
    ],
    ids=["order", "missing", "other", "more", "less"],
)
def test_what_differs_is_told_on_leaving(messages: list[Any], complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        play(STEPS, messages, answers=2 if len(messages) == 3 else 0)


def test_ids_of_the_client_are_repeated_as_the_client_gave_them() -> None:
    steps = (
        sent(type="response.create", event_id="event_recorded"),
        received(type="error", error={"event_id": "event_recorded", "item_id": "item_recorded"}),
    )
    (answer,) = play(steps, [CREATE | {"event_id": "event_ours"}], answers=1)
    assert answer["error"] == {"event_id": "event_ours", "item_id": "item_recorded"}


def test_sound_may_come_in_more_pieces() -> None:
    piece = {"type": "input_audio_buffer.append", "audio": SOUND}
    steps = (sent(**piece), sent(type="input_audio_buffer.commit"))
    play(steps, [piece, piece, piece, {"type": "input_audio_buffer.commit"}, piece])


def test_no_sound_is_no_piece() -> None:
    wrong = difference(
        {"type": "input_audio_buffer.append", "audio": SOUND},
        {"type": "input_audio_buffer.append", "audio": ""},
        Ids(),
    )
    assert wrong is not None


def test_keys_of_both_spellings_are_the_same() -> None:
    ours = {"clientContent": {"turns": [], "turnComplete": True}}
    assert difference({"client_content": {"turn_complete": True}}, ours, Ids()) is None
    assert difference({"client_content": {"turn_complete": False}}, ours, Ids()) is not None


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "session.yaml"
    path.write_text("version: 2\ninteractions: []\n")
    with pytest.raises(ValueError, match="version 1"):
        load(path)
