"""Which sound card is meant, and what is said of it."""

import sys
from collections.abc import Sequence
from typing import Any

import pytest

from crossfade.errors import SettingsError
from crossfade.transports.sound_card import (
    Kind,
    choose,
    devices,
    echo_warning,
    listing,
    sound_library,
)
from tests.transports.sound_cards import LAPTOP, SoundCards, device


def found(*entries: Any) -> Sequence[Any]:
    return devices(SoundCards(found=entries or LAPTOP))


@pytest.mark.parametrize(
    ("kind", "wanted", "number"),
    [
        ("input", None, 0),
        ("output", None, 1),
        ("input", "2", 2),
        ("output", "headset", 2),
        ("output", "SPEAKERS", 1),
        ("input", "built-in", 0),
    ],
)
def test_a_device_by_number_or_part_of_its_name(kind: Kind, wanted: str, number: int) -> None:
    assert choose(found(), kind, wanted).number == number


def test_one_that_several_drivers_offer_is_one() -> None:
    twice = found(device("Mic", inputs=1), device("Mic", inputs=2))
    assert choose(twice, "input", "mic").number == 0


@pytest.mark.parametrize(
    ("kind", "wanted", "told"),
    [
        ("input", "gramophone", "is none; there are: 0 Built-in Microphone; 2 USB Headset"),
        ("input", "1", "is none"),
        ("output", "b", "fits several; there are: 1 Built-in Speakers; 2 USB Headset"),
    ],
)
def test_what_is_no_device_is_told_with_those_there_are(kind: Kind, wanted: str, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        choose(found(), kind, wanted)


@pytest.mark.parametrize(("kind", "word"), [("input", "microphone"), ("output", "loudspeaker")])
def test_a_machine_without_one_says_so(kind: Kind, word: str) -> None:
    with pytest.raises(SettingsError, match=f"no {word} that PortAudio knows"):
        choose([], kind, None)


def test_without_a_default_the_first_one_is_taken() -> None:
    card = SoundCards()
    card.default.device = (-1, -1)
    assert choose(devices(card), "output", None).number == 1


def test_all_are_listed_with_the_defaults() -> None:
    assert listing(found()).splitlines() == [
        "  0  Built-in Microphone  (1 in, 0 out, 48000 Hz)  default input",
        "  1  Built-in Speakers  (0 in, 2 out, 48000 Hz)  default output",
        "  2  USB Headset  (1 in, 2 out, 44100 Hz)",
    ]
    assert "no sound card" in listing([])


@pytest.mark.parametrize(
    ("name", "warned"),
    [
        ("MacBook Pro Speakers", True),
        ("HDA Intel PCH: ALC257 Analog (hw:0,0)", True),
        ("default", True),
        ("USB Headset", False),
        ("Ada's AirPods Pro", False),
        ("External Headphones", False),
        ("Galaxy Buds2", False),
    ],
)
def test_a_loudspeaker_is_warned_of(name: str, warned: bool) -> None:
    (output,) = found(device(name, outputs=2))
    warning = echo_warning(output)
    assert (warning is not None) is warned
    if warning is not None:
        assert "headphones, or --push-to-talk" in warning


def test_without_the_package_the_cure_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(SettingsError, match=r"crossfade\[microphone\]"):
        sound_library()


def test_without_portaudio_the_cure_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise OSError("PortAudio library not found")

    monkeypatch.setattr("importlib.import_module", missing)
    with pytest.raises(SettingsError, match="libportaudio2"):
        sound_library()


def test_the_real_library_lists_what_there_is() -> None:
    pytest.importorskip("sounddevice")
    assert listing(devices(sound_library()))
