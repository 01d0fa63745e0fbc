"""The page in a real browser, with a human voice at its microphone."""

import asyncio
import json
from pathlib import Path

import pytest

from crossfade.emulators.backends.scripted import ScriptedBackend
from crossfade.emulators.gemini import GeminiEmulator
from crossfade.emulators.openai import OpenAIEmulator
from crossfade.pipelines.endpoint import Endpoint
from crossfade.pipelines.serve_nodes import ServedNode
from crossfade.pipelines.serve_settings import TOKEN_VARIABLE
from tests.pipelines.browsers import SMALL, Network, browser, microphone, needs_browser
from tests.pipelines.heard_words import OTHER_WORDS, heard_words, share_heard
from tests.pipelines.serving import scripted, serving

SAID = {0.5: "weather_tokyo", 7.5: "enough"}
"""A question at once, and an interruption in the middle of its answer."""
STORY = (
    "Once upon a time there was a keeper of a lighthouse far out at sea, who lit the lamp each "
    "evening and put it out each morning."
)
SECOND_ANSWER = "All right, then something else. There was a keeper of a lighthouse far out at sea."
ENOUGH_WORDS = 0.4
"""Of a sentence: a recogniser hears three in four of a synthetic voice's words, and fewer where the
machine is too busy to play it evenly; of what was not said, less than a third."""
SCENARIO = f"""
turns:
  - on: speech
    hear: what's the weather in Tokyo
    call: [{{name: get_weather, arguments: {{city: Tokyo}}}}]
  - on: tool_results
    say: It is {{temperature_c}} degrees in Tokyo. {STORY}
  - on: speech
    hear: that's enough, thank you
    say: {SECOND_ANSWER}
  - on: text
    say: You wrote to me.
"""


def spoken(folder: Path, scenario: str, name: str = "scenario") -> ScriptedBackend:
    """A provider that says its scenario in words."""
    path = folder / f"{name}.yaml"
    path.write_text(scenario)
    return ScriptedBackend(path, voice="espeak")


QUIET_FOR_LONG = """() => {
    const quiet = document.getElementById("agent-level").getAttribute("aria-valuenow") === "-60";
    window.quietSince = quiet ? window.quietSince ?? performance.now() : undefined;
    return quiet && performance.now() - window.quietSince > 1500;
}"""
"""Whether the agent has been silent for longer than between two sentences."""


@pytest.mark.realtime
@needs_browser
def test_a_whole_call_in_a_browser(tmp_path: Path) -> None:
    """With a tool, an interruption, and a network that dies in mid-answer."""

    async def scenario() -> None:
        from playwright.async_api import expect

        network = Network()
        async with (
            OpenAIEmulator(spoken(tmp_path, SCENARIO)) as emulator,
            serving(tmp_path, emulator) as server,
            network.to(server.url) as address,
            browser(microphone(tmp_path / "voice.wav", SAID)) as chromium,
        ):
            page = await chromium.new_page()
            told: list[str] = []
            page.on("pageerror", lambda error: told.append(str(error)))
            await page.goto(address)
            await page.get_by_role("button", name="Start the call").click()
            status, transcript = page.locator("#status"), page.locator("#transcript")
            await expect(status).to_have_text("In a call")
            await expect(transcript.locator("article.user").first).to_contain_text(
                "weather in Tokyo", timeout=15000
            )
            tool = page.locator("tool-calls details")
            await expect(tool).to_have_attribute("data-state", "answered", timeout=8000)
            await tool.locator("summary").click()
            await expect(tool.locator("pre")).to_contain_text("temperature_c")
            await expect(transcript).to_contain_text("degrees in Tokyo", timeout=8000)

            # The caller interrupts, and hears another answer.
            await expect(transcript.locator("article.agent[interrupted]")).to_have_count(
                1, timeout=15000
            )
            await expect(transcript.locator("article.agent s").first).to_contain_text("lighthouse")
            await expect(transcript).to_contain_text("something else", timeout=8000)
            await expect(page.locator("[data-of=last]")).to_contain_text("ms")
            await expect(page.locator("[data-of=call]")).to_contain_text("$")

            # The network dies in the middle of it, and comes back.
            await asyncio.sleep(1)
            network.cut()
            await expect(status).to_have_text("The line is down; coming back")
            await asyncio.sleep(1.5)
            network.up = True
            await expect(status).to_have_text("In a call")
            await expect(transcript).to_contain_text("The line is back.")
            # What is written would interrupt the rest of the answer: it is heard to its end first.
            await page.wait_for_function(QUIET_FOR_LONG, timeout=30000)

            await expect(transcript.locator("article.agent[interrupted]")).to_have_count(1)

            # Written, too; and the end.
            await page.get_by_label("Write to the agent").fill("hello")
            await page.keyboard.press("Enter")
            await expect(transcript).to_contain_text("You wrote to me.")
            await page.get_by_role("button", name="Hang up").click()
            await expect(status).to_have_text("The call is over")
            assert told == []
        (folder,) = (tmp_path / "runs").iterdir()
        kept = (folder / "transcript.json").read_text()
        assert "weather in Tokyo" in kept
        assert "You wrote to me." in kept
        # What was said while the network was dead came afterwards, whole.
        assert json.loads((folder / "summary.json").read_text())["dropped"] == {}
        said = [SECOND_ANSWER, STORY]
        heard = await heard_words(folder / "recording.wav", said)
        assert share_heard(heard, SECOND_ANSWER) > ENOUGH_WORDS
        assert max(share_heard(heard, other) for other in OTHER_WORDS) < ENOUGH_WORDS

    asyncio.run(scenario())


@pytest.mark.realtime
@needs_browser
@pytest.mark.parametrize(
    ("scheme", "width"), [("light", 1280), ("dark", 820), ("dark", 390), ("light", 320)]
)
def test_a_browser_shows_the_servers_token_by_the_keyboard_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str, width: int
) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, "0123456789abcdef")

    async def scenario() -> None:
        from playwright.async_api import expect

        async with (
            OpenAIEmulator(scripted(tmp_path, SCENARIO)) as emulator,
            serving(tmp_path, emulator) as server,
            browser(microphone(tmp_path / "voice.wav", SAID)) as chromium,
        ):
            context = await chromium.new_context(
                viewport={"width": width, "height": 844},
                color_scheme=scheme,
                has_touch=width < 900,
                is_mobile=width < 900,
            )
            page = await context.new_page()
            asked: list[str] = []
            page.on("request", lambda request: asked.append(request.url))
            address = "http" + server.url.removeprefix("ws").removesuffix("ws")
            await page.goto(address)
            await page.keyboard.press("Tab")
            await page.keyboard.press("Enter")
            problem, form = page.locator("#problem"), page.get_by_label("Access token")
            await expect(problem).to_contain_text("asks for its token")
            await expect(form).to_be_focused()
            await page.keyboard.type("a wrong token of it")
            await page.keyboard.press("Enter")
            await expect(problem).to_contain_text("does not know this token")
            await form.fill("0123456789abcdef")
            await page.keyboard.press("Enter")
            await expect(page.locator("#status")).to_have_text("In a call")
            # Nothing was said, and so there is no price to be missed.
            await expect(page.locator("node-choice button")).to_have_count(1)
            await asyncio.sleep(0.2)
            await expect(page.locator("[data-of=call]")).to_have_text("–")
            # Nothing sticks out, the colours are the system's, and nothing is asked of others.
            assert await page.evaluate("document.documentElement.scrollWidth") <= width
            ground = await page.evaluate("getComputedStyle(document.body).backgroundColor")
            assert (ground == "rgb(246, 247, 249)") == (scheme == "light")
            assert not [url for url in asked if not url.startswith((address, "data:"))]
            assert not [url for url in asked if "0123456789abcdef" in url]
            unnamed = "[...document.querySelectorAll('button, input, select')].filter("
            unnamed += "e => !e.textContent.trim() && !e.labels?.length).length"
            assert await page.evaluate(unnamed) == 0
            if width < 900:
                assert await page.evaluate(SMALL) == []
            if width < 500:
                # What is hidden holds no focus.
                more = page.get_by_role("button", name="Details")
                await more.press("Enter")
                await page.locator("tool-calls summary").focus(timeout=15000)
                await page.keyboard.press("Escape")
                await expect(page.locator("#details")).to_be_hidden()
                await expect(more).to_be_focused()
            await page.get_by_role("button", name="Hang up").press("Enter")
            await expect(page.locator("#status")).to_have_text("The call is over")
            assert await page.evaluate(MEDIAN) == "200 ms"
            await context.close()

    asyncio.run(scenario())


@pytest.mark.realtime
@needs_browser
def test_a_call_that_cannot_begin_says_why_at_once(tmp_path: Path) -> None:
    """And is not begun again but by its button, which helps when the provider is back."""

    async def scenario() -> None:
        from playwright.async_api import expect

        async with (
            OpenAIEmulator(scripted(tmp_path, SCENARIO), api_keys=["right"]) as emulator,
            serving(tmp_path, emulator, api_key="wrong") as bad,
            serving(tmp_path, emulator, api_key="right") as good,
            Network().to(bad.url) as address,
            browser(microphone(tmp_path / "voice.wav", SAID)) as chromium,
        ):
            page = await chromium.new_page()
            lines: list[object] = []
            page.on("websocket", lambda line: lines.append(line))
            await page.goto(address)
            await page.get_by_role("button", name="Start the call").click()
            problem, status = page.locator("#problem"), page.locator("#status")
            await expect(problem).to_contain_text("does not accept the server's key", timeout=3000)
            await expect(status).to_have_text("Not in a call")
            await asyncio.sleep(2)
            assert len(lines) == 1
            await page.goto("http" + good.url.removeprefix("ws").removesuffix("ws"))
            await page.get_by_role("button", name="Start").click()
            await expect(status).to_have_text("In a call")
            await expect(problem).to_be_hidden()

    asyncio.run(scenario())


@pytest.mark.realtime
@needs_browser
def test_a_page_that_waits_for_a_server_says_why(tmp_path: Path) -> None:
    async def scenario() -> None:
        from playwright.async_api import expect

        async with (
            OpenAIEmulator(scripted(tmp_path, SCENARIO)) as emulator,
            serving(tmp_path, emulator, most_calls=1) as server,
            browser(microphone(tmp_path / "voice.wav", SAID)) as chromium,
        ):
            address = "http" + server.url.removeprefix("ws").removesuffix("ws")
            first, second = await chromium.new_page(), await chromium.new_page()
            for page in (first, second):
                await page.goto(address)
            # As if the last place had been taken just after the page had asked.
            await second.route("**/session", lambda route: route.fulfill(json={"access": None}))
            await first.get_by_role("button", name="Start the call").click()
            await expect(first.locator("#status")).to_have_text("In a call")
            await second.get_by_role("button", name="Start the call").click()
            await expect(second.locator("#problem")).to_contain_text("as many calls as it takes")
            await expect(second.locator("#status")).to_have_text("Connecting")
            await first.get_by_role("button", name="Hang up").click()
            await expect(second.locator("#status")).to_have_text("In a call")
            await expect(second.locator("#problem")).to_be_hidden()

    asyncio.run(scenario())


MEDIAN = """() => {
    const figures = document.querySelector("turn-figures");
    figures.clear();
    for (const ms of [350, 100, 120, 280]) figures.latency(ms);
    return figures.querySelector("[data-of=median]").textContent;
}"""
OPENAI, GEMINI, CASCADE = "openai:gpt-realtime-2.1", "gemini:gemini-3.8-live", "cascade"
FIRST = "All right, then something else. There was a keeper of a lighthouse far out at sea."
SECOND = "I am the second one and I know what was said before."


def answers(text: str, times: int = 3) -> str:
    turns = f"  - {{on: speech, hear: good morning, say: {text!r}}}\n" * times
    return f"otherwise: Well.\nturns:\n{turns}"


@pytest.mark.realtime
@needs_browser
def test_a_node_is_switched_by_click_in_a_browser(tmp_path: Path) -> None:
    """From one provider to another and to the cascade, with the camera on, all in one call."""

    async def scenario() -> None:
        from playwright.async_api import expect

        async with (
            OpenAIEmulator(spoken(tmp_path, answers(FIRST), "openai")) as openai,
            GeminiEmulator(spoken(tmp_path, answers(SECOND), "gemini")) as gemini,
            serving(
                tmp_path,
                openai,
                others=[
                    ServedNode(
                        name=GEMINI,
                        endpoint=Endpoint(
                            spec=GEMINI, base_url=gemini.url, api_key="emulated", description=""
                        ),
                    ),
                    ServedNode(name=CASCADE),
                ],
            ) as server,
            browser(microphone(tmp_path / "voice.wav", {1: "greeting"}, length_s=5)) as chromium,
        ):
            page = await chromium.new_page()
            told: list[str] = []
            page.on("pageerror", lambda error: told.append(str(error)))
            await page.goto("http" + server.url.removeprefix("ws").removesuffix("ws"))
            await page.get_by_role("button", name="Start the call").click()
            status, transcript = page.locator("#status"), page.locator("#transcript")
            await expect(status).to_have_text("In a call")
            mute = page.get_by_role("button", name="Mute")
            choice = page.get_by_role("group", name="Talking to")
            await expect(choice.get_by_role("button")).to_have_count(3)
            serves = choice.locator("[aria-pressed=true]")
            await expect(serves).to_have_text("openai gpt-realtime-2.1")
            await page.get_by_role("button", name="Camera").click()
            await expect(page.get_by_label("What the agent sees")).to_be_visible()

            # The microphone says the same every five seconds; muted, nobody hears it.
            await expect(transcript).to_contain_text(FIRST, timeout=20000)
            await mute.click()
            shown = [
                part
                for event in openai.sessions[-1].received.of("conversation.item.create")
                for part in event["item"].get("content", ())
                if part["type"] == "input_image"
            ]
            assert shown

            await choice.get_by_role("button", name="gemini").click()
            await expect(serves).to_have_text("gemini gemini-3.8-live", timeout=30000)
            await expect(page.locator("#session")).to_contain_text("the caller's choice")
            await mute.click()
            await expect(transcript).to_contain_text(SECOND, timeout=20000)
            await mute.click()
            assert gemini.sessions[-1].conversation.saw_video

            await choice.get_by_role("button", name="cascade").click()
            await expect(serves).to_have_text("cascade", timeout=30000)
            await page.get_by_label("Write to the agent").fill("what is the weather in paris")
            await page.keyboard.press("Enter")
            await expect(transcript).to_contain_text("In Paris", timeout=20000)
            await asyncio.sleep(4)
            await page.get_by_role("button", name="Hang up").click()
            await expect(status).to_have_text("The call is over")
            assert told == []
        (folder,) = (tmp_path / "runs").iterdir()
        rules = "in paris the weather is light rain at the moment"
        heard = await heard_words(folder / "recording.wav", [FIRST, SECOND, rules])
        for sentence in (FIRST, SECOND, rules):
            assert share_heard(heard, sentence) > ENOUGH_WORDS
        assert max(share_heard(heard, other) for other in OTHER_WORDS) < ENOUGH_WORDS

    asyncio.run(scenario())


@pytest.mark.realtime
@needs_browser
def test_a_node_that_was_chosen_comes_though_another_server_goes_on(tmp_path: Path) -> None:
    """The first server never came to the pause that the choice waited for."""

    async def scenario() -> None:
        from playwright.async_api import expect

        network, store = Network(), str(tmp_path / "calls.db")
        others = [ServedNode(name=CASCADE)]
        async with (
            OpenAIEmulator(scripted(tmp_path, answers(STORY * 3))) as emulator,
            serving(tmp_path, emulator, store=store, others=others, drain_s=0) as old,
            serving(tmp_path, emulator, store=store, others=others) as new,
            network.to(old.url) as address,
            browser(microphone(tmp_path / "voice.wav", {0.5: "greeting"}, length_s=8)) as chromium,
        ):
            page = await chromium.new_page()
            told: list[str] = []
            page.on("pageerror", lambda error: told.append(str(error)))
            await page.goto(address)
            await page.get_by_role("button", name="Start the call").click()
            status, transcript = page.locator("#status"), page.locator("#transcript")
            await expect(transcript).to_contain_text("Once upon a time", timeout=20000)
            await page.get_by_role("button", name="Mute").click()
            choice = page.get_by_role("group", name="Talking to")
            await choice.get_by_role("button", name=CASCADE).click()
            coming = choice.locator("[aria-busy=true]")
            await expect(coming).to_have_text(CASCADE)
            # The line alone dies: the server knows what was chosen.
            network.cut()
            network.up = True
            await expect(transcript).to_contain_text("The line is back.")
            await expect(coming).to_have_text(CASCADE)
            await expect(page.locator("#session")).to_have_text(
                f"{CASCADE} comes at the next pause."
            )
            network.server = new.url
            await old.terminate()
            await expect(transcript.locator(".note")).to_have_count(4, timeout=15000)
            await expect(status).to_have_text("In a call")
            serves = choice.locator("[aria-pressed=true]")
            await expect(serves).to_have_text(CASCADE, timeout=40000)
            await expect(coming).to_have_count(0)
            await page.get_by_role("button", name="Hang up").click()
            await expect(status).to_have_text("The call is over")
            assert told == []

    asyncio.run(scenario())


UNPLUG = """() => {
  window.plugged = false;
  for (const track of window.heard.splice(0)) {
    track.stop();
    track.dispatchEvent(new Event("ended"));
  }
  navigator.mediaDevices.dispatchEvent(new Event("devicechange"));
}"""
PLUG = """() => {
  window.plugged = true;
  navigator.mediaDevices.dispatchEvent(new Event("devicechange"));
}"""
DEVICES = """
window.plugged = true;
window.heard = [];
window.other = "none";
const devices = navigator.mediaDevices;
const [ask, list] = [devices.getUserMedia.bind(devices), devices.enumerateDevices.bind(devices)];
const unplugged = (id) => !window.plugged && id !== window.other;
devices.getUserMedia = async (wanted) => {
  const id = wanted.audio?.deviceId?.exact;
  if (unplugged(id)) throw new DOMException("none", "NotFoundError");
  const stream = await ask(wanted);
  window.heard.push(...stream.getAudioTracks());
  return stream;
};
devices.enumerateDevices = async () =>
  (await list()).filter(({ deviceId }) => !unplugged(deviceId));
"""
"""A browser's microphones, all but `other` of which can be unplugged."""


@pytest.mark.realtime
@needs_browser
def test_a_microphone_is_lost_and_comes_back_in_mid_call(tmp_path: Path) -> None:
    """It is told in words, and another can be chosen by the keyboard, without the call's end."""

    async def scenario() -> None:
        from playwright.async_api import expect

        async with (
            OpenAIEmulator(scripted(tmp_path, answers(FIRST, times=9))) as emulator,
            serving(tmp_path, emulator) as server,
            browser(
                microphone(tmp_path / "voice.wav", {1: "greeting"}, length_s=5), allows=False
            ) as chromium,
        ):
            context = await chromium.new_context(permissions=["microphone"])
            page = await context.new_page()
            told: list[str] = []
            page.on("pageerror", lambda error: told.append(str(error)))
            await page.add_init_script(DEVICES)
            await page.goto("http" + server.url.removeprefix("ws").removesuffix("ws"))
            await page.get_by_role("button", name="Start the call").click()
            status, transcript = page.locator("#status"), page.locator("#transcript")
            said, alert = transcript.locator("article.user"), page.get_by_role("alert")
            await expect(said).to_have_count(1, timeout=15000)
            mute = page.get_by_role("button", name="Mute")

            # Nothing else is there; what was unplugged is heard again by itself.
            await page.evaluate(UNPLUG)
            await expect(alert).to_contain_text("There is no microphone now")
            await expect(page.get_by_label("Microphone")).not_to_be_visible()
            await expect(mute).to_be_disabled()
            await page.get_by_role("button", name="Ask again").click()
            await expect(alert).to_contain_text("No microphone was found")
            await asyncio.sleep(6)
            before = await said.count()
            await expect(status).to_have_text("In a call")
            await page.evaluate(PLUG)
            await expect(transcript).to_contain_text("The agent hears you again")
            await expect(alert).not_to_be_visible()
            await expect(mute).to_be_enabled()
            await expect(said).not_to_have_count(before, timeout=15000)

            # Another one is there, and is chosen.
            found = "navigator.mediaDevices.enumerateDevices().then(all => window.other ="
            found += " all.filter(each => each.kind === 'audioinput').at(-1).deviceId)"
            other = await page.evaluate(found)
            await page.evaluate(UNPLUG)
            await expect(alert).to_contain_text("choose another one, or write")
            before = await said.count()
            choice = page.get_by_label("Microphone")
            await choice.select_option(other)
            await choice.focus()
            await page.keyboard.press("Tab")
            await page.keyboard.press("Enter")
            await expect(alert).not_to_be_visible()
            await expect(mute).to_be_focused()
            await expect(said).not_to_have_count(before, timeout=15000)

            # The permission is withdrawn, and given again.
            await page.evaluate(PLUG)
            await context.clear_permissions()
            await expect(alert).to_contain_text("not allowed any more")
            before = await said.count()
            await context.grant_permissions(["microphone"])
            await expect(alert).not_to_be_visible()
            await expect(said).not_to_have_count(before, timeout=15000)
            await expect(status).to_have_text("In a call")
            await page.get_by_role("button", name="Hang up").click()
            await expect(status).to_have_text("The call is over")
            assert told == []
            await context.close()

    asyncio.run(scenario())


@pytest.mark.realtime
@needs_browser
def test_a_network_that_is_gone_without_a_word(tmp_path: Path) -> None:
    """The page finds out, promises nothing meanwhile, and what was hung up stays so."""

    async def scenario() -> None:
        from playwright.async_api import expect

        network = Network()
        async with (
            OpenAIEmulator(scripted(tmp_path, SCENARIO)) as emulator,
            serving(tmp_path, emulator, others=[ServedNode(name=CASCADE)]) as server,
            network.to(server.url) as address,
            browser(microphone(tmp_path / "voice.wav", {})) as chromium,
        ):
            # Who waits for a server that says nothing can leave.
            page = await chromium.new_page()
            await page.route_web_socket("**/ws", lambda socket: None)
            await page.goto(address)
            await page.get_by_role("button", name="Start the call").click()
            await expect(page.locator("#status")).to_have_text("Connecting")
            await page.get_by_role("button", name="Hang up").click()
            await expect(page.locator("#status")).to_have_text("The call is over")
            await page.close()

            page = await chromium.new_page()

            async def ended(calls: int) -> None:
                async with asyncio.timeout(8):
                    while len([*(tmp_path / "runs").glob("*/summary.json")]) < calls:
                        await page.wait_for_timeout(100)

            told: list[str] = []
            page.on("pageerror", lambda error: told.append(str(error)))
            await page.goto(address)
            await page.get_by_role("button", name="Start the call").click()
            status, transcript = page.locator("#status"), page.locator("#transcript")
            await expect(status).to_have_text("In a call")
            camera = page.get_by_role("button", name="Camera")
            await camera.click()
            await expect(page.get_by_label("What the agent sees")).to_be_visible()
            choice = page.get_by_role("group", name="Talking to")
            await choice.get_by_role("button", name=CASCADE).click()
            await expect(transcript).to_contain_text("cascade sees no pictures", timeout=30000)
            await expect(camera).to_be_disabled()
            await expect(page.get_by_label("What the agent sees")).not_to_be_visible()

            network.flows.clear()
            await expect(status).to_have_text("The line is down; coming back", timeout=8000)
            await choice.get_by_role("button", name="openai").click()
            await expect(transcript).to_contain_text("Choose again")
            await expect(choice.locator("[aria-busy]")).to_have_count(0)
            words = page.get_by_label("Write to the agent")
            await words.fill("a" * 5000)
            await words.press("Enter")
            await expect(transcript).to_contain_text("Send it again")
            network.flows.set()
            await expect(status).to_have_text("In a call")
            await words.press("Enter")
            written = transcript.locator("article.user")
            await expect(written).to_contain_text("aaaa")
            await expect(written).to_be_in_viewport()
            assert await transcript.evaluate(
                "e => e.scrollHeight - e.scrollTop - e.clientHeight < 5"
            )
            await expect(status).to_have_text("In a call")

            network.flows.clear()
            await expect(status).to_have_text("The line is down; coming back", timeout=8000)
            await page.get_by_role("button", name="Hang up").click()
            await expect(status).to_have_text("The call is over")
            network.flows.set()
            await ended(1)
            await expect(status).to_have_text("The call is over")

            await page.get_by_role("button", name="Start another call").click()
            await expect(status).to_have_text("In a call")
            network.cut()
            await expect(status).to_have_text("The line is down; coming back")
            await page.get_by_role("button", name="Hang up").click()
            await expect(status).to_have_text("The call is over")
            network.up = True
            await ended(2)
            await expect(status).to_have_text("The call is over")
            assert told == []

    asyncio.run(scenario())
