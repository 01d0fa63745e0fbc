"""One call, every wire: the same assertions for all, exceptions only by profile flag.

The services are replayed from sessions/, which also say what our side must send, in which order.
"""

from collections.abc import Sequence

import pytest

from crossfade.conversation.history import HistoryItem, Speaker, Utterance
from crossfade.conversation.tools import ToolCall
from crossfade.errors import ConnectionLost, ProviderFault, SettingsError
from crossfade.providers import RealtimeSession, SessionConfig, connect
from crossfade.providers.events import (
    AudioChunk,
    Interruption,
    ResponseDone,
    ResponseStarted,
    ResponseStatus,
    SessionOpened,
    Severity,
    SpeechDone,
    SpeechStarted,
    SpeechStopped,
    ToolCallCancelled,
    UserTranscript,
)
from tests.clock import run
from tests.providers.wires import KEY, LAKES, WIRES, Heard, Wire, ask, speak

HERONS = "What is a group of herons called?"
DEPTHS = {"Brienz": 260, "Thun": 217}
HISTORY = (
    Utterance(speaker=Speaker.USER, text="My boat is called Petrel."),
    Utterance(speaker=Speaker.AGENT, text="A fine name."),
)
PICTURE = b"\xff\xd8\xff\xe0 a kite \xff\xd9"

every_wire = pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)


async def listen(session: RealtimeSession, heard: Heard | None = None) -> Heard:
    """Hear the agent to the end of a response, and check what every wire promises."""
    heard = heard or Heard()
    await heard.until(session, ResponseDone)
    heard.check_order()
    return heard


async def answer(session: RealtimeSession, calls: list[ToolCall]) -> None:
    """Answer the calls of one response, then have the agent speak of them."""
    for call in calls:
        await session.send_tool_response(call.id, {"metres": DEPTHS[call.arguments["lake"]]})
    await session.respond()


@every_wire
def test_a_typed_question_is_answered_in_speech(wire: Wire) -> None:
    async def main() -> None:
        if not wire.profile.text_input:
            async with wire.session("opening") as session:
                with pytest.raises(SettingsError):
                    await session.send_text(HERONS)
            return
        async with wire.session("text_turn") as session:
            opened = await Heard().until(session, SessionOpened)
            assert opened.model
            await session.send_text(HERONS)
            heard = await listen(session)
            assert heard.words == "A siege of herons."
            assert heard.sound
            (started,), (done,) = heard.of(ResponseStarted), heard.of(ResponseDone)
            assert not started.injected
            assert done.response_id == started.response_id
            assert done.status is ResponseStatus.COMPLETED
            assert not done.awaits_tools
            assert {end.response_id for end in heard.of(SpeechDone)} == {started.response_id}
            assert (done.usage is not None) == session.profile.usage
            assert (done.usage.input_tokens, done.usage.output_tokens) == (21, 33)
            assert 0 < done.usage.output_audio_tokens <= 33

    run(main())


@every_wire
def test_a_spoken_question_is_transcribed_and_answered(wire: Wire) -> None:
    async def main() -> None:
        async with wire.session("spoken_turn") as session:
            await speak(session)
            heard = await listen(session)
            assert heard.words == "Good morning."
            assert heard.sound
            (done,) = heard.of(ResponseDone)
            assert (done.usage is not None) == session.profile.usage
            assert bool(heard.of(SpeechStarted)) == session.profile.speech_events
            assert bool(heard.of(SpeechStopped)) == session.profile.speech_events
            transcripts = heard.of(UserTranscript)
            assert bool(transcripts) == session.profile.user_transcripts
            if transcripts:
                assert heard.user_words == "Hello there."
                assert len({event.item_id for event in transcripts}) == 1
                partials = [event.text for event in transcripts if not event.final]
                assert all("Hello there.".startswith(text) for text in partials)

    run(main())


@every_wire
def test_a_tool_is_called_and_its_result_spoken_of(wire: Wire) -> None:
    async def main() -> None:
        async with wire.session("tool_round") as session:
            await session.send_text("How deep is Lake Brienz?")
            asking = await listen(session)
            (call,) = asking.calls
            assert (call.name, call.arguments) == ("depth_of_lake", {"lake": "Brienz"})
            assert asking.awaits_tools
            await answer(session, [call])
            heard = await listen(session)
            assert heard.words == "It is 260 metres deep."
            assert not heard.awaits_tools
            assert not heard.calls
            assert not heard.of(ToolCallCancelled)

    if wire.profile.tools:
        run(main())
    else:
        refuses_to_begin(wire, SessionConfig(tools=[LAKES]))


@every_wire
@pytest.mark.parametrize("scenario", ["tool_round", "tool_preamble"])
def test_who_asks_only_whether_tools_are_awaited_hears_the_answer_out(
    wire: Wire, scenario: str
) -> None:
    async def main() -> None:
        async with wire.session(scenario) as session:
            await session.send_text("How deep is Lake Brienz?")
            heard = Heard()
            async for event in session:
                heard.events.append(event)
                match event:
                    case ToolCall(id=call_id, arguments=arguments):
                        depth = {"metres": DEPTHS[arguments["lake"]]}
                        await session.send_tool_response(call_id, depth)
                    case ResponseDone(awaits_tools=True):
                        await session.respond()
                    case ResponseDone():
                        break
            preamble = "Let me look." if scenario == "tool_preamble" else ""
            assert heard.words == preamble + "It is 260 metres deep."
            heard.check_order()

    if wire.profile.tools:
        run(main())
    else:
        refuses_to_begin(wire, SessionConfig(tools=[LAKES]))


@every_wire
def test_two_tools_of_one_response_are_answered_together(wire: Wire) -> None:
    async def main() -> None:
        async with wire.session("parallel_tools") as session:
            await session.send_text("Which is deeper, Lake Brienz or Lake Thun?")
            asking = await listen(session)
            calls = asking.calls
            assert [call.arguments["lake"] for call in calls] == ["Brienz", "Thun"]
            assert asking.awaits_tools
            assert len({call.id for call in calls}) == 2
            assert len({call.response_id for call in calls}) == 1
            await answer(session, calls)
            heard = await listen(session)
            assert heard.words == "Lake Brienz is deeper."
            assert not heard.awaits_tools

    if wire.profile.parallel_tools:
        run(main())
    else:
        refuses_to_begin(wire, SessionConfig(tools=[LAKES]))


@every_wire
def test_the_user_cuts_the_answer_and_is_answered_anew(wire: Wire) -> None:
    async def main() -> None:
        async with wire.session("interruption") as session:
            await ask(session, "Tell me of herons.")
            heard = Heard()
            chunk = await heard.until(session, AudioChunk)
            if session.profile.full_duplex:
                # The model hears the user and tells nothing: it is the caller who cuts.
                await speak(session)
            else:
                await heard.until(session, AudioChunk, 3)
                await speak(session)
                cut = await heard.until(session, Interruption)
                assert cut.response_id == chunk.response_id
            received_ms = len(heard.sound) * 500 / session.output_rate_hz
            before = len(heard.events)
            await session.interrupt({chunk.item_id: received_ms / 2})
            done = await heard.until(session, ResponseDone)
            assert done.response_id == chunk.response_id
            assert done.status is ResponseStatus.INTERRUPTED
            late = [event for event in heard.events[before:] if isinstance(event, AudioChunk)]
            assert not late, "what comes after the cut is dropped"
            heard.check_order()
            assert not heard.errors
            assert (await listen(session)).words == "Yes, please?"

    run(main())


@every_wire
def test_an_answer_that_is_done_is_interrupted_while_it_may_be_playing(wire: Wire) -> None:
    async def main() -> None:
        async with wire.session("spoken_turn" if wire.profile.full_duplex else "tail") as session:
            await ask(session, "Tell me of herons.")
            heard = await listen(session)
            assert not heard.of(Interruption)
            if session.profile.full_duplex:
                return
            chunk = heard.of(AudioChunk)[0]
            await speak(session)
            cut = await heard.until(session, Interruption)
            assert cut.response_id == chunk.response_id
            (done,) = heard.of(ResponseDone)
            assert done.status is ResponseStatus.COMPLETED
            received_ms = len(heard.sound) * 500 / session.output_rate_hz
            await session.interrupt({chunk.item_id: received_ms / 2})
            heard = await listen(session)
            assert heard.words == "Yes, please?"
            assert not heard.of(Interruption), "once"

    run(main())


@every_wire
def test_a_picture_is_seen(wire: Wire) -> None:
    async def main() -> None:
        if not wire.profile.images:
            async with wire.session("opening") as session:
                with pytest.raises(SettingsError, match="images"):
                    await session.send_image(PICTURE, "image/jpeg")
            return
        async with wire.session("image") as session:
            await session.send_image(PICTURE, "image/jpeg")
            await session.send_text("What is this?")
            heard = await listen(session)
            assert heard.words == "That is a kite."
            (done,) = heard.of(ResponseDone)
            assert done.usage.input_image_tokens == 85

    run(main())


@every_wire
def test_the_model_knows_what_was_said_before(wire: Wire) -> None:
    async def main() -> None:
        async with wire.session("history", HISTORY) as session:
            await session.send_text("What is my boat called?")
            assert (await listen(session)).words == "Petrel."

    if wire.profile.history:
        run(main())
    else:
        refuses_to_begin(wire, wire.config, HISTORY)


@every_wire
def test_a_message_without_sense_is_an_event_and_the_session_goes_on(wire: Wire) -> None:
    async def main() -> None:
        async with wire.session("garbled") as session:
            await ask(session, HERONS)
            heard = await listen(session)
            (error,) = heard.errors
            assert error.severity is Severity.REQUEST
            assert heard.words == "A siege of herons."

    run(main())


@every_wire
def test_a_lost_session_is_told_once_all_events_are_delivered(wire: Wire) -> None:
    async def main() -> None:
        async with wire.session("lost") as session:
            await ask(session, HERONS)
            heard = Heard()
            with pytest.raises(ConnectionLost) as lost:
                await listen(session, heard)
            assert heard.words == "A siege"
            assert heard.sound
            assert {error.severity for error in heard.errors} <= {Severity.RETRY}
            assert KEY not in str(lost.value)
            with pytest.raises(ConnectionLost):
                await session.send_audio(b"")
            with pytest.raises(ConnectionLost):
                await anext(session)

    run(main())


@every_wire
def test_who_is_refused_learns_it_on_opening(wire: Wire) -> None:
    async def main() -> None:
        with pytest.raises(ProviderFault) as refused:
            async with wire.session("refused"):
                raise AssertionError("the session opened")
        assert KEY not in str(refused.value)
        assert "heron" not in str(refused.value)

    run(main())


def refuses_to_begin(
    wire: Wire, config: SessionConfig, history: Sequence[HistoryItem] = ()
) -> None:
    """Before it is even connected."""
    with pytest.raises(SettingsError):
        connect(wire.spec, config, api_key=KEY, history=history)
