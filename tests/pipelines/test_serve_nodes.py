"""Served calls that change their speech node, and how it is chosen whom a call begins with."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from crossfade.emulators.gemini import GeminiEmulator
from crossfade.emulators.openai import OpenAIEmulator
from crossfade.errors import SettingsError
from crossfade.pipelines.endpoint import Endpoint
from crossfade.pipelines.serve_nodes import ServedNode, served_nodes
from crossfade.pipelines.serve_settings import ServeSettings
from crossfade.transports.websocket_client import CallClient
from tests.clock import run
from tests.pipelines.serving import STORY, Caller, question, scripted, serving

OPENAI, GEMINI = "openai:gpt-realtime-2.1", "gemini:gemini-3.8-live"
OPENAI_SAYS = "This is the first of the two, and it has much to tell."
GEMINI_SAYS = "And this is the second one."


def says(folder: Path, name: str, *answers: str) -> Any:
    place = folder / name
    place.mkdir(exist_ok=True)
    turns = "".join(
        f"  - on: speech\n    hear: my name is ada\n    say: {answer}\n" for answer in answers
    )
    return scripted(place, f"otherwise: I have nothing more to say.\nturns:\n{turns}")


def gemini_node(emulator: GeminiEmulator) -> ServedNode:
    found = Endpoint(
        spec=GEMINI, base_url=emulator.url, api_key="emulated", description="And to Gemini."
    )
    return ServedNode(name=GEMINI, endpoint=found)


@contextlib.asynccontextmanager
async def two_nodes(
    folder: Path, *, first: str = OPENAI_SAYS, second: str = GEMINI_SAYS, **options: Any
) -> AsyncIterator[tuple[OpenAIEmulator, GeminiEmulator, Any]]:
    """Gives both emulators, and what runs a server of them."""
    async with (
        OpenAIEmulator(says(folder, "openai", first, first), keep_audio=True) as openai,
        GeminiEmulator(says(folder, "gemini", second, second), keep_audio=True) as gemini,
    ):
        yield (
            openai,
            gemini,
            lambda **more: serving(folder, openai, others=[gemini_node(gemini)], **options, **more),
        )


def client(caller: Caller, *urls: str, **options: Any) -> CallClient:
    return CallClient(urls, details=True, on_sound=caller.hear, on_message=caller.note, **options)


async def choose(c: CallClient, node: str) -> None:
    await c.send_raw(json.dumps({"type": "node", "name": node}))


@pytest.mark.parametrize("rate_hz", [16000, 24000])
def test_the_caller_changes_the_node_in_mid_call(tmp_path: Path, rate_hz: int) -> None:
    async def scenario() -> None:
        caller = Caller()
        async with (
            two_nodes(tmp_path) as (_, gemini, served),
            served() as server,
            client(caller, server.url, input_rate_hz=16000, output_rate_hz=rate_hz) as c,
        ):
            await c.attached()
            c.speak(question())
            await asyncio.sleep(8)
            assert caller.words == OPENAI_SAYS
            assert caller.of("node")[-1]["choices"] == [OPENAI, GEMINI]
            assert caller.of("node")[-1]["name"] == OPENAI
            await choose(c, GEMINI)
            await asyncio.sleep(2)
            assert caller.of("node")[-1]["name"] == GEMINI
            assert "the caller's choice" in caller.of("session")[-1]["text"]
            told, sounded = len(caller.words), len(caller.sounds)
            c.speak(question())
            await asyncio.sleep(6)
            assert caller.words[told:] == GEMINI_SAYS
            assert sum(len(pcm) for _, pcm in caller.sounds[sounded:]) > rate_hz
            assert len(gemini.sessions) == 1
            # Whoever comes back is told who serves now.
            c.cut_line()
            await asyncio.sleep(1)
            assert c.attachments == 2
            assert caller.of("node")[-1]["name"] == GEMINI
            assert caller.of("problem") == []
            await choose(c, "nobody")
            await asyncio.sleep(0.5)
            assert "no node 'nobody'" in caller.of("problem")[-1]["message"]
            assert caller.messages[-2]["name"] == GEMINI
            await c.hang_up()
        (folder,) = (tmp_path / "runs").iterdir()
        assert GEMINI in (folder / "events.jsonl").read_text()

    run(scenario())


@pytest.mark.parametrize("last", [OPENAI, GEMINI])
def test_of_many_choices_the_last_one_counts(tmp_path: Path, last: str) -> None:
    """A caller clicks to and fro while the agent speaks."""

    async def scenario() -> None:
        caller = Caller()
        async with (
            two_nodes(tmp_path, first=STORY, second=STORY) as (openai, gemini, served),
            served() as server,
            client(caller, server.url) as c,
        ):
            await c.attached()
            c.speak(question())
            await caller.hears_sound()
            for _ in range(20):
                for name in (GEMINI, OPENAI) if last == OPENAI else (OPENAI, GEMINI):
                    await choose(c, name)
            await asyncio.sleep(0.5)
            # Who serves is chosen again, so that nothing changes: that is told at once.
            told = caller.of("node")
            assert len(told) > 1 or last == GEMINI
            await asyncio.sleep(30)
            names = [each["name"] for each in caller.of("node")]
            assert set(names[:-1]) <= {OPENAI}
            assert names[-1] == last
            assert caller.of("problem") == []
            assert len(openai.sessions) == 1
            assert len(gemini.sessions) <= 3
            await choose(c, last)
            await asyncio.sleep(1)
            assert len(caller.of("node")) == len(names) + 1
            await c.hang_up()

    run(scenario())


def test_a_node_that_fails_is_stood_in_for_by_the_next(tmp_path: Path) -> None:
    async def scenario() -> None:
        caller = Caller()
        async with (
            GeminiEmulator(says(tmp_path, "gemini", GEMINI_SAYS)) as gemini,
            contextlib.AsyncExitStack() as stack,
            contextlib.AsyncExitStack() as beside,
        ):
            openai = await stack.enter_async_context(OpenAIEmulator())
            server = await beside.enter_async_context(
                serving(tmp_path, openai, others=[gemini_node(gemini)])
            )
            c = await beside.enter_async_context(client(caller, server.url))
            await c.attached()
            await stack.aclose()
            await asyncio.sleep(15)
            c.speak(question())
            await asyncio.sleep(6)
            assert caller.of("node")[-1]["name"] == GEMINI
            assert caller.words == GEMINI_SAYS

    run(scenario())


@pytest.mark.parametrize("moment", ["question", "answer"])
def test_another_server_goes_on_with_the_node_that_was_chosen(tmp_path: Path, moment: str) -> None:
    async def scenario() -> None:
        caller = Caller()
        store = str(tmp_path / "calls.db")
        async with (
            two_nodes(tmp_path, second=STORY, store=store, drain_s=0) as (_, gemini, served),
            served() as old,
            served() as new,
            client(caller, old.url, new.url) as c,
        ):
            await c.attached()
            await choose(c, GEMINI)
            await asyncio.sleep(2)
            c.speak(question())
            if moment == "question":
                await asyncio.sleep(0.9)
            else:
                await caller.hears_sound()
                await asyncio.sleep(1)
            told = len(caller.messages)
            await old.terminate()
            await asyncio.sleep(8)
            assert c.attached_to == new.url
            assert caller.of("node")[-1]["name"] == GEMINI
            later = [m["text"] for m in caller.messages[told:] if m.get("role") == "agent"]
            rest = "".join(later)
            assert STORY.endswith(rest.strip())
            assert rest
            if moment == "question":
                assert rest == STORY
                # No sample of it is missing or heard twice.
                audio = gemini.sessions[-1].user_audio
                assert audio is not None
                assert question()[6400:-6400] in audio.turns[-1].pcm
            else:
                assert len(rest) < len(STORY) - 4
            await c.hang_up()

    run(scenario())


@pytest.mark.parametrize("others", [0, 5])
def test_what_was_said_while_the_line_was_dead_is_heard_from_its_beginning(
    tmp_path: Path, others: int
) -> None:
    """All at once, by a call whose turns are heard here; alone and among others."""

    async def scenario() -> None:
        caller = Caller()
        async with contextlib.AsyncExitStack() as stack:
            _, gemini, served = await stack.enter_async_context(two_nodes(tmp_path))
            server = await stack.enter_async_context(served())
            for _ in range(others):
                c = await stack.enter_async_context(client(Caller(), server.url))
                await c.attached()
            c = await stack.enter_async_context(client(caller, server.url))
            await c.attached()
            await choose(c, GEMINI)
            await asyncio.sleep(2)
            c.urls[:] = ["ws://127.0.0.1:9/ws"]
            c.cut_line()
            await asyncio.sleep(0.5)
            c.speak(question())
            await asyncio.sleep(3)
            c.urls[:] = [server.url]
            await asyncio.sleep(6)
            assert caller.words == GEMINI_SAYS
            audio = gemini.sessions[-1].user_audio
            assert audio is not None
            (turn,) = audio.turns
            assert question()[6400:-6400] in turn.pcm

    run(scenario())


ARMS = f"""
experiment: summer
arms:
  - {{name: one, node: "{OPENAI}"}}
  - {{name: two, node: gemini, weight: 3}}
"""


def test_arms_choose_who_serves_a_caller_first(tmp_path: Path) -> None:
    path = tmp_path / "arms.yaml"
    path.write_text(ARMS)

    async def scenario() -> None:
        settings = ServeSettings(arms=path, provider="emulator")
        async with served_nodes(settings) as nodes:
            firsts = [nodes.of_call(f"caller {n}").first.name for n in range(200)]
            assert 30 < firsts.count(OPENAI) < 70
            assert firsts == [nodes.of_call(f"caller {n}").first.name for n in range(200)]
            # Nothing else is offered to them.
            assert not nodes.of_call("caller 1").change
            assert nodes.of_call("caller 1").choice is not None
        settings = ServeSettings(arms=path, provider="emulator", nodes=("cascade", "gemini"))
        async with served_nodes(settings) as nodes:
            assert {n.name for n in nodes.all} == {"cascade", GEMINI, OPENAI}
            offered = {nodes.of_call(f"caller {n}").names for n in range(50)}
            assert offered == {(OPENAI, "cascade", GEMINI), (GEMINI, "cascade")}

    run(scenario())


def test_a_call_goes_on_with_its_arm_whoever_takes_it(tmp_path: Path) -> None:
    path = tmp_path / "arms.yaml"
    path.write_text(ARMS)

    async def scenario() -> None:
        settings = ServeSettings(arms=path, provider="emulator")
        async with served_nodes(settings) as nodes:
            for node in (OPENAI, GEMINI):
                again = [nodes.of_call(f"{n}", began_with=node) for n in range(50)]
                assert {each.first.name for each in again} == {node}
                assert all(each.choice is not None for each in again)
            assert nodes.of_call("Ada", began_with="cascade") == nodes.of_call("Ada")
            keys = [f"key {n}" for n in range(50)]
            caller = next(key for key in keys if nodes.of_call(key).first.name == OPENAI)
            name = next(key for key in keys if nodes.of_call(key).first.name == GEMINI)
        heard = Caller()
        store = str(tmp_path / "calls.db")
        async with (
            two_nodes(tmp_path, store=store, drain_s=0, arms=path) as (_, _, served),
            served() as old,
            served() as new,
            CallClient(
                [old.url, new.url], details=True, on_message=heard.note, caller=caller, call_id=name
            ) as c,
        ):
            await c.attached()
            await asyncio.sleep(2)
            await old.terminate()
            await asyncio.sleep(5)
            assert c.attached_to == new.url
            assert [each["name"] for each in heard.of("node")] == [OPENAI, OPENAI]
            await c.hang_up()

    run(scenario())


def test_a_call_is_recorded_with_its_arm(tmp_path: Path) -> None:
    path = tmp_path / "arms.yaml"
    path.write_text(f"arms: [{{name: mini, node: '{OPENAI}'}}]")

    async def scenario() -> None:
        async with (
            two_nodes(tmp_path) as (_, _, served),
            served(arms=path) as server,
            CallClient([server.url], caller="Ada") as c,
        ):
            await c.attached()
            await c.hang_up()
        (folder,) = (tmp_path / "runs").iterdir()
        assert json.loads((folder / "summary.json").read_text())["details"]["arm"] == "mini"
        kept = "".join(p.read_text() for p in folder.glob("*.json*"))
        assert "call.routed" in kept
        assert "Ada" not in kept

    run(scenario())


@pytest.mark.parametrize("over", [None, GEMINI])
def test_a_call_that_costs_too_much_ends_or_goes_on_with_another_node(
    tmp_path: Path, over: str | None
) -> None:
    async def scenario() -> None:
        caller = Caller()
        async with (
            two_nodes(tmp_path) as (_, _, served),
            served(budget_usd=Decimal("0.0001"), over_budget=over) as server,
            client(caller, server.url) as c,
        ):
            await c.attached()
            c.speak(question())
            await asyncio.sleep(12)
            assert "more than it was to" in caller.of("problem")[0]["message"]
            if over is None:
                await c.over()
                assert c.close_code == 1000
            else:
                assert caller.of("node")[-1]["name"] == over

    run(scenario())


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"nodes": ("openai", "moshi")}, "names no model"),
        ({"nodes": ("openai:",)}, "names no model"),
        ({"nodes": ("openai",), "fallbacks": ("gemini",)}, "--node alone"),
        ({"over_budget": "cascade"}, "needs a --budget"),
        ({"arms": "arms.yaml", "fallbacks": ("gemini",)}, "name those who stand in with --node"),
    ],
)
def test_what_does_not_go_together_is_refused(options: dict[str, Any], why: str) -> None:
    with pytest.raises(SettingsError, match=why):
        ServeSettings(**options)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"nodes": ("openai", OPENAI)}, "named twice"),
        ({"budget_usd": Decimal(1), "over_budget": "cascade"}, "there is no node cascade"),
        (
            {"nodes": ("openai",), "budget_usd": Decimal(1), "over_budget": "openai"},
            "every call has openai",
        ),
    ],
)
def test_nodes_that_cannot_be_found_are_refused(options: dict[str, Any], why: str) -> None:
    async def scenario() -> None:
        with pytest.raises(SettingsError, match=why):
            async with served_nodes(ServeSettings(provider="emulator", **options)):
                pass

    run(scenario())


def test_names_are_made_whole() -> None:
    settings = ServeSettings(model="gpt-realtime-3", nodes=("openai", "gemini", "cascade"))
    assert settings.nodes == ("openai:gpt-realtime-3", GEMINI, "cascade")
    assert ServeSettings(fallbacks=("gemini", "cascade")).fallbacks == (GEMINI, "cascade")


def test_who_comes_back_is_told_whom_they_chose(tmp_path: Path) -> None:
    async def scenario() -> None:
        caller = Caller()
        async with (
            two_nodes(tmp_path, first=STORY * 4) as (_, _, served),
            served() as server,
            client(caller, server.url) as c,
        ):
            await c.attached()
            c.speak(question())
            await caller.hears_sound()
            await choose(c, GEMINI)
            await asyncio.sleep(0.5)
            c.cut_line()
            await asyncio.sleep(1)
            told = [(each["name"], each.get("coming")) for each in caller.of("node")]
            assert told == [(OPENAI, None), (OPENAI, GEMINI)]
            # To choose who serves gives it up, and so it is told.
            await choose(c, OPENAI)
            await asyncio.sleep(1)
            last = caller.of("node")[-1]
            assert (last["name"], last.get("coming")) == (OPENAI, None)
            await choose(c, GEMINI)
            await asyncio.sleep(25)
            last = caller.of("node")[-1]
            assert (last["name"], last.get("coming")) == (GEMINI, None)
            await c.hang_up()

    run(scenario())
