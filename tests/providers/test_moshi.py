"""Moshi's frames, with sound that is not encoded."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade.conversation.history import Speaker, Utterance
from crossfade.conversation.tools import ToolResult
from crossfade.errors import ProviderFault, SettingsError
from crossfade.providers.commands import (
    Command,
    EndTurn,
    Interrupt,
    Respond,
    Say,
    SendImage,
    SendText,
    SendToolResult,
    StartTurn,
    Update,
)
from crossfade.providers.config import SessionConfig
from crossfade.providers.events import (
    AudioChunk,
    Event,
    ProviderError,
    ResponseDone,
    ResponseStarted,
    ResponseStatus,
    SessionOpened,
    Severity,
    SpeechDone,
    TextDelta,
)
from crossfade.providers.moshi import MOSHI_PROFILE, MoshiProtocol, moshi_protocol
from crossfade.providers.session_ids import session_mark
from crossfade.providers.validation import check_config
from tests.providers.moshi_frames import (
    FRAME_SAMPLES,
    PYTHON_HANDSHAKE,
    RUST_HANDSHAKE,
    RawCodec,
    audio,
    error,
    metadata,
    silence,
    speech,
    text,
)

FRAME = 2 * FRAME_SAMPLES
MALFORMED = "malformed_message"
MARK = session_mark(random.Random(1))
FIRST, ITEM = f"response_{MARK}_1", f"item_{MARK}_1"


def new() -> MoshiProtocol:
    return MoshiProtocol(codec=RawCodec(), randomness=random.Random(1))


def opened() -> MoshiProtocol:
    protocol = new()
    protocol.start(SessionConfig())
    protocol.receive(PYTHON_HANDSHAKE)
    protocol.replies()
    return protocol


def only_error(events: list[Event]) -> ProviderError:
    (found,) = events
    assert isinstance(found, ProviderError)
    return found


def test_it_dials_the_server_on_this_machine() -> None:
    request = new().connect_request(None, "")
    assert request.url == "ws://localhost:8998/api/chat"
    assert request.headers == {}


def test_a_base_url_keeps_its_sampling_parameters() -> None:
    url = "ws://gpu:8998/api/chat?text_temperature=0.7&max_steps=4500"
    request = new().connect_request(f"{url}#top", "key")
    assert request.url == url
    assert request.headers == {"Authorization": "Bearer key"}


@pytest.mark.parametrize("handshake", [PYTHON_HANDSHAKE, RUST_HANDSHAKE])
def test_the_handshake_opens_the_session(handshake: bytes) -> None:
    protocol = new()
    assert protocol.start(SessionConfig()) == []
    assert protocol.replies() == []
    assert protocol.receive(handshake) == [SessionOpened(session_id="", model="moshi")]
    assert protocol.receive(handshake) == []


def test_the_first_frame_that_is_sent_is_silence() -> None:
    protocol = new()
    protocol.receive(PYTHON_HANDSHAKE)
    assert protocol.replies() == [audio(bytes(FRAME))]
    assert protocol.replies() == []
    protocol.receive(PYTHON_HANDSHAKE)
    assert protocol.replies() == []


@pytest.mark.parametrize("size", [1, 4, 7, 9])
def test_a_handshake_of_another_size_opens_nothing(size: int) -> None:
    protocol = new()
    assert only_error(protocol.receive(bytes(1 + size))).code == MALFORMED
    assert protocol.replies() == []


def test_another_version_of_the_protocol_is_refused_for_good() -> None:
    protocol = new()
    found = only_error(protocol.receive(b"\x00\x01\x00\x00\x00" + bytes(4)))
    assert found.severity is Severity.FATAL
    fault = protocol.fault(found)
    assert isinstance(fault, ProviderFault)
    assert fault.code == "protocol_version"
    assert "version 1" in str(fault)


def test_nothing_but_an_error_counts_before_the_handshake() -> None:
    protocol = new()
    assert protocol.receive(audio(speech(800))) == []
    assert protocol.receive(text(" Hi")) == []
    assert protocol.receive(error("no GPU")) == [
        ProviderError(message="no GPU", severity=Severity.FATAL)
    ]
    protocol.receive(PYTHON_HANDSHAKE)
    begun = protocol.receive(audio(speech(800)))
    assert [type(event) for event in begun] == [ResponseStarted, AudioChunk]


def test_sound_of_the_user_goes_in_whole_frames() -> None:
    protocol = opened()
    pcm = speech(300)
    sent = [protocol.append_audio(pcm[at : at + 960]) for at in range(0, len(pcm), 960)]
    assert [len(message) for message in sent if message] == [1 + FRAME] * 3
    assert b"".join(message[1:] for message in sent) == pcm[: 3 * FRAME]
    rest = protocol.append_audio(silence(180))
    assert rest == audio(pcm[3 * FRAME :] + silence(180))


def test_speech_of_the_model_is_a_response() -> None:
    protocol = opened()
    events = [
        *protocol.receive(audio(silence())),
        *protocol.receive(text("▁Hel")),
        *protocol.receive(audio(speech())),
        *protocol.receive(text("lo")),
    ]
    for _ in range(8):
        events += protocol.receive(audio(silence()))
    pcm = b"".join(event.pcm for event in events if isinstance(event, AudioChunk))
    assert pcm == silence() + speech() + silence(600)
    assert [event for event in events if not isinstance(event, AudioChunk)] == [
        ResponseStarted(response_id=FIRST),
        TextDelta(response_id=FIRST, item_id=ITEM, text="Hel", spoken=True),
        TextDelta(response_id=FIRST, item_id=ITEM, text="lo", spoken=True),
        SpeechDone(response_id=FIRST, item_id=ITEM),
        ResponseDone(response_id=FIRST, status=ResponseStatus.COMPLETED),
    ]


def test_an_interruption_sends_nothing_and_drops_the_rest() -> None:
    protocol = opened()
    protocol.receive(audio(speech(800)))
    assert protocol.send(Interrupt(played_ms={ITEM: 300})) == []
    assert protocol.replies() == []
    assert protocol.receive(audio(speech(800))) == [
        ResponseDone(response_id=FIRST, status=ResponseStatus.INTERRUPTED)
    ]
    assert protocol.receive(audio(silence(800))) == []
    assert ResponseStarted(response_id=f"response_{MARK}_2") in protocol.receive(audio(speech()))


@pytest.mark.parametrize(
    "frame",
    [b"\x03\x00", metadata(b'{"seed": 1}'), b"\x06", b"\x07colour", b"\x09", b"\xff"],
)
def test_other_frames_pass_by(frame: bytes) -> None:
    assert opened().receive(frame) == []


def test_an_error_frame_is_an_error() -> None:
    protocol = opened()
    assert protocol.receive(error("out of steps")) == [
        ProviderError(message="out of steps", severity=Severity.REQUEST)
    ]
    assert only_error(protocol.receive(b"\x05")).message
    assert len(only_error(protocol.receive(error("x" * 9000))).message) == 500
    assert "\N{REPLACEMENT CHARACTER}" in only_error(protocol.receive(b"\x05\xff")).message


@pytest.mark.parametrize(
    "frame",
    [b"", "text", audio(b"odd"), b"\x02\xff", text("x" * 5000)],
    ids=["empty", "text frame", "no sound", "no UTF-8", "a long word"],
)
def test_what_makes_no_sense_is_an_error_and_the_session_goes_on(frame: bytes | str) -> None:
    protocol = opened()
    assert only_error(protocol.receive(frame)).code == MALFORMED
    assert ResponseStarted(response_id=FIRST) in protocol.receive(audio(speech()))


@pytest.mark.parametrize(
    "command",
    [
        SendText(text="Hi"),
        SendImage(data=b"x", media_type="image/png"),
        SendToolResult(result=ToolResult(call_id="1", output=None)),
        Respond(),
        Say(text="Hi"),
        StartTurn(),
        EndTurn(),
        Update(instructions="x"),
    ],
    ids=lambda command: type(command).__name__,
)
def test_what_it_cannot_do_is_refused(command: Command) -> None:
    with pytest.raises(SettingsError, match="sound and nothing else"):
        opened().send(command)


def test_another_voice_is_refused() -> None:
    with pytest.raises(SettingsError, match="one voice"):
        new().start(SessionConfig(voice="warm"))


@pytest.mark.parametrize(
    "config", [SessionConfig(max_output_tokens=9), SessionConfig(compress_context=False)]
)
def test_what_it_cannot_be_is_refused_by_its_profile(config: SessionConfig) -> None:
    with pytest.raises(SettingsError, match=r"profile\."):
        check_config(config, MOSHI_PROFILE, ())


def test_there_are_no_dialects() -> None:
    with pytest.raises(SettingsError, match="personaplex"):
        moshi_protocol("", "personaplex")


def test_a_model_may_have_another_name() -> None:
    protocol = MoshiProtocol("moshika", codec=RawCodec())
    assert protocol.model == protocol.profile.model == "moshika"


def test_a_close_says_nothing_and_the_line_needs_no_keepalive() -> None:
    protocol = opened()
    assert protocol.closed(1000, "") is None
    assert protocol.keepalive() == []
    assert protocol.keepalive_s is None


frames = st.one_of(
    st.binary(max_size=80),
    st.text(max_size=20),
    st.builds(audio, st.binary(max_size=40) | st.builds(speech, st.integers(0, 300))),
    st.builds(audio, st.builds(silence, st.integers(0, 900))),
    st.builds(text, st.text(max_size=9) | st.sampled_from(["<0xE2>", "<pad>", "▁a"])),
    st.builds(lambda kind, rest: bytes([kind]) + rest, st.integers(0, 10), st.binary(max_size=20)),
    st.sampled_from([PYTHON_HANDSHAKE, RUST_HANDSHAKE]),
    st.just(Interrupt(played_ms={})),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(frames, max_size=30))
def test_no_frame_raises_or_breaks_the_order(stream: list[bytes | str | Interrupt]) -> None:
    protocol = new()
    open_ = False
    running = None
    for frame in stream:
        if isinstance(frame, Interrupt):
            assert protocol.send(frame) == []
            continue
        for event in protocol.receive(frame):
            match event:
                case SessionOpened():
                    assert not open_
                    open_ = True
                case ResponseStarted():
                    assert open_
                    assert running is None
                    running = event.response_id
                case ResponseDone():
                    assert event.response_id == running
                    running = None
                case AudioChunk() | TextDelta() | SpeechDone():
                    assert event.response_id == running
                case _:
                    assert isinstance(event, ProviderError)
        assert len(protocol.replies()) <= 1


def test_no_two_sessions_share_the_names_of_responses_and_items() -> None:
    def names(protocol: MoshiProtocol) -> set[str]:
        protocol.start(SessionConfig())
        protocol.receive(PYTHON_HANDSHAKE)
        events = protocol.receive(audio(speech()))
        chunks = [event for event in events if isinstance(event, AudioChunk)]
        return {chunk.response_id for chunk in chunks} | {chunk.item_id for chunk in chunks}

    one, other = (names(MoshiProtocol(codec=RawCodec())) for _ in range(2))
    assert len(one) == len(other) == 2
    assert not one & other


def test_nothing_can_be_told_of_what_was_said_before() -> None:
    protocol = new()
    assert protocol.start(SessionConfig(), seeded=True) == []
    assert protocol.seed([Utterance(speaker=Speaker.USER, text="Hello.")]) == []
    protocol.receive(PYTHON_HANDSHAKE)
    assert len(protocol.replies()) == 1, "which opens the stream of sound"
