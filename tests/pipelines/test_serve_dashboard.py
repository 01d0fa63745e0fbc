"""What those who run a server look at, and who may."""

import asyncio
import json
from pathlib import Path

import pytest

from crossfade.emulators.openai import OpenAIEmulator
from crossfade.pipelines.serve_access import VISIT_LIFETIME_S, Access
from crossfade.pipelines.serve_dashboard import COOKIE, REPORT_POLICY
from crossfade.pipelines.serve_metrics import Gauge, gauges_text, merged
from crossfade.pipelines.serve_settings import TOKEN_VARIABLE
from tests.clock import run
from tests.pipelines.serving import Caller, question, scripted, serving, until
from tests.pipelines.test_serve import client
from tests.pipelines.test_serve_pages import Client

TOKEN = "0123456789abcdef"
PATHS = ("/dashboard/calls", "/dashboard/ended", "/dashboard/reports/x", "/metrics")


def asker(url: str) -> Client:
    return Client(int(url.removeprefix("ws://").partition("/")[0].split(":")[1]))


async def nobody_is_in_a_call(asks: Client) -> bool:
    """A call is told that it is over before its files are closed."""
    answer = await asks.ask("GET", "/metrics", {"Host": "localhost"})
    return b'crossfade_worker_calls{worker="1"} 0\n' in answer.body


def test_a_call_is_shown_while_it_runs_and_opened_when_it_has_ended(tmp_path: Path) -> None:
    async def scenario() -> None:
        caller = Caller()
        async with (
            OpenAIEmulator(scripted(tmp_path)) as emulator,
            serving(tmp_path, emulator) as server,
        ):
            asks = asker(server.url)
            local = {"Host": "localhost"}
            async with client(caller, server.url) as one:
                await one.attached()
                one.speak(question())
                await caller.hears_sound()
                await asyncio.sleep(0.5)
                answer = await asks.ask("GET", "/dashboard/calls", local)
                (worker,) = json.loads(answer.body)["workers"]
                (call,) = worker["calls"]
                assert call["call"] == one.call_id
                assert call["node"] == "openai:gpt-realtime-2.1"
                assert (call["attached"], call["problems"]) == (True, 0)
                assert call["latency_ms"] == call["median_ms"] > 0
                assert call["agent_dbfs"] > -45 > call["caller_dbfs"]
                assert call["speaks"] == {"caller": False, "agent": True}
                assert (worker["worker"], worker["refusal"]) == (1, None)
                # Nothing of what is said.
                assert b"lighthouse" not in answer.body
                ended = json.loads((await asks.ask("GET", "/dashboard/ended", local)).body)
                assert ended == {"ended": []}
                await one.hang_up()
            await until(lambda: nobody_is_in_a_call(asks))
            answer = await asks.ask("GET", "/dashboard/calls", local)
            assert json.loads(answer.body)["workers"][0]["calls"] == []
            answer = await asks.ask("GET", "/dashboard/ended", local)
            (call,) = json.loads(answer.body)["ended"]
            assert call["call"] == one.call_id
            assert (call["turns"], call["errors"]) == (1, 0)
            assert call["median_ms"] > 0
            answer = await asks.ask("GET", f"/dashboard/reports/{call['name']}", local)
            assert answer.headers["content-security-policy"] == REPORT_POLICY
            assert b"tell me a story" in answer.body

    run(scenario())


def test_the_dashboard_is_for_those_who_show_the_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)

    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path)) as emulator,
            serving(tmp_path, emulator) as server,
        ):
            asks = asker(server.url)
            right, wrong = ({"Authorization": f"Bearer {each}"} for each in (TOKEN, "x" * 16))
            for path in PATHS:
                assert (await asks.ask("GET", path)).status == 401
                assert (await asks.ask("GET", path, wrong)).status == 401
                assert (await asks.ask("GET", path, {"Cookie": f"{COOKIE}=x.1.y.z"})).status == 401
                assert (await asks.ask("GET", path, right)).status in (200, 404)
                cross = {**right, "Sec-Fetch-Site": "cross-site"}
                assert (await asks.ask("GET", path, cross)).status == 403
            assert (await asks.ask("POST", "/dashboard/enter", wrong)).status == 401
            entered = await asks.ask("POST", "/dashboard/enter", right)
            assert entered.status == 204
            cookie = entered.headers["set-cookie"]
            for each in ("HttpOnly", "SameSite=strict"):
                assert each in cookie
            assert TOKEN not in cookie
            shown = {"Cookie": cookie.partition(";")[0]}
            assert (await asks.ask("GET", "/dashboard/calls", shown)).status == 200
            # It is for looking; a call is begun by other means.
            assert (await asks.ask("POST", "/session", shown)).status == 401
            for _ in range(70):
                tried = await asks.ask("GET", "/metrics", wrong)
            assert tried.status in (401, 429)

    run(scenario())


def test_who_guesses_at_the_dashboard_too_often_is_told_to_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)

    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path)) as emulator,
            serving(tmp_path, emulator, host="0.0.0.0") as server,
        ):
            asks = asker(server.url)
            wrong = {"Authorization": "Bearer " + "x" * 16}
            for method, path in (("POST", "/dashboard/enter"), ("GET", "/metrics")):
                told = [(await asks.ask(method, path, wrong)).status for _ in range(61)]
                assert told == [401] * 60 + [429]

    run(scenario())


def test_a_name_that_was_made_to_lead_here_shows_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path)) as emulator,
            serving(tmp_path, emulator) as server,
        ):
            asks = asker(server.url)
            for path in PATHS:
                assert (await asks.ask("GET", path, {"Host": "evil.example"})).status == 403

    run(scenario())


@pytest.mark.parametrize("name", ["..", "%2e%2e", "2026-01-01T00-00-00", "..%2f..%2fetc"])
def test_only_calls_that_have_ended_have_reports(tmp_path: Path, name: str) -> None:
    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path)) as emulator,
            serving(tmp_path, emulator) as server,
        ):
            (tmp_path / "runs" / "2026-01-01T00-00-00").mkdir(parents=True)
            asks = asker(server.url)
            answer = await asks.ask("GET", f"/dashboard/reports/{name}", {"Host": "localhost"})
            assert answer.status == 404

    run(scenario())


def test_metrics_are_prometheus_text(tmp_path: Path) -> None:
    from prometheus_client.parser import text_string_to_metric_families

    async def scenario() -> None:
        caller = Caller()
        async with (
            OpenAIEmulator(scripted(tmp_path)) as emulator,
            serving(tmp_path, emulator) as server,
        ):
            async with client(caller, server.url) as one:
                await one.attached()
                one.speak(question())
                await caller.hears_sound()
                await one.hang_up()
            asks = asker(server.url)
            await until(lambda: nobody_is_in_a_call(asks))
            answer = await asks.ask("GET", "/metrics", {"Host": "localhost"})
            assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
            families = {
                each.name: each for each in text_string_to_metric_families(answer.body.decode())
            }
            assert families["crossfade_calls"].samples[0].value == 1
            assert families["crossfade_worker_calls"].samples[0].value == 0
            for family in families.values():
                assert {sample.labels["worker"] for sample in family.samples} == {"1"}

    run(scenario())


def test_a_server_without_metrics_says_why(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path)) as emulator,
            serving(tmp_path, emulator, metrics=False) as server,
        ):
            answer = await asker(server.url).ask("GET", "/metrics", {"Host": "localhost"})
            assert (answer.status, answer.body) == (501, b"the server runs with --no-metrics\n")

    run(scenario())


def test_the_metrics_of_workers_are_put_together_by_family() -> None:
    one = '# HELP a_total A.\n# TYPE a_total counter\na_total{x="1"} 2.0\n'
    one += gauges_text([Gauge(name="b", help="B", value=0.5)])
    two = '# HELP a_total A.\n# TYPE a_total counter\na_total{x="1"} 3.0\na_total{x="a b"} 1.0\n'
    text = merged({1: one, 2: two})
    assert text.splitlines() == [
        "# HELP a_total A.",
        "# TYPE a_total counter",
        'a_total{x="1",worker="1"} 2.0',
        'a_total{x="1",worker="2"} 3.0',
        'a_total{x="a b",worker="2"} 1.0',
        "# HELP b B",
        "# TYPE b gauge",
        'b{worker="1"} 0.5',
    ]


def test_a_histogram_stays_together() -> None:
    text = '# HELP h H.\n# TYPE h histogram\nh_bucket{le="1.0"} 1.0\nh_count 1.0\nh_sum 0.5\n'
    assert merged({1: text, 2: text}).count("# TYPE") == 1
    assert merged({1: text}).splitlines()[2:] == [
        'h_bucket{le="1.0",worker="1"} 1.0',
        'h_count{worker="1"} 1.0',
        'h_sum{worker="1"} 0.5',
    ]


def test_a_visit_ends_and_cannot_be_altered() -> None:
    access = Access([TOKEN], "secret")
    visit = access.visit(TOKEN, 1000.0)
    assert access.visits(visit, 1001.0)
    assert not access.visits(visit, 1000.0 + VISIT_LIFETIME_S)
    assert not access.visits(visit.replace("visit.", "visit.9"), 1001.0)
    assert not Access([TOKEN], "other").visits(visit, 1001.0)
    for broken in (None, "", "visit", "visit.x.y.z", "visit.é.y.z", access.ticket(1000.0)):
        assert not access.visits(broken, 1001.0)
    # A visit begins no call.
    assert not access.admits(visit, 1001.0)
    assert Access().visits(None, 0.0)


def test_a_visit_ends_with_the_token_that_was_shown_for_it() -> None:
    """Also where CROSSFADE_SECRET stays, and at the other pods of a server."""
    new, old = TOKEN, TOKEN[::-1]
    visits = [Access([new, old], "secret").visit(each, 1000.0) for each in (new, old)]
    for tokens, good in (
        ([new, old], [True, True]),
        ([new], [True, False]),
        ([old], [False, True]),
    ):
        access = Access(tokens, "secret")
        assert [access.visits(each, 1001.0) for each in visits] == good
    # Nothing was shown where nothing was asked for.
    assert not Access([new], "secret").visits(Access([], "secret").visit("", 1000.0), 1001.0)


@pytest.mark.parametrize(
    ("origin", "secure"), [("https://here", True), ("http://here", False), (None, False)]
)
def test_a_visit_that_began_by_https_is_shown_by_https_alone(
    origin: str | None, secure: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also behind a proxy, whom nobody needs to be told to trust: browsers tell it themselves."""
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)

    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path)) as emulator,
            serving(tmp_path, emulator) as server,
        ):
            headers = {"Authorization": f"Bearer {TOKEN}"}
            headers |= {} if origin is None else {"Origin": origin}
            entered = await asker(server.url).ask("POST", "/dashboard/enter", headers)
            assert entered.status == 204
            assert ("Secure" in entered.headers["set-cookie"]) is secure

    run(scenario())
