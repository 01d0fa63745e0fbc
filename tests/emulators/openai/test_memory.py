"""What a session keeps."""

import asyncio
import gc
import os
import random
from pathlib import Path

from crossfade.emulators.backends import ScriptedBackend
from crossfade.emulators.backends.scenario import Scenario, Turn
from crossfade.emulators.openai import OpenAIEmulator, Timing
from crossfade.emulators.openai.answers import OUT_OF_BAND_LIMIT
from crossfade.emulators.openai.conversation import KEPT_MEDIA_BYTES, Conversation
from crossfade.emulators.openai.identifiers import Identifiers
from crossfade.emulators.openai.items import Item
from crossfade.emulators.server import KEPT_BYTES
from tests.clock import run
from tests.emulators.openai.wire_client import client_of, loudness_scorer, quiet, tone


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_an_hour_of_call_stays_under_eight_megabytes() -> None:
    async def main() -> float:
        say = "Word-after-word-after-word-after-word-after-word " * 2
        backend = ScriptedBackend(Scenario(turns=(Turn(on=None, say=(say,)),), repeat=True))
        timing = Timing(speed=float("inf"), chunk_ms=5000, session_seconds=7200)
        async with (
            OpenAIEmulator(backend, timing=timing, scorer=loudness_scorer) as emulator,
            client_of(emulator) as client,
        ):
            turn = tone(2_500) + quiet(500)
            pieces = [turn[at : at + 9600] for at in range(0, len(turn), 9600)]
            before = 0
            for number in range(360):
                for piece in pieces:
                    await client.append(piece)
                await client.until("response.done")
                await asyncio.sleep(7)
                client.events.clear()
                client.times_s.clear()
                client._seen = 0
                if number == 5:
                    before = resident_bytes()
            grown = resident_bytes() - before
            assert emulator.sessions[0].conversation.items[-1].audio
            return grown / 2**20

    assert run(main(), timeout_s=7200) < 8


def test_old_sound_is_let_go_and_its_length_stays_known() -> None:
    talk = Conversation(Identifiers(random.Random(0)))
    size = KEPT_MEDIA_BYTES // 2
    for number in range(4):
        talk.append(Item.spoken_by_user(f"item_{number}", bytes(size)))
    assert [bool(item.audio) for item in talk.items] == [False, False, True, True]
    assert len({item.audio_ms for item in talk.items}) == 1
    (shown,) = talk.retrieve("item_0")
    assert "audio" not in shown["item"]["content"][0]
    talk.append(Item.spoken_by_user("long", bytes(3 * KEPT_MEDIA_BYTES)))
    assert [item.id for item in talk.items if item.audio] == ["long"]
    talk.close()
    assert not talk.items[-1].audio


def test_clients_that_have_left_keep_little_all_together() -> None:
    async def main() -> None:
        junk = {f"k{n}": "s" * 1000 for n in range(15)}
        async with OpenAIEmulator(timing=Timing(), scorer=loudness_scorer) as emulator:
            before = 0
            for number in range(14):
                async with client_of(emulator) as client:
                    for _ in range(400):
                        await client.send("nope", **junk)
                        await client.receive()
                await asyncio.sleep(1)
                gc.collect()
                if number == 9:
                    before = resident_bytes()
            kept = [session.received.size_bytes for session in emulator.sessions]
            assert KEPT_BYTES * 0.8 < sum(kept) <= KEPT_BYTES
            assert len(emulator.sessions) < 10
            assert resident_bytes() - before < 8 * 2**20
            assert emulator.sessions[-1].received[-1].body == {"type": "nope", **junk}

    run(main())


def test_responses_out_of_band_without_end_are_refused() -> None:
    async def main() -> None:
        timing = Timing(speed=1)
        async with (
            OpenAIEmulator(timing=timing, scorer=loudness_scorer) as emulator,
            client_of(emulator) as client,
        ):
            for _ in range(OUT_OF_BAND_LIMIT + 3):
                await client.send("response.create", response={"conversation": "none"})
            assert (await client.error())["code"] == "too_many_responses"
            await client.send("response.create")
            while len(client.of("response.done")) < OUT_OF_BAND_LIMIT + 1:
                await client.receive()
            assert len(client.of("error")) == 3
            await client.send("response.create", response={"conversation": "none"})
            await client.until("response.created")

    run(main())
