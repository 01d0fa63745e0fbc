"""A new connection: first what was said, then what was not answered, then what is said now."""

import base64
from collections.abc import Callable

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.conversation.history import Speaker, Utterance
from crossfade.providers import SessionConfig, TurnDetection
from crossfade.providers.commands import Command, EndTurn, StartTurn
from crossfade.providers.continuity.uplink import TurnMark, UplinkBuffer
from crossfade.providers.gemini_live import GeminiLiveProtocol
from crossfade.providers.moshi import MoshiProtocol
from crossfade.providers.openai_realtime import OpenAIRealtimeProtocol
from crossfade.providers.protocol import WireProtocol
from tests.providers.gemini_messages import OPENED
from tests.providers.moshi_frames import PYTHON_HANDSHAKE, RawCodec
from tests.providers.openai_messages import session_updated

HISTORY = (Utterance(speaker=Speaker.USER, text="My boat is called Petrel."),)
COMMANDS: dict[TurnMark, Command] = {TurnMark.START: StartTurn(), TurnMark.END: EndTurn()}
CHUNK = 960
FRAME = 3840


# Samples that tell their place.
STREAM = b"".join(at.to_bytes(2, "little") for at in range(2**16))


def openai_sound(message: bytes) -> bytes | TurnMark | None:
    fields = orjson.loads(message)
    match fields["type"]:
        case "input_audio_buffer.append":
            return base64.b64decode(fields["audio"])
        case "input_audio_buffer.clear":
            return TurnMark.START
        case "input_audio_buffer.commit":
            return TurnMark.END
    return None


def gemini_sound(message: bytes) -> bytes | TurnMark | None:
    match orjson.loads(message).get("realtimeInput"):
        case {"audio": {"data": data}}:
            return base64.b64decode(data)
        case {"activityStart": _}:
            return TurnMark.START
        case {"activityEnd": _}:
            return TurnMark.END
    return None


def moshi_sound(message: bytes) -> bytes | TurnMark | None:
    return message[1:] if message[0] == 1 else None


Hear = Callable[[bytes], bytes | TurnMark | None]
OPEN = {
    "openai": (orjson.dumps(session_updated()), openai_sound),
    "gemini": (orjson.dumps(OPENED), gemini_sound),
    "moshi": (PYTHON_HANDSHAKE, moshi_sound),
}


def new(wire: str) -> WireProtocol:
    match wire:
        case "openai":
            return OpenAIRealtimeProtocol("gpt-realtime-2.1")
        case "gemini":
            return GeminiLiveProtocol("gemini-3.8-live")
    return MoshiProtocol(codec=RawCodec())


def take_over(wire: str, kept: UplinkBuffer, *, manual: bool) -> tuple[list[bytes], WireProtocol]:
    """Open a session and give it all it must know; what went over the wire then."""
    protocol = new(wire)
    detection = TurnDetection.CALLER if manual else TurnDetection.SERVER
    first = protocol.start(SessionConfig(turn_detection=detection), seeded=True)
    assert b"Petrel" not in b"".join(first)
    protocol.receive(OPEN[wire][0])
    sent = protocol.replies()
    sent += protocol.seed(HISTORY)
    for piece in kept.replay():
        if isinstance(piece, TurnMark):
            sent += protocol.send(COMMANDS[piece])
        elif message := protocol.append_audio(piece):
            sent.append(message)
    return sent, protocol


STEPS = st.lists(st.sampled_from(["sound", "start", "end"]), max_size=12)


@given(st.sampled_from(["openai", "gemini"]), STEPS, st.integers(0, 12))
def test_turns_and_their_sound_stay_in_order(wire: str, steps: list[str], live: int) -> None:
    """Of what the old connection had and what is said now, each sample is heard once."""
    kept = UplinkBuffer(48_000, 2, 60.0, 10.0)
    said: list[bytes | TurnMark] = []
    position, speaking = 0, False
    for step in steps:
        if step == "sound" or speaking:
            # Enough for the service to take it for a turn.
            pcm = STREAM[position : position + 6 * CHUNK]
            kept.add(pcm)
            position += len(pcm)
            said.append(pcm)
        if step != "sound" and (step == "start") is not speaking:
            speaking = not speaking
            (kept.start_turn if speaking else kept.end_turn)()
            said.append(TurnMark.START if speaking else TurnMark.END)
    sent, protocol = take_over(wire, kept, manual=True)
    for _ in range(live):
        pcm = STREAM[position : position + CHUNK]
        position += CHUNK
        said.append(pcm)
        sent.append(protocol.append_audio(pcm))
    hear = OPEN[wire][1]
    assert b"Petrel" in sent[0]
    assert not any(b"Petrel" in message for message in sent[1:])
    heard = [piece for piece in map(hear, sent) if piece is not None]
    assert joined(heard) == joined(said)


@pytest.mark.parametrize("wire", ["openai", "gemini", "moshi"])
def test_an_utterance_in_progress_goes_over_whole(wire: str) -> None:
    kept = UplinkBuffer(48_000, 2, 60.0, 1.0)
    pcm = STREAM[: FRAME * 20]
    kept.speech_started(0)
    kept.add(pcm[: FRAME * 15])
    sent, protocol = take_over(wire, kept, manual=False)
    sent.append(protocol.append_audio(pcm[FRAME * 15 :]))
    heard = [piece for piece in map(OPEN[wire][1], sent) if isinstance(piece, bytes)]
    assert b"".join(heard).endswith(pcm)
    assert any(b"Petrel" in message for message in sent) is (wire != "moshi")


def joined(pieces: list[bytes | TurnMark]) -> list[bytes | TurnMark]:
    """Sound that is not parted by a mark is one piece."""
    whole: list[bytes | TurnMark] = []
    for piece in pieces:
        if isinstance(piece, bytes) and whole and isinstance(whole[-1], bytes):
            whole[-1] += piece
        else:
            whole.append(piece)
    return whole
