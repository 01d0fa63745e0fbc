"""Bad input costs one session, never the server, and holds no memory."""

import base64
import contextlib
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed

from crossfade.emulators.gemini.client_messages import CLIENT_MESSAGE
from crossfade.emulators.gemini.closes import Closed
from crossfade.emulators.gemini.proto_json import camel, checked, snake
from crossfade.emulators.gemini.user_turns import BYTES_PER_MS
from tests.clock import run
from tests.emulators.gemini.wire_client import (
    client_of,
    emulator_of,
    quiet,
    session,
    tone,
)

NAMES = st.sampled_from(
    (
        "setup",
        "clientContent",
        "realtimeInput",
        "toolResponse",
        "contextUpdate",
        "model",
        "turns",
        "turnComplete",
        "role",
        "parts",
        "text",
        "inlineData",
        "data",
        "mimeType",
        "audio",
        "video",
        "mediaChunks",
        "activityStart",
        "audioStreamEnd",
        "functionResponses",
        "id",
        "name",
        "response",
        "willContinue",
        "tools",
        "functionDeclarations",
        "parameters",
        "generationConfig",
        "thinkingConfig",
        "sessionResumption",
        "handle",
        "x_y",
    )
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(
        ["user", "AAAA", "audio/pcm;rate=16000", "image/jpeg", "models/gemini-3.8-live"]
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(NAMES | st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.dictionaries(NAMES, VALUES, max_size=2))
@settings(max_examples=200, deadline=None)
def test_any_json_is_read_or_refused(message: dict[str, Any]) -> None:
    try:
        fields = checked(CLIENT_MESSAGE, message)
    except Closed as closed:
        close = closed.close
    else:
        assert set(fields) <= {camel(name) for name in message}
        return
    assert close.code == 1007
    assert len(close.reason.encode()) <= 123


CONTENT = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "model"]), "parts": st.just([{"text": "Hi"}])}
)
BLOB = st.fixed_dictionaries(
    {
        "data": st.sampled_from(["", "AA", "AAAA", "AAAAAAA"]),
        "mimeType": st.sampled_from(["audio/pcm", "audio/pcm;rate=8000", "image/png"]),
    }
)
MESSAGES = st.one_of(
    st.builds(lambda text: {"realtimeInput": {"text": text}}, st.sampled_from(["", " ", "Hi"])),
    st.builds(lambda blob: {"realtimeInput": {"audio": blob}}, BLOB),
    st.builds(lambda blobs: {"realtimeInput": {"mediaChunks": blobs}}, st.lists(BLOB, max_size=2)),
    st.just({"realtimeInput": {"audioStreamEnd": True}}),
    st.builds(
        lambda turns, complete: {"clientContent": {"turns": turns, "turnComplete": complete}},
        st.lists(CONTENT, max_size=2),
        st.booleans(),
    ),
    st.builds(
        lambda id: {"toolResponse": {"functionResponses": [{"id": id, "response": {}}]}},
        st.sampled_from(["", "function-call-1"]),
    ),
    st.dictionaries(NAMES, VALUES, min_size=1, max_size=1),
)


@given(st.lists(MESSAGES, min_size=1, max_size=8))
# Shrinking talks over sockets for minutes.
@settings(max_examples=30, deadline=None, phases=[Phase.explicit, Phase.generate])
def test_any_messages_end_one_session_at_most(messages: list[dict[str, Any]]) -> None:
    async def main() -> None:
        async with emulator_of() as emulator:
            async with client_of(emulator) as client:
                await client.set_up()
                with contextlib.suppress(ConnectionClosed):
                    for message in messages:
                        await client.send(**message)
                    await client.rest(5)
            async with client_of(emulator) as client:
                await client.set_up()
        # Leaving would have told of a failure of the emulator itself.

    run(main())


@given(st.text(alphabet="abcABC_", min_size=1, max_size=12))
def test_names_are_read_back(name: str) -> None:
    known = camel(name.strip("_").lower() or "a")
    assert camel(snake(known)) == known


def test_deep_nesting_is_refused() -> None:
    depth = 480
    schema = '{"type":"ARRAY","items":' * depth + "{}" + "}" * depth
    tools = f'[{{"functionDeclarations":[{{"name":"f","parameters":{schema}}}]}}]'

    async def main() -> None:
        async with emulator_of() as emulator, client_of(emulator) as client:
            await client.socket.send(f'{{"setup":{{"model":"models/x","tools":{tools}}}}}')
            code, reason = await client.closed()
            assert code == 1007
            assert "nested too deeply" in reason

    run(main())


def test_hours_of_silence_and_of_speech_hold_little() -> None:
    async def main() -> None:
        async with emulator_of() as emulator, client_of(emulator) as client:
            await client.set_up(contextWindowCompression={"slidingWindow": {}})
            talk = emulator.sessions[0].talk
            assert talk is not None
            for _ in range(30):
                await client.append(quiet(10_000))
            await client.rest(1)
            assert len(talk._turns._sound) < 2_000 * BYTES_PER_MS
            for _ in range(35):
                await client.append(tone(10_000))
            await client.rest(1)
            assert len(talk._turns._sound) <= 300_000 * BYTES_PER_MS
        assert emulator.sessions[0].talk is None

    run(main())


def test_a_flood_of_small_things_is_bounded() -> None:
    async def main() -> None:
        async with session(contextWindowCompression={"slidingWindow": {}}) as client:
            for _ in range(300):
                await client.realtime(text="Hi")
            await client.rest(5)
            assert len(client.of("turnComplete")) == 300

    run(main())


def test_data_in_either_alphabet_is_the_same() -> None:
    pcm = bytes(range(250, 256)) * 3
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        data = encode(pcm).decode()
        for written in (data, data.rstrip("=")):
            message = {"realtime_input": {"audio": {"data": written, "mime_type": "audio/pcm"}}}
            fields = checked(CLIENT_MESSAGE, message)
            assert fields["realtimeInput"]["audio"]["data"] == pcm
