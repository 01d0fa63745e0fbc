"""Models are found by name, and those that were shut down are not."""

import pytest

from crossfade.errors import SettingsError
from crossfade.providers.profiles import check_served, find_model

MODELS = {"tit": 1, "tit-2": 2, "tit-2-mini": 3}
GONE = {"crane": "tit-2", "crane-mini": "tit-2-mini"}


@pytest.mark.parametrize(
    ("model", "known"),
    [
        ("tit", 1),
        ("tit-2", 2),
        ("tit-2-2026-01-31", 2),
        ("tit-2-preview-09-2026", 2),
        ("tit-2-mini-latest", 3),
        ("tit-2-001", 2),
    ],
)
def test_editions_of_a_model_are_known(
    model: str, known: int, caplog: pytest.LogCaptureFixture
) -> None:
    assert find_model(MODELS, model, maker="Nest", fallback="tit") == known
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("model", "like"), [("tit-2-turbo", "tit-2"), ("tit-3", "tit"), ("titmouse", "tit-2")]
)
def test_others_are_like_what_they_continue_or_the_family_and_it_is_said_once(
    model: str, like: str, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        assert find_model(MODELS, model, maker="Nest", fallback="tit-2") == MODELS[like]
    (message,) = caplog.messages
    assert f'"{model}"' in message
    assert message.endswith(f" {like}.")


@pytest.mark.parametrize("model", ["crane", "crane-2025-01-31"])
def test_what_was_shut_down_is_refused_at_its_makers_and_warned_of_elsewhere(
    model: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(SettingsError, match=rf'Nest has shut "{model}" down. Use tit-2\.'):
        check_served(model, GONE, maker="Nest", own_host=True)
    assert caplog.messages == []
    for _ in range(2):
        check_served(model, GONE, maker="Nest", own_host=False)
    assert len(caplog.messages) == 1


def test_the_others_are_served(caplog: pytest.LogCaptureFixture) -> None:
    for model in ("tit", "crane-turbo"):
        check_served(model, GONE, maker="Nest", own_host=True)
    assert caplog.messages == []


def test_the_one_that_fits_exactly_names_the_successor() -> None:
    with pytest.raises(SettingsError, match="tit-2-mini"):
        check_served("crane-mini-2025-01-31", GONE, maker="Nest", own_host=True)


def test_what_was_shut_down_is_like_the_family_and_nothing_is_said_of_it_here(
    caplog: pytest.LogCaptureFixture,
) -> None:
    known = find_model(MODELS, "crane-2025", maker="Nest", fallback="tit", shut_down=GONE)
    assert known == MODELS["tit"]
    assert caplog.messages == []
