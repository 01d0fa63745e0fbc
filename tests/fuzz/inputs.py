"""What comes from outside, by name: whole examples of it, and who reads it.

A reader may refuse what it is given by an error of ours, and by nothing else.
"""

import base64
import contextlib
import dataclasses
import functools
import io
import random
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode

import numpy as np
import orjson
import soundfile
import yaml

from crossfade.audio.sound_file import read_sound
from crossfade.emulators.backends.scenario import load_scenario
from crossfade.emulators.faults.script import load_faults
from crossfade.emulators.openai import OpenAIEmulator
from crossfade.emulators.replay.recording import load_recording
from crossfade.errors import CrossfadeError
from crossfade.observability.call import CallRecord
from crossfade.observability.capture_file import read_capture
from crossfade.observability.prices_file import OWN_TABLE, read_prices
from crossfade.observability.report import render_report
from crossfade.observability.run import read_run
from crossfade.observability.summary_file import read_summary
from crossfade.observability.virtual_time import run_virtual
from crossfade.pipelines import serve_webrtc_messages as webrtc
from crossfade.pipelines.demo import demo_script
from crossfade.pipelines.native_call import native_call
from crossfade.pipelines.route_file import read_route
from crossfade.pipelines.sample_tools import get_weather
from crossfade.pipelines.serve_access import Access
from crossfade.providers import SessionConfig
from crossfade.transports import plivo_signature, telnyx_signature, twilio_signature
from crossfade.transports.phone_messages import PhoneDialect
from crossfade.transports.plivo_messages import PlivoDialect
from crossfade.transports.scripted_caller import ScriptedCaller
from crossfade.transports.telnyx_messages import TelnyxDialect
from crossfade.transports.twilio_messages import TwilioDialect
from crossfade.transports.websocket_messages import read_message, read_object, write_message
from crossfade.transports.websocket_token import Claims, TokenRefused, TokenSigner
from tests.fuzz.frames import Stream, streams
from tests.fuzz.target import Finding
from tests.project import ROOT

Feed = Callable[[bytes], None]
"""Reads one input; refuses it by an error of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One way in."""

    corpus: Sequence[bytes]
    """Whole ones."""
    feed: Feed
    lines: bool = False
    """Whether one input is several of these, each of them whole or broken."""


def refusing(feed: Feed, data: bytes) -> bool:
    """Feed one input; gives whether it was taken.

    Raises:
        Finding: It was refused by anything but an error of ours.
    """
    try:
        feed(data)
    except CrossfadeError:
        return False
    except Finding:
        raise
    except Exception as error:
        raise Finding(f"{data[:2000]!r}") from error
    return True


# Messages of clients


def _picture() -> str:
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(40)).decode()


_HEARD = {"stream": 2, "samples": 5, "response_id": "r", "response_ms": 1.5}
_SAID = [
    {"type": "hello", "version": 1, "token": "t", "call_id": "c", "access": "a", "details": True},
    {"type": "hello", "input_rate_hz": 8000, "output_rate_hz": 48000, "heard": _HEARD},
    {"type": "microphone", "from_sample": 320},
    {"type": "played", "stream": 1, "samples": 480},
    {"type": "text", "text": "How deep is the lake?"},
    {"type": "image", "source": "camera", "mime": "image/png", "data": _picture()},
    {"type": "key", "key": "#"},
    {"type": "node", "name": "cascade"},
    {"type": "ping"},
    {"type": "bye"},
]
CLIENT = [orjson.dumps(each) for each in _SAID]
"""What our own clients say."""


def _client(data: bytes) -> None:
    _check_fields(read_message(data))
    read_object(data)


def _check_fields(message: Any) -> None:
    """Hold a message to the types that it declares: what follows relies on them."""
    for name, declared in typing.get_type_hints(type(message)).items():
        value = getattr(message, name)
        kinds = typing.get_args(declared) if isinstance(declared, types.UnionType) else (declared,)
        if type(value) not in kinds:
            raise Finding(f"{name} of {message!r} is no {declared}")
        if dataclasses.is_dataclass(value):
            _check_fields(value)


# Messages of phone companies

_SOUND = base64.b64encode(bytes(range(160))).decode()
_CALL = {
    "callSid": "CA1",
    "streamSid": "MZ1",
    "accountSid": "AC1",
    "callId": "c1",
    "streamId": "s1",
}
_TELNYX_START = {
    "call_control_id": "v3:abc",
    "media_format": {"encoding": "PCMU", "sample_rate": 8000, "channels": 1},
    "custom_parameters": {"ticket": "t"},
}
_SOUNDS = {"mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}}
_ASKED = {"customParameters": {"ticket": "t"}}
_PHONES = [
    {"event": "connected", "protocol": "Call", "version": "1.0.0"},
    {"event": "start", "streamSid": "MZ1", "start": _CALL | _SOUNDS | _ASKED},
    {"event": "start", "start": _CALL | _SOUNDS, "extra_headers": "{X-PH-ticket=abc}"},
    {"event": "start", "stream_id": "s1", "start": _TELNYX_START},
    {"event": "media", "media": {"track": "inbound", "payload": _SOUND}},
    {"event": "media", "media": {"track": "outbound", "payload": _SOUND}},
    {"event": "dtmf", "dtmf": {"digit": "5", "track": "inbound_track"}},
    {"event": "mark", "mark": {"name": "0.480"}},
    {"event": "playedStream", "name": "0.480"},
    {"event": "stop", "stop": {"callSid": "CA1"}},
]  # fmt: skip
DIALECTS: Mapping[str, Callable[[], PhoneDialect]] = {
    "twilio": TwilioDialect,
    "telnyx": TelnyxDialect,
    "plivo": PlivoDialect,
}


class _Stream:
    """A stream of a phone company, begun anew now and then, with an agent who speaks on it."""

    def __init__(self, make: Callable[[], PhoneDialect]) -> None:
        self._make = make
        self._dice = random.Random(1)
        self._dialect = make()

    def __call__(self, data: bytes) -> None:
        if self._dice.random() < 0.05:
            self._dialect = self._make()
        received = self._dialect.receive(data)
        if received is not None:
            self._check(*received)
        if self._dialect.start is not None:
            self._speak()

    def _check(self, message: bytes, text: bool) -> None:
        if text:
            _check_fields(read_message(message))
        elif len(message) % 2:
            raise Finding(f"{len(message)} bytes of sound")

    def _speak(self) -> None:
        """What is said back is JSON, whatever the stream is called."""
        told = (
            self._dialect.send(write_message("ready", stream=1), True)
            + self._dialect.send(bytes(320), False)
            + self._dialect.send(write_message("response"), True)
            + self._dialect.send(write_message("clear", stream=2), True)
        )
        for each in told:
            orjson.loads(each)


# What is signed

_NOW_S = 1_800_000_000.0
_SIGNER = TokenSigner(["a secret of the fuzzer's own"])
_CLAIMS = Claims(
    call_id="call_1",
    attachment=1,
    began_at=_NOW_S,
    kept=True,
    expires_at=_NOW_S + 60,
    input_rate_hz=16000,
    output_rate_hz=24000,
)
_SHOWN = "a token of the fuzzer's own"
_ACCESS = Access([_SHOWN], "a secret of the fuzzer's own")


def _text(data: bytes) -> str:
    # As a header or a JSON text may hold it.
    return data.decode("utf-8", "replace")


def _token(data: bytes) -> None:
    with contextlib.suppress(TokenRefused):
        if _SIGNER.read(_text(data), _NOW_S) != _CLAIMS:
            raise Finding(f"a token that says what was never signed: {data!r}")


def _ticket(data: bytes) -> None:
    shown = _text(data)
    _ACCESS.visits(shown, _NOW_S)
    if _ACCESS.admits(shown, _NOW_S) and shown not in _TICKETS:
        raise Finding(f"a ticket that was never given: {data!r}")


_TICKETS = [_ACCESS.ticket(_NOW_S) for _ in range(3)]
_FORM = urlencode({"CallSid": "CA1", "From": "+15550101", "Digits": "12#", "to": "sales"}).encode()


def _signed(data: bytes) -> None:
    """A webhook's body, and its signature behind the last line."""
    body, _, shown = data.rpartition(b"\n")
    form = parse_qs(body.decode("utf-8", "replace"))
    url, signature = "https://calls.example.org/phone", shown.decode("latin-1")
    forged = [
        twilio_signature.is_signed(signature, url, form, "of the fuzzer"),
        plivo_signature.is_signed(signature, signature, url, form, "of the fuzzer"),
        telnyx_signature.is_signed(signature, f"{_NOW_S:.0f}", body, _TELNYX_KEY, _NOW_S),
    ]
    if any(forged):
        raise Finding(f"a signature that was never made: {data!r}")


_TELNYX_KEY = telnyx_signature.public_key(base64.b64encode(b"k" * 32).decode())

# Files


class _File:
    """A file that is written, and read by its path."""

    def __init__(self, path: Path, read: Callable[[Path], object]) -> None:
        self._path = path
        self._read = read

    def __call__(self, data: bytes) -> None:
        self._path.write_bytes(data)
        self._read(self._path)


def _sounds(folder: Path) -> Sequence[bytes]:
    noise = np.random.default_rng(1).uniform(-0.5, 0.5, (1600, 2))
    made = []
    for kind in ("WAV", "FLAC", "OGG"):
        file = io.BytesIO()
        soundfile.write(file, noise, 16000, format=kind)
        made.append(file.getvalue())
    return made


def _yaml_and_json(*texts: str) -> Sequence[bytes]:
    documents = [yaml.safe_load(text) for text in texts]
    return [text.encode() for text in texts] + [
        orjson.dumps(document, str, orjson.OPT_NON_STR_KEYS) for document in documents
    ]


_SCENARIO = """
otherwise: Well.
repeat: false
turns:
  - {on: speech, hear: what, think_ms: 300, call: [{name: f, arguments: {a: 2026-01-01}}]}
  - {on: tool_results, say: "It is {temperature_c} degrees."}
"""
_FAULTS = """
faults:
  - {fault: reset, turn: 2, at: speaking, after_ms: 250}
  - {fault: close, session: 2, code: 1011, reason: Why., after_messages: 10}
"""
_ARMS = """
experiment: summer
arms:
  - {name: a, node: "openai:gpt-realtime-2.1", weight: 3, usd_per_minute: 0.04}
  - {name: b, node: cascade, languages: [en, de-AT], modalities: [audio, image], urgencies: [high]}
"""


def _recorded(folder: Path) -> Path:
    """A call, with all that is kept of it."""

    async def call() -> None:
        caller = ScriptedCaller(demo_script())
        async with (
            OpenAIEmulator() as emulator,
            native_call(
                "openai:gpt-realtime-2.1",
                transport=caller,
                record=CallRecord.open(folder, capture=True),
                config=SessionConfig(),
                tools=[get_weather],
                base_url=emulator.url,
                api_key="emulated",
            ) as held,
        ):
            await held.run(until=caller.hung_up())

    run_virtual(call())
    return folder


def _some_lines(path: Path) -> Sequence[bytes]:
    """Lines of a file that are not long, in their order; those of its kinds once at least."""
    return [line for line in path.read_bytes().splitlines() if len(line) < 4000][:200]


def _report(path: Path) -> None:
    render_report(read_run(path.parent), audio=False)


def inputs(folder: Path) -> Mapping[str, Input]:
    """All of them.

    Args:
        folder: For files; a small call is recorded there.
    """
    call = _recorded(folder / "call")
    beside = folder / "beside"
    beside.mkdir()
    (beside / "events.jsonl").write_bytes((call / "events.jsonl").read_bytes())
    sounds = _sounds(folder)
    phones = [orjson.dumps(each) for each in _PHONES]
    offer = {"sdp": "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\n", "type": "offer", "pc_id": "p"}
    candidates = {"pc_id": "p", "candidates": [{"candidate": "candidate:1 1 udp", "sdp_mid": "0"}]}

    def file(name: str, read: Callable[[Path], object]) -> _File:
        return _File(folder / name, read)

    return {
        "frames of clients": Input(corpus=streams(masked=True), feed=Stream(masked=True)),
        "frames of servers": Input(corpus=streams(masked=False), feed=Stream(masked=False)),
        "client": Input(corpus=CLIENT, feed=_client),
        **{
            name: Input(corpus=phones, feed=_Stream(make)) for name, make in DIALECTS.items()
        },
        "webrtc offer": Input(
            corpus=[orjson.dumps(offer)], feed=functools.partial(_webrtc, webrtc.Offer)
        ),
        "webrtc candidates": Input(
            corpus=[orjson.dumps(candidates)], feed=functools.partial(_webrtc, webrtc.Candidates)
        ),
        "resume token": Input(corpus=[_SIGNER.issue(_CLAIMS).encode()], feed=_token),
        "ticket": Input(
            corpus=[each.encode() for each in _TICKETS] + [_ACCESS.visit(_SHOWN, _NOW_S).encode()],
            feed=_ticket,
        ),
        "webhook": Input(
            corpus=[_FORM + b"\n" + base64.b64encode(bytes(20))], feed=_signed
        ),
        "sound file": Input(corpus=sounds, feed=file("sound", read_sound)),
        "recording": Input(
            corpus=sounds,
            feed=_File(beside / "recording.wav", _report),
        ),
        "event log": Input(
            corpus=_some_lines(call / "events.jsonl"),
            feed=_File(call / "events.jsonl", _report),
            lines=True,
        ),
        "transcript": Input(
            corpus=[(call / "transcript.json").read_bytes()],
            feed=_File(call / "transcript.json", _report),
        ),
        "summary": Input(
            corpus=[(call / "summary.json").read_bytes()],
            feed=_File(call / "summary.json", lambda path: read_summary(path.parent)),
        ),
        "capture": Input(
            corpus=_some_lines(call / "capture.jsonl"),
            feed=file("capture.jsonl", read_capture),
            lines=True,
        ),
        "scenario": Input(corpus=_yaml_and_json(_SCENARIO), feed=file("s.yaml", load_scenario)),
        "faults": Input(corpus=_yaml_and_json(_FAULTS), feed=file("f.yaml", load_faults)),
        "arms": Input(corpus=_yaml_and_json(_ARMS), feed=file("a.yaml", read_route)),
        "prices": Input(
            corpus=_yaml_and_json(OWN_TABLE.read_text("utf-8")), feed=file("p.yaml", read_prices)
        ),
        "emulator's recording": Input(
            corpus=[(ROOT / "tests" / "foreign" / "call.yaml").read_bytes(), *_LINES],
            feed=file("r.jsonl", load_recording),
        ),
    }  # fmt: skip


_LINES = [
    b'{"direction": "sent", "kind": "message", "data": {"type": "response.create"}}\n'
    b'{"direction": "received", "kind": "message", "at_ms": 30, "data": {"type": "x"}}\n'
]


def _webrtc(kind: type[Any], data: bytes) -> None:
    webrtc.read(kind, data)


__all__ = ["CLIENT", "DIALECTS", "Input", "inputs", "refusing"]
