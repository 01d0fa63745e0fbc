"""Calls by WebRTC at the server: through the same doors, with the same records."""

import asyncio
import json
import subprocess
import sys
import time
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from crossfade.emulators.openai import OpenAIEmulator
from crossfade.errors import SettingsError
from crossfade.pipelines.serve_settings import TOKEN_VARIABLE
from crossfade.pipelines.serve_webrtc_messages import LARGEST_OFFER
from crossfade.pipelines.serve_webrtc_pages import devices, ice_servers, page_folder
from tests.pipelines.serving import question, scripted, serving
from tests.pipelines.test_serve_workers import shown, workers
from tests.pipelines.webrtc_calls import Door
from tests.transports.webrtc_browser import browser, on_loopback

pytestmark = pytest.mark.realtime

TOKEN = "0123456789abcdef"
STORY = "Once upon a time there was a keeper of a lighthouse far out at sea, who lit the lamp."
SCENARIO = f"""
turns:
  - on: speech
    hear: what's the weather in Tokyo
    call: [{{name: get_weather, arguments: {{city: Tokyo}}}}]
  - on: tool_results
    say: It is {{temperature_c}} degrees in Tokyo. {STORY}
  - on: speech
    hear: that's enough, thank you
    say: All right.
  - on: text
    say: You wrote to me.
"""


@pytest.fixture(autouse=True)
def loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    on_loopback(monkeypatch)
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)


def said(messages: list[dict[str, Any]]) -> str:
    return " ".join(str(message["data"].get("text", "")) for message in messages)


def test_a_call_with_a_tool_a_line_that_dies_and_a_text(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path, SCENARIO)) as emulator,
            serving(tmp_path, emulator) as server,
            browser(Door(server.url).signal()) as page,
        ):
            await page.connect()
            page.send("client-ready", {"version": "2.1.0", "about": {"library": "test"}})
            await page.until(lambda: page.of("bot-ready"))
            page.microphone.say(question() + bytes(32000))
            await page.until(lambda: "weather" in said(page.of("user-transcription")))
            await page.until(lambda: page.of("llm-function-call-stopped"))
            await page.hears()
            await page.until(lambda: "degrees in Tokyo" in said(page.of("bot-output")))

            first = page.pc_id
            await page.lose_the_way()
            await asyncio.sleep(1.2)
            back_s = time.monotonic()
            await page.connect(restart=True)
            await page.hears(back_s)
            assert page.pc_id not in (first, None)

            page.send("send-text", {"content": "hello"})
            await page.until(lambda: "You wrote to me." in said(page.of("bot-output")))
            page.send("disconnect-bot", {})
            await page.until(
                lambda: any(m.get("message") == {"type": "peerLeft"} for m in page.messages)
            )
        (folder,) = (tmp_path / "runs").iterdir()
        kept = (folder / "transcript.json").read_text()
        for words in ("weather in Tokyo", "degrees in Tokyo", "hello", "You wrote to me."):
            assert words in kept
        assert "v2." not in kept

    asyncio.run(scenario())


def test_another_server_goes_on_with_the_call(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = str(tmp_path / "calls.db")
        async with (
            OpenAIEmulator(scripted(tmp_path, SCENARIO)) as emulator,
            serving(tmp_path, emulator, store=store) as first,
            serving(tmp_path, emulator, store=store) as second,
        ):
            door = Door(first.url)
            async with browser(door.signal()) as page:
                await page.connect()
                page.microphone.say(question() + bytes(32000))
                await page.until(lambda: "degrees in Tokyo" in said(page.of("bot-output")))
                await first.terminate()
                door.move(second.url)
                back_s = time.monotonic()
                page.messages.clear()
                await page.connect(restart=True)
                # What was begun is finished.
                await page.until(lambda: "lamp." in said(page.of("bot-output")))
                await page.hears(back_s)
        told = [path.read_text() for path in (tmp_path / "runs").glob("*/transcript.json")]
        assert len(told) == 2
        assert all("degrees in Tokyo" in each for each in told)

    asyncio.run(scenario())


def test_whichever_worker_is_asked_the_call_goes_on(tmp_path: Path) -> None:
    """The page's requests come to any of them, its sound to the one with the call."""

    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path, SCENARIO)) as emulator,
            workers(tmp_path, emulator) as server,
            browser(Door(server.url).signal()) as page,
        ):
            await page.connect()
            page.microphone.say(question() + bytes(32000))
            await page.hears()
            first = page.pc_id
            await page.lose_the_way()
            await asyncio.sleep(1.0)
            back_s = time.monotonic()
            await page.connect(restart=True)
            await page.hears(back_s)
            assert page.pc_id != first
            served = [len(each["calls"]) for each in await shown(server.url)]
            assert sorted(served) == [0, 1]

    asyncio.run(scenario())


def test_a_browser_that_leaves_ends_the_call(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path, SCENARIO)) as emulator,
            serving(tmp_path, emulator) as server,
            browser(Door(server.url).signal()) as page,
        ):
            await page.connect()
            await page.until(lambda: list((tmp_path / "runs").glob("*/events.jsonl")))
            await page.close()
            await page.until(lambda: list((tmp_path / "runs").glob("*/summary.json")))

    asyncio.run(scenario())


def test_who_may_call_by_webrtc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)

    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path, SCENARIO)) as emulator,
            serving(tmp_path, emulator) as server,
        ):
            stranger = Door(server.url)
            status, _, headers = await stranger.ask("GET", "/client/")
            assert status == 401
            assert headers["www-authenticate"].startswith("Basic")
            assert (await stranger.ask("POST", "/start", {}))[0] == 401
            offer = {"sdp": "v=0\r\n", "type": "offer"}
            assert (await stranger.ask("POST", "/api/offer", offer))[0] == 403
            assert (await stranger.ask("POST", "/sessions/1.2.3/api/offer", offer))[0] == 403

            login = b64encode(f"anybody:{TOKEN}".encode()).decode()
            known = Door(server.url, {"Authorization": f"Basic {login}"})
            status, page, headers = await known.ask("GET", "/client/")
            assert status == 200
            assert "<script" in page
            policy = headers["content-security-policy"]
            assert "unsafe" not in policy
            assert "default-src 'none'" in policy
            for way_out in ("..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/index.html", "..%5cx", "%00"):
                assert (await known.ask("GET", f"/client/{way_out}"))[0] == 404
            # Another site's page cannot use that the browser knows the token.
            elsewhere = {"Origin": "https://elsewhere.example"}
            assert (await known.ask("POST", "/start", {}, elsewhere))[0] == 403
            assert (await known.ask("POST", "/api/offer", offer, elsewhere))[0] == 403
            assert (await known.ask("PATCH", "/api/offer", offer, elsewhere))[0] == 403
            by_http = {"Sec-Fetch-Site": "cross-site"}
            assert (await known.ask("POST", "/start", {}, by_http))[0] == 403

            await known.start()
            stranger.session = known.session
            async with browser(stranger.signal()) as page:
                await page.connect()
                # A ticket is good for one call.
                assert (await stranger.ask("POST", stranger.offers, offer))[0] == 403
                # A call's token is nobody's but its own.
                other = {**offer, "pc_id": f"{page.pc_id}x", "restart_pc": True}
                assert (await stranger.ask("POST", stranger.offers, other))[0] == 403
                late = {"pc_id": "v2.unknown", "candidates": []}
                assert (await stranger.ask("PATCH", "/api/offer", late))[0] == 404

    asyncio.run(scenario())


def test_no_connection_is_made_for_a_forged_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made(*args: object) -> None:
        raise AssertionError("a connection was made")

    monkeypatch.setattr("crossfade.pipelines.serve_webrtc.WebRtcLine", made)

    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path, SCENARIO)) as emulator,
            serving(tmp_path, emulator) as server,
        ):
            offer = {"sdp": "v=0\r\n", "type": "offer", "pc_id": "forged"}
            status, told, _ = await Door(server.url).ask("POST", "/api/offer", offer)
            assert status == 403
            assert "token" in told["info"]

    asyncio.run(scenario())


BAD_OFFERS = [
    b"",
    b"{}",
    b"[]",
    b"\xff\xfe",
    b'{"sdp": 1, "type": "offer"}',
    b'{"sdp": "v=0", "type": "answer"}',
    json.dumps({"sdp": "x" * (LARGEST_OFFER + 1), "type": "offer"}).encode(),
    json.dumps({"sdp": "v=0\r\nm=audio", "type": "offer"}).encode(),
    json.dumps({"sdp": "v=0", "type": "offer", "pc_id": "y" * 3000}).encode(),
]


def test_offers_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path, SCENARIO)) as emulator,
            serving(tmp_path, emulator) as server,
        ):
            door = Door(server.url)
            for body in BAD_OFFERS:
                for method in ("POST", "PATCH"):
                    status, told, _ = await door.ask(method, "/api/offer", body)
                    assert status == 400
                    assert "xxxx" not in told["info"]
                    assert "yyyy" not in told["info"]
            assert (await door.ask("POST", "/api/offer", b"x" * 70_000))[0] == 413
        assert not list((tmp_path / "runs").glob("*"))

    asyncio.run(scenario())


def test_a_full_server_and_one_that_ends_say_so(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path, SCENARIO)) as emulator,
            serving(tmp_path, emulator, most_calls=1, drain_s=1.0) as server,
        ):
            door = Door(server.url)
            async with browser(door.signal()) as page:
                await page.connect()
                status, told, _ = await door.ask("POST", "/start", {})
                assert status == 503
                assert "as many calls" in told["info"]
                page.send("client-ready", {"version": "2.1.0"})
                await page.until(lambda: page.of("bot-ready"))
                await server.terminate()
                await page.until(
                    lambda: any(m.get("message") == {"type": "peerLeft"} for m in page.messages)
                )

    asyncio.run(scenario())


def test_without_the_packages_it_is_said_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crossfade.pipelines.serve_webrtc_pages.webrtc_missing", lambda: True)

    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path, SCENARIO)) as emulator,
            serving(tmp_path, emulator) as server,
        ):
            for method, path in (("GET", "/client/"), ("POST", "/start"), ("POST", "/api/offer")):
                status, told, _ = await Door(server.url).ask(method, path)
                assert status == 404
                assert "crossfade[webrtc]" in told

    asyncio.run(scenario())


def test_nothing_of_webrtc_is_imported_without_it() -> None:
    code = (
        "import sys; sys.modules.update(aiortc=None, pipecat_ai_prebuilt=None, av=None)\n"
        "import crossfade.pipelines.serve, crossfade.pipelines.serve_server\n"
        "import crossfade.pipelines.serve_webrtc_pages\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr


def test_ice_servers_are_told_to_both_ends() -> None:
    told = ice_servers(["stun:a.example:3478", "turn:b.example:3478"], "user", "secret")
    assert told == [
        {"urls": "stun:a.example:3478"},
        {"urls": "turn:b.example:3478", "username": "user", "credential": "secret"},
    ]
    with pytest.raises(SettingsError, match="CROSSFADE_TURN_CREDENTIAL"):
        ice_servers(["turn:b.example:3478"], "", "")
    with pytest.raises(SettingsError, match="stun:HOST:PORT"):
        ice_servers(["http://a.example"], "", "")


def test_the_pages_devices_are_ours_whatever_its_files_are_called(tmp_path: Path) -> None:
    assets = tmp_path / "assets"
    assets.mkdir()
    (assets / "daily-esm-1x_Y.js").write_text("const a=1;export{a as q$};")
    (assets / "other.js").write_text("export{b as c};")
    assert list(devices(tmp_path)) == ["daily-esm-1x_Y.js"]
    assert "export { Devices as q$ };" in devices(tmp_path)["daily-esm-1x_Y.js"]
    (assets / "index.module-1.js").write_text("x=>this._incomingTracks.delete(t)")
    assert "?.track===e.track&&" in devices(tmp_path)["index.module-1.js"]
    assert len(devices(page_folder())) == 2, "pipecat's page is another one; look at it"
