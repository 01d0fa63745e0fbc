"""Our WebSocket transport and its client, in one loop on the virtual clock."""

import asyncio

import pytest

from crossfade.errors import ConnectionLost
from crossfade.frames.audio import TTSStartedFrame, TTSStoppedFrame
from crossfade.frames.control import (
    InterruptionFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from crossfade.frames.text import SpokenTextFrame, TextType, UserTranscriptFrame
from crossfade.processors.voice_activity import VoiceActivity
from crossfade.transports.websocket import (
    LEAST_SOUND_SAMPLES,
    MOST_MESSAGES_A_SECOND,
    MOST_MESSAGES_AT_ONCE,
)
from crossfade.transports.websocket_client import CallClient
from crossfade.transports.websocket_messages import CloseCode, write_message
from tests.clock import run
from tests.pipelines.serving import question
from tests.transports.websocket_line import MS, Line, line, tone


def agent(length_ms: int) -> bytes:
    return b"".join(bytes([1 + n % 200, 1]) * 480 for n in range(length_ms // 20))


class Ear:
    """What a client played, and when."""

    def __init__(self) -> None:
        self.sounds: list[tuple[float, bytes]] = []

    def __call__(self, at_s: float, pcm: bytes) -> None:
        self.sounds.append((at_s, pcm))

    @property
    def pcm(self) -> bytes:
        return b"".join(pcm for _, pcm in self.sounds)


async def answer(served: Line, length_ms: int, item_id: str = "item") -> None:
    await served.down(TTSStartedFrame(context_id=f"of {item_id}"))
    served.say(agent(length_ms), item_id)


def test_a_dead_line_in_mid_sentence_is_not_the_end_of_the_turn() -> None:
    async def scenario() -> None:
        ears = VoiceActivity(rate_hz=16000)
        async with line(ears) as served, CallClient([served.url]) as client:
            await client.attached()
            client.speak(question())
            await asyncio.sleep(1)
            client.urls = ["ws://127.0.0.1:1/ws"]
            client.cut_line()
            await asyncio.sleep(4)
            assert len(served.probe.frames(VADUserStartedSpeakingFrame)) == 1
            assert not served.probe.frames(VADUserStoppedSpeakingFrame)
            client.urls = [served.url]
            await asyncio.sleep(3)
            assert len(served.probe.frames(VADUserStoppedSpeakingFrame)) == 1
            assert served.transport.lost_ms == 0

    run(scenario())


def test_who_hangs_up_while_the_line_is_dead_is_heard_by_the_next_one() -> None:
    async def scenario() -> None:
        async with line() as served, CallClient([served.url]) as client:
            await client.attached()
            client.urls = ["ws://127.0.0.1:1/ws"]
            client.cut_line()
            await asyncio.sleep(0.5)
            ending = asyncio.create_task(client.hang_up())
            await asyncio.sleep(0.5)
            client.urls = [served.url]
            async with asyncio.timeout(3):
                await served.transport.hung_up()
            served.transport.close(CloseCode.OVER, "the call is over")
            await ending

    run(scenario())


def test_both_sides_hear_each_other() -> None:
    async def scenario() -> None:
        ear = Ear()
        async with line() as served, CallClient([served.url], on_sound=ear) as client:
            await client.attached()
            client.speak(tone(200))
            await answer(served, 400)
            await served.down(TTSStoppedFrame(context_id="of item"))
            await asyncio.sleep(0.7)
            assert tone(200) in served.microphone
            assert ear.pcm == agent(400)
            assert [i.played_ms for i in served.played[0].items] == [400]

    run(scenario())


def test_the_microphone_is_kept_while_nobody_is_attached_and_comes_once_and_in_order() -> None:
    async def scenario() -> None:
        async with line() as served, CallClient([served.url]) as client:
            await client.attached()
            client.speak(tone(3000))
            await asyncio.sleep(1)
            client.cut_line()
            await asyncio.sleep(0.5)
            served.sockets[-1].abort()
            await asyncio.sleep(3)
            assert tone(3000) in served.microphone
            assert client.attachments == 3
            assert client.microphone.lost_samples == 0
            assert served.transport.lost_ms == 0

    run(scenario())


def test_who_sends_sound_much_faster_than_it_sounds_is_sent_away() -> None:
    """Also if it can be heard so fast."""

    async def scenario() -> None:
        async with line() as served, CallClient([served.url]) as client:
            await client.attached()
            began_s = asyncio.get_running_loop().time()
            for _ in range(60):
                for _ in range(10):
                    await client.send_raw(tone(300))
                await asyncio.sleep(1)
                if client.close_code is not None:
                    break
            with pytest.raises(ConnectionLost, match="faster"):
                await client.over()
            # Four seconds come in each, with the client's own: a minute is too early after twenty.
            assert 18 < asyncio.get_running_loop().time() - began_s < 25
            assert served.transport.taken_samples < 120 * 16000

    run(scenario())


def test_a_client_learns_whether_the_line_lives() -> None:
    async def scenario() -> None:
        told: list[str] = []
        async with (
            line() as served,
            CallClient([served.url], on_message=lambda m: told.append(m["type"])) as client,
        ):
            await client.attached()
            await client.send_raw('{"type": "ping"}')
            await asyncio.sleep(0.5)
            assert told[-1] == "pong"

    run(scenario())


def test_what_no_client_could_keep_is_counted_on_both_sides() -> None:
    async def scenario() -> None:
        async with line() as served, CallClient([served.url], keep_s=0.2) as client:
            await client.attached()
            await asyncio.sleep(0.5)
            client.urls = ["ws://127.0.0.1:9/ws"]
            client.cut_line()
            await asyncio.sleep(1)
            client.urls = [served.url]
            await client.attached()
            await asyncio.sleep(0.2)
            lost_ms = client.microphone.lost_samples / 16
            assert lost_ms > 700
            # And what was on its way when the line was cut.
            assert lost_ms <= served.transport.lost_ms <= lost_ms + 40

    run(scenario())


def test_the_answer_goes_on_with_the_next_sample_after_a_break() -> None:
    async def scenario() -> None:
        ear = Ear()
        async with line() as served, CallClient([served.url], on_sound=ear) as client:
            await client.attached()
            await answer(served, 2000)
            await served.down(TTSStoppedFrame(context_id="of item"))
            await asyncio.sleep(0.6)
            client.urls = ["ws://127.0.0.1:9/ws"]
            client.cut_line()
            await asyncio.sleep(3)
            assert 550 < len(ear.pcm) / MS < 700
            assert not served.played
            client.urls = [served.url]
            await asyncio.sleep(3)
            assert ear.pcm == agent(2000)
            assert [i.played_ms for i in served.played[0].items] == [2000]

    run(scenario())


def test_an_interruption_clears_the_client_and_tells_how_far_it_was_heard() -> None:
    async def scenario() -> None:
        ear = Ear()
        async with line() as served, CallClient([served.url], on_sound=ear) as client:
            await client.attached()
            await answer(served, 2000)
            await asyncio.sleep(0.7)
            await served.down(InterruptionFrame())
            await asyncio.sleep(0.5)
            (item,) = served.played[0].items
            assert item.played_ms <= len(ear.pcm) / MS
            assert item.played_ms == pytest.approx(len(ear.pcm) / MS, abs=61)
            await answer(served, 100, "next")
            await served.down(TTSStoppedFrame(context_id="of next"))
            await asyncio.sleep(0.5)
            assert ear.pcm.endswith(agent(100))
            assert client.speaker.heard.response_id == "of next"
            assert client.speaker.heard.response_ms == 100

    run(scenario())


def test_a_client_that_plays_nothing_is_waited_for() -> None:
    async def scenario() -> None:
        async with line() as served, CallClient([served.url]) as client:
            await client.attached()
            client.pause()
            await answer(served, 10_000)
            await asyncio.sleep(5)
            waiting_ms = served.playout.waiting_ms
            assert 8000 < waiting_ms < 9200
            client.resume()
            await asyncio.sleep(9.5)
            assert served.playout.waiting_ms == 0

    run(scenario())


def test_the_line_of_a_client_that_stops_playing_for_long_is_cut() -> None:
    async def scenario() -> None:
        async with line() as served, CallClient([served.url]) as client:
            await client.attached()
            client.pause()
            await answer(served, 10_000)
            await asyncio.sleep(8)
            assert client.attachments == 2

    run(scenario())


def test_a_second_client_replaces_the_first() -> None:
    async def scenario() -> None:
        async with line() as served, CallClient([served.url]) as first:
            await first.attached()
            async with CallClient([served.url]) as second:
                await second.attached()
                with pytest.raises(ConnectionLost) as lost:
                    await first.over()
                assert lost.value.close_code == CloseCode.REPLACED
                second.speak(tone(100))
                await asyncio.sleep(0.3)
                assert second.attachments == 1

    run(scenario())


def test_words_are_told_as_they_come() -> None:
    async def scenario() -> None:
        told: list[object] = []
        async with (
            line() as served,
            CallClient([served.url], on_message=lambda m: told.append(dict(m))) as client,
        ):
            await client.attached()
            await served.up(UserTranscriptFrame("hello", "", "", item_id="u1"))
            words = SpokenTextFrame("Hi ", TextType.TOKEN, context_id="i1", response_id="r1")
            await served.down(words)
            await asyncio.sleep(0.1)
            assert told[1:] == [
                {
                    "type": "transcript",
                    "role": "user",
                    "item_id": "u1",
                    "text": "hello",
                    "final": True,
                },
                {
                    "type": "transcript",
                    "role": "agent",
                    "response_id": "r1",
                    "text": "Hi ",
                    "final": False,
                },
            ]

    run(scenario())


@pytest.mark.parametrize("nonsense", [b"odd", "no json", '{"type": "hello"}', '{"type":"played"}'])
def test_nonsense_ends_the_line_and_not_the_call(nonsense: str | bytes) -> None:
    async def scenario() -> None:
        async with line() as served, CallClient([served.url]) as client:
            await client.attached()
            await client.send_raw(nonsense)
            with pytest.raises(ConnectionLost) as lost:
                await client.over()
            assert lost.value.close_code == CloseCode.MALFORMED
            async with CallClient([served.url]) as other:
                await other.attached()

    run(scenario())


FLOODS = {
    "unknown": '{"type": "unknown"}',
    "ping": '{"type": "ping"}',
    "microphone": '{"type": "microphone", "from_sample": 0}',
    "played": '{"type": "played", "stream": 1, "samples": 0}',
    "empty": b"",
    "short": bytes(2 * LEAST_SOUND_SAMPLES - 2),
}


@pytest.mark.parametrize("message", FLOODS.values(), ids=FLOODS)
def test_who_sends_messages_without_end_is_sent_away(message: str | bytes) -> None:
    async def scenario() -> None:
        async with line() as served, CallClient([served.url]) as client:
            await client.attached()
            for _ in range(MOST_MESSAGES_AT_ONCE + 50):
                await client.send_raw(message)
            with pytest.raises(ConnectionLost, match="messages a second") as lost:
                await client.over()
            assert lost.value.close_code == CloseCode.MALFORMED
            async with CallClient([served.url]) as other:
                await other.attached()

    run(scenario())


def test_who_sends_what_was_heard_before_without_end_is_sent_away() -> None:
    async def scenario() -> None:
        async with line() as served, CallClient([served.url]) as client:
            await client.attached()
            client.speak(tone(1000))
            await asyncio.sleep(1.5)
            heard = served.transport.received_samples
            for _ in range(MOST_MESSAGES_AT_ONCE // 20 + 5):
                await client.send_raw('{"type": "microphone", "from_sample": 0}')
                for _ in range(20):
                    await client.send_raw(bytes(320))
            with pytest.raises(ConnectionLost, match="messages a second"):
                await client.over()
            assert served.transport.received_samples - heard < 16000

    run(scenario())


def test_who_reports_plays_and_speaks_in_haste_stays() -> None:
    async def scenario() -> None:
        async with line() as served, CallClient([served.url]) as client:
            await client.attached()
            for _ in range(20):
                for _ in range(MOST_MESSAGES_A_SECOND // 2):
                    await client.send_raw('{"type": "ping"}')
                client.speak(tone(1000))
                await asyncio.sleep(1)
            assert client.attachments == 1
            assert client.close_code is None

    run(scenario())


def test_a_client_keeps_the_newest_token() -> None:
    async def scenario() -> None:
        async with line() as served, CallClient([served.url]) as client:
            await client.attached()
            assert client.token == "token"
            served.transport.tell(write_message("token", token="newer"))
            await asyncio.sleep(0.1)
            assert client.token == "newer"

    run(scenario())


def test_hanging_up_ends_the_call() -> None:
    async def scenario() -> None:
        async with line() as served, CallClient([served.url]) as client:
            await client.attached()
            over = asyncio.create_task(client.hang_up())
            await served.transport.hung_up()
            served.transport.close(CloseCode.OVER, "the caller hung up")
            await over
            assert client.close_code == CloseCode.OVER

    run(scenario())
