"""The same call with turns found by the provider and by us."""

from pathlib import Path
from typing import Any

from crossfade.observability.turns import from_recording
from crossfade.pipelines.demo import demo_script
from crossfade.providers import SessionConfig, TurnDetection
from tests.clock import run
from tests.pipelines.calls import Made, make_call


def said(made: Made) -> list[tuple[str, str]]:
    turns: list[dict[str, Any]] = made.transcript["turns"]
    return [
        (turn["role"], turn["name"] if turn["role"] == "tool" else turn["text"][:20])
        for turn in turns
    ]


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
    sent = [message["type"] for message in local.received]
    assert sent.count("input_audio_buffer.commit") == 4
    assert "response.cancel" in sent
    (barge_in,) = from_recording(local.recording).barge_ins
    assert barge_in.to_silence_ms < 300
