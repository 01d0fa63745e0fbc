"""The dashboard in a real browser."""

import asyncio
from pathlib import Path

import pytest

from crossfade.emulators.openai import OpenAIEmulator
from crossfade.pipelines.serve_settings import TOKEN_VARIABLE
from crossfade.transports.websocket_client import CallClient
from tests.pipelines.browsers import SMALL, browser, microphone, needs_browser
from tests.pipelines.serving import question, scripted, serving


@pytest.mark.realtime
@needs_browser
@pytest.mark.parametrize(
    ("scheme", "width"), [("light", 1440), ("dark", 820), ("dark", 390), ("light", 320)]
)
def test_a_browser_shows_the_dashboard_and_opens_a_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str, width: int
) -> None:
    """By the token, a call that runs and one that has ended; its report reaches nothing."""
    monkeypatch.setenv(TOKEN_VARIABLE, "0123456789abcdef")

    async def scenario() -> None:
        from playwright.async_api import expect

        async with (
            OpenAIEmulator(scripted(tmp_path)) as emulator,
            serving(tmp_path, emulator) as server,
            browser(microphone(tmp_path / "voice.wav", {})) as chromium,
        ):
            async with CallClient([server.url], access="0123456789abcdef") as ended:
                await ended.attached()
                await asyncio.sleep(1)
                await ended.hang_up()
            context = await chromium.new_context(
                viewport={"width": width, "height": 844},
                color_scheme=scheme,
                has_touch=width < 900,
                is_mobile=width < 900,
            )
            page = await context.new_page()
            told: list[str] = []
            page.on("pageerror", lambda error: told.append(str(error)))
            address = "http" + server.url.removeprefix("ws").removesuffix("ws")
            await page.goto(address + "dashboard")
            await expect(page.get_by_label("Access token")).to_be_focused()
            await page.keyboard.type("0123456789abcdef")
            await page.keyboard.press("Enter")
            await expect(page.locator("#status")).to_have_text("Calls are taken")
            await expect(page.locator("#running")).to_contain_text("Nobody is in a call")
            name = "<img src=x onerror=alert(1)>"
            async with CallClient([server.url], access="0123456789abcdef", call_id=name) as caller:
                await caller.attached()
                assert caller.call_id == name
                running = page.locator("#running tbody tr")
                await expect(running).to_contain_text(caller.call_id, timeout=10000)
                await expect(running).to_contain_text("quiet")
                await expect(page.locator("img")).to_have_count(0)
                caller.speak(question())
                await expect(running).to_contain_text("the agent speaks", timeout=15000)
                await expect(running).to_contain_text(" ms")
                meter = running.get_by_role("meter", name="Agent")
                await expect(meter).not_to_have_attribute("aria-valuenow", "-60")
                assert await page.evaluate("document.documentElement.scrollWidth") <= width
                await caller.hang_up()
            await expect(page.locator("#ended tbody tr")).to_have_count(2, timeout=15000)
            assert await page.evaluate("document.documentElement.scrollWidth") <= width
            if width < 900:
                assert await page.evaluate(SMALL) == []
            async with context.expect_page() as opened:
                await page.get_by_role("link", name="Open the report").first.click()
            report = await opened.value
            await expect(report.locator("body")).to_contain_text("Problems found", timeout=15000)
            # It is no page of the server's: no cookie, nothing to ask for, and no way back.
            assert await report.evaluate("window.origin") == "null"
            blocked = "fetch('/dashboard/calls').then(() => 'came', () => 'blocked')"
            assert await report.evaluate(blocked) == "blocked"
            assert await report.evaluate("window.opener") is None
            assert told == []
            await context.close()

    asyncio.run(scenario())
