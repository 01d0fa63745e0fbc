"""What may be set of a session that goes on."""

import math
from typing import Any

import pytest

from crossfade.errors import SettingsError
from crossfade.providers import Continuity


@pytest.mark.parametrize(
    "settings",
    [
        {"attempts": 0},
        {"attempts": "ten"},
        {"attempts": True},
        {"keep_s": -5},
        {"keep_s": math.nan},
        {"keep_s": math.inf},
        {"keep_s": 1.0},
        {"silent_s": 0},
        {"silent_s": None},
        {"rotate_after_s": 0},
        {"force_before_s": 90.0},
        {"first_delay_s": 9.0},
        {"context_tokens": 0},
        {"seed_tokens": -1},
    ],
    ids=str,
)
def test_what_cannot_be(settings: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=rf"Continuity\..*{next(iter(settings))}"):
        Continuity(**settings)


def test_what_can_be() -> None:
    Continuity(rotate_after_s=None, context_tokens=None, first_delay_s=0, keep_s=2)
