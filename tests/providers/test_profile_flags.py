"""Each flag of a profile does something, and its absence does something else."""

import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

import orjson
import pytest

from crossfade.conversation.history import Recording, Speaker, Utterance
from crossfade.conversation.tools import ToolCall, ToolResult
from crossfade.errors import SettingsError
from crossfade.providers import RealtimeSession, SessionConfig, TurnDetection
from crossfade.providers.commands import Delivery, Interrupt, SendToolResult
from crossfade.providers.config import Encoding, Modality, NoiseReduction, Reasoning
from crossfade.providers.continuity.rotation import Moment, Plan, Situation
from crossfade.providers.continuity.rotations import rotation_for
from crossfade.providers.events import (
    AudioChunk,
    Interruption,
    ResponseDone,
    ResumptionHandle,
    SpeechStarted,
    UserTranscript,
)
from crossfade.providers.gemini_live import GeminiLiveProtocol
from crossfade.providers.gemini_profiles import GEMINI_DEFAULT_MODEL, GEMINI_GENERATIONS
from crossfade.providers.openai_dialects import find_dialect
from crossfade.providers.openai_realtime import OpenAIRealtimeProtocol
from crossfade.providers.profiles import Profile
from crossfade.providers.validation import check_command
from tests.clock import run
from tests.providers.loopback import Peer, loopback, settle
from tests.providers.one_line import session_of
from tests.providers.openai_messages import audio_ms, created
from tests.providers.wires import KEY, LAKES, WIRES, Heard, Wire, ask, speak

HISTORY = (Utterance(speaker=Speaker.USER, text="My boat is called Petrel."),)


def protocol(flag: str, *, able: bool) -> OpenAIRealtimeProtocol:
    """A model that can do everything, or everything but this."""
    dialect = find_dialect(None)
    if not able:
        dialect = dataclasses.replace(dialect, without=(flag,))
    made = OpenAIRealtimeProtocol("gpt-realtime-2.1", dialect)
    assert getattr(made.profile, flag) is able
    return made


def config_is_kept_or_refused(flag: str, config: SessionConfig, able: bool) -> None:
    """What is asked for goes into the first message, or is refused before there is a session."""
    made = protocol(flag, able=able)
    if not able:
        with pytest.raises(SettingsError, match=rf"profile\.{flag}"):
            session_of(made, config, api_key=KEY)
        return
    session_of(made, config, api_key=KEY)
    usual = TurnDetection.CALLER if flag == "server_vad" else TurnDetection.SERVER
    other = protocol(flag, able=able).start(SessionConfig(turn_detection=usual))
    assert made.start(config) != other


def history_is_told_or_refused(able: bool) -> None:
    made = protocol("history", able=able)
    if able:
        session_of(made, SessionConfig(), api_key=KEY, history=HISTORY)
        made.start(SessionConfig(), seeded=True)
        assert b"Petrel" in b"".join(made.seed(HISTORY))
    else:
        with pytest.raises(SettingsError, match=r"profile\.history"):
            session_of(made, SessionConfig(), api_key=KEY, history=HISTORY)


def an_open_call_stands_in_the_history_or_is_told_in_words(able: bool) -> None:
    made = protocol("open_calls", able=able)
    made.start(SessionConfig(tools=[LAKES]), seeded=True)
    (message,) = made.seed((ToolCall(id="call_1", name="depth_of_lake", arguments={}),))
    assert (b"function_call" in message) is able
    assert b"depth_of_lake" in message


def a_recording_stands_in_the_history_or_is_told_in_words(able: bool) -> None:
    made = protocol("recordings", able=able)
    made.start(SessionConfig(), seeded=True)
    (message,) = made.seed((Recording(text="It was lost.", audio=b"\1\0\2\0"),))
    assert (b'"input_audio","audio":"AQACAA=="' in message) is able
    assert (b"It was lost." in message) is not able


def the_next_connection_is_opened_beside_the_last(able: bool) -> None:
    rotation = rotation_for(protocol("parallel_sessions", able=able).profile)
    plan = rotation.plan(Situation(moment=Moment.QUIET, now_s=0.0))
    assert plan is (Plan.PARALLEL if able else Plan.REOPEN)


Verb = Callable[[RealtimeSession], Awaitable[None]]


def verb_is_sent_or_refused(flag: str, verb: Verb, able: bool) -> None:
    """The verb reaches the service, or raises and nothing does."""
    received: list[Any] = []

    async def script(peer: Peer) -> None:
        await peer.accept()
        received.extend([orjson.loads(message) async for message in peer.websocket])

    async def main() -> None:
        async with (
            loopback(script) as url,
            session_of(
                protocol(flag, able=able), SessionConfig(), api_key=KEY, base_url=url
            ) as session,
        ):
            if able:
                await verb(session)
            else:
                with pytest.raises(SettingsError, match=rf"profile\.{flag}"):
                    await verb(session)
            await settle()

    run(main())
    assert bool(received) is able


def several_calls_are_allowed(able: bool) -> None:
    (update,) = protocol("parallel_tools", able=able).start(SessionConfig(tools=[LAKES]))
    assert (b"parallel_tool_calls" in update) is able


def what_was_heard_is_told(able: bool) -> None:
    made = protocol("truncation", able=able)
    made.start(SessionConfig())
    for message in (created(), audio_ms(400)):
        made.receive(orjson.dumps(message))
    sent = b"".join(made.send(Interrupt(played_ms={"item_1": 100})))
    assert b"response.cancel" in sent
    assert (b"conversation.item.truncate" in sent) is able


def tools_may_run_beside_speech(able: bool) -> None:
    """Whether any tool can be declared such that the model speaks on while it runs."""
    generations = [
        generation
        for generation in GEMINI_GENERATIONS.values()
        if generation.profile.async_tools is able
    ]
    assert generations
    for generation in generations:
        blocks = [generation.blocks(declared=declared) for declared in (None, True, False)]
        assert all(blocks) is not able


def a_result_may_cut_the_speech(able: bool) -> None:
    """It goes out with that wish, or is refused before anything goes out."""
    result = ToolResult(call_id="a", output=1)
    command = SendToolResult(result=result, delivery=Delivery.INTERRUPT)
    if not able:
        unable = protocol("interrupting_results", able=False).profile
        with pytest.raises(SettingsError, match=r"profile\.interrupting_results"):
            check_command(command, SessionConfig(), unable)
        return
    made = GeminiLiveProtocol(GEMINI_DEFAULT_MODEL)
    check_command(command, SessionConfig(), made.profile)
    made.receive(b'{"toolCall":{"functionCalls":[{"id":"a","name":"depth_of_lake"}]}}')
    assert b'"scheduling":"INTERRUPT"' in b"".join(made.send(command))


def told_in_a_spoken_turn(flag: str, kind: type, able: bool) -> None:
    """The wires that have the flag give such events, and the others none."""
    wires = [wire for wire in WIRES if getattr(wire.profile, flag) is able]
    assert wires

    async def main(wire: Wire) -> None:
        async with wire.session("spoken_turn") as session:
            await speak(session)
            heard = Heard()
            done = await heard.until(session, ResponseDone)
            told = done.usage if flag == "usage" else heard.of(kind)
            assert bool(told) is able

    for wire in wires:
        run(main(wire))


def responses_are_inferred_from_sound(able: bool) -> None:
    """Who has no turns tells of no interruption; who has them does, before the caller asks."""
    wires = [wire for wire in WIRES if wire.profile.full_duplex is able]
    assert wires

    async def main(wire: Wire) -> None:
        async with wire.session("interruption") as session:
            await ask(session, "Tell me of herons.")
            heard = Heard()
            chunk = await heard.until(session, AudioChunk)
            await speak(session)
            if not able:
                await heard.until(session, Interruption)
            await session.interrupt({chunk.item_id: 4.0})
            await heard.until(session, ResponseDone, 2)
            assert bool(heard.of(Interruption)) is not able

    for wire in wires:
        run(main(wire))


CONFIGS: Mapping[str, SessionConfig] = {
    "server_vad": SessionConfig(turn_detection=TurnDetection.SERVER),
    "semantic_vad": SessionConfig(turn_detection=TurnDetection.SEMANTIC),
    "caller_turns": SessionConfig(turn_detection=TurnDetection.CALLER),
    "hold": SessionConfig(interruptible=False),
    "instructions": SessionConfig(instructions="Answer briefly."),
    "tools": SessionConfig(tools=[LAKES]),
    "text_output": SessionConfig(modality=Modality.TEXT),
    "g711": SessionConfig(encoding=Encoding.ULAW),
    "speed": SessionConfig(speed=1.2),
    "reasoning": SessionConfig(reasoning=Reasoning.LOW),
    "idle_timeout": SessionConfig(idle_timeout_ms=6000),
    "noise_reduction": SessionConfig(noise_reduction=NoiseReduction.FAR_FIELD),
    "transcription_model": SessionConfig(transcription_model="gpt-4o-transcribe"),
    "max_output_tokens": SessionConfig(max_output_tokens=300),
    "keep_context": SessionConfig(compress_context=False),
}
VERBS: Mapping[str, Verb] = {
    "text_input": lambda session: session.send_text("Hello."),
    "images": lambda session: session.send_image(b"\xff\xd8\xff", "image/jpeg"),
    "out_of_band": lambda session: session.say("One moment."),
    "partial_tool_results": lambda session: session.send_tool_response("call_1", 1, final=False),
    "update_instructions": lambda session: session.update(instructions="Answer at length."),
    "update_tools": lambda session: session.update(tools=[LAKES]),
    "update_voice": lambda session: session.update(voice="calm"),
}
CHECKS: Mapping[str, Callable[[bool], None]] = {
    **{flag: partial(config_is_kept_or_refused, flag, asked) for flag, asked in CONFIGS.items()},
    **{flag: partial(verb_is_sent_or_refused, flag, verb) for flag, verb in VERBS.items()},
    "history": history_is_told_or_refused,
    "open_calls": an_open_call_stands_in_the_history_or_is_told_in_words,
    "recordings": a_recording_stands_in_the_history_or_is_told_in_words,
    "parallel_sessions": the_next_connection_is_opened_beside_the_last,
    "parallel_tools": several_calls_are_allowed,
    "truncation": what_was_heard_is_told,
    "async_tools": tools_may_run_beside_speech,
    "interrupting_results": a_result_may_cut_the_speech,
    "usage": partial(told_in_a_spoken_turn, "usage", ResponseDone),
    "user_transcripts": partial(told_in_a_spoken_turn, "user_transcripts", UserTranscript),
    "speech_events": partial(told_in_a_spoken_turn, "speech_events", SpeechStarted),
    "resumption": partial(told_in_a_spoken_turn, "resumption", ResumptionHandle),
    "full_duplex": responses_are_inferred_from_sound,
}


@pytest.mark.parametrize("able", [True, False], ids=["can", "cannot"])
@pytest.mark.parametrize("flag", sorted(CHECKS))
def test_a_flag_decides(flag: str, able: bool) -> None:
    CHECKS[flag](able)


def test_every_flag_of_a_profile_is_tested() -> None:
    flags = {field.name for field in dataclasses.fields(Profile) if field.type is bool}
    assert flags == CHECKS.keys()
