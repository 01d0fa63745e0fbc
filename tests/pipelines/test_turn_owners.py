"""The same call with turns found by the provider and by us."""

from pathlib import Path
from typing import Any

from crossfade.observability.turns import from_recording
from crossfade.pipelines.demo import demo_line, demo_script
from crossfade.providers import SessionConfig, TurnDetection
from crossfade.transports.script import AfterSilence
from tests.clock import run
from tests.pipelines.calls import Made, make_call

LINES = ("greeting", "weather_tokyo", "enough", "goodbye")
CUE = AfterSilence(after_s=0)


def said(made: Made) -> list[tuple[str, str]]:
    turns: list[dict[str, Any]] = made.transcript["turns"]
    return [
        (turn["role"], turn["name"] if turn["role"] == "tool" else turn["text"][:20])
        for turn in turns
    ]


def turns_ms(made: Made) -> list[float]:
    """How much audio was sent for each turn that we found."""
    turns: list[float] = []
    for message in made.received:
        match message.type:
            case "input_audio_buffer.clear":
                turns.append(0)
            case "input_audio_buffer.append":
                turns[-1] += message.audio_bytes / 48
    return turns


def test_both_owners_make_the_same_conversation(tmp_path: Path) -> None:
    calls = {}
    for detection in TurnDetection:
        script = demo_script()
        config = SessionConfig(turn_detection=detection)
        calls[detection] = run(make_call(tmp_path / detection.value, script, config=config))
        assert script.missed == []
    server, local = calls[TurnDetection.SERVER], calls[TurnDetection.CALLER]
    assert said(local) == said(server)
    assert not [line for line in local.log if line["type"] in ("error", "ErrorFrame")]
    sent = local.received.types
    assert sent.count("input_audio_buffer.commit") == 4
    assert "response.cancel" in sent
    for name, sent_ms in zip(LINES, turns_ms(local), strict=True):
        # Half a second before the turn was noticed, all of it, and the silence that ends it.
        assert sent_ms >= demo_line(name, CUE).sound.duration_ms + 450, name
    (barge_in,) = from_recording(local.recording).barge_ins
    assert barge_in.to_silence_ms < 300
