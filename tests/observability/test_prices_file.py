from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from crossfade.errors import SettingsError
from crossfade.observability.prices import FREE, Rates
from crossfade.observability.prices_file import OWN_TABLE, prices_with, read_prices


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "prices.yaml"
    path.write_text(text)
    return path


def test_prices_are_read_as_they_are_written(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "prices:\n  openai:gpt-realtime-2.1: {input_text: 4.1, audio_hour: '0.3'}\n"
        "  ollama: {free: true}\n",
    )
    assert read_prices(path) == {
        "openai:gpt-realtime-2.1": Rates(input_text=Decimal("4.1"), audio_hour=Decimal("0.3")),
        "ollama": FREE,
    }


def test_json_is_read_too(tmp_path: Path) -> None:
    path = written(tmp_path, '{"prices": {"moshi": {"audio_hour": 0.6}}}')
    assert read_prices(path) == {"moshi": Rates(audio_hour=Decimal("0.6"))}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("prices: {m: {input_txt: 1}}", "input_txt"),
        ("prices: {m: {input_text: -1}}", "input_text"),
        ("prices: {m: {input_text: much}}", "input_text"),
        ("prices: {m: {input_text: .nan}}", "input_text"),
        ("prices: {m: {}}", "free"),
        ("prices: {m: {free: true, input_text: 1}}", "free"),
        ("- a list", "holds no prices"),
        ("prices: [", "no valid YAML"),
    ],
)
def test_a_wrong_file_is_refused_in_words(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        read_prices(written(tmp_path, text))


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot read the prices"):
        read_prices(tmp_path / "none.yaml")


def test_the_shipped_table_is_right_and_a_file_goes_before_it(tmp_path: Path) -> None:
    assert read_prices(OWN_TABLE)["embedded"] == FREE
    path = written(tmp_path, "prices: {embedded: {audio_hour: 1}}")
    at = datetime(2026, 11, 21, tzinfo=UTC)
    assert prices_with(None).rates("embedded", "", at=at) == FREE
    assert prices_with(path).rates("embedded", "", at=at) == Rates(audio_hour=Decimal(1))
