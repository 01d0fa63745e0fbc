"""The dialects of the wire, as tables: GA, and the Beta of 2024-25."""

from collections.abc import Mapping

from .dialect import Dialect, Field, Shape

_MODALITIES = ((["audio"], ["audio", "text"]), (["audio"], ["text", "audio"]), (["text"], ["text"]))
_FORMATS = (
    ({"type": "audio/pcm", "rate": 24_000}, "pcm16"),
    ({"type": "audio/pcmu"}, "g711_ulaw"),
    ({"type": "audio/pcma"}, "g711_alaw"),
)
_TEMPERATURE = 0.8

GA = Dialect(
    name="ga",
    session=Shape(absent=frozenset({"temperature"})),
    request=Shape(absent=frozenset({"temperature"})),
)
BETA = Dialect(
    name="beta",
    models=(
        "gpt-4o-realtime-preview",
        "gpt-4o-realtime-preview-2024-10-01",
        "gpt-4o-realtime-preview-2024-12-17",
        "gpt-4o-realtime-preview-2025-06-03",
        "gpt-4o-mini-realtime-preview",
        "gpt-4o-mini-realtime-preview-2024-12-17",
    ),
    takes_beta_header=True,
    announces_conversation=True,
    rate_limits="after_created",
    session_extra={"temperature": _TEMPERATURE},
    session=Shape(
        fields=(
            Field(path=("output_modalities",), name="modalities", values=_MODALITIES),
            Field(path=("audio", "input", "format"), name="input_audio_format", values=_FORMATS),
            Field(path=("audio", "output", "format"), name="output_audio_format", values=_FORMATS),
            Field(path=("audio", "input", "transcription"), name="input_audio_transcription"),
            Field(
                path=("audio", "input", "turn_detection"),
                name="turn_detection",
                without=("idle_timeout_ms",),
            ),
            Field(path=("audio", "input", "noise_reduction"), name="input_audio_noise_reduction"),
            Field(path=("audio", "output", "voice"), name="voice"),
            Field(path=("audio", "output", "speed"), name="speed"),
            Field(path=("max_output_tokens",), name="max_response_output_tokens"),
        ),
        absent=frozenset(
            {
                "audio",
                "include",
                "max_output_tokens",
                "output_modalities",
                "parallel_tool_calls",
                "prompt",
                "reasoning",
                "tracing",
                "truncation",
                "type",
            }
        ),
        implied={"type": "realtime"},
    ),
    request=Shape(
        fields=(
            Field(path=("output_modalities",), name="modalities", values=_MODALITIES),
            Field(path=("audio", "output", "voice"), name="voice"),
            Field(path=("audio", "output", "format"), name="output_audio_format", values=_FORMATS),
        ),
        absent=frozenset(
            {"audio", "output_modalities", "parallel_tool_calls", "prompt", "reasoning"}
        ),
    ),
    response=Shape(
        fields=(
            Field(path=("output_modalities",), name="modalities", values=_MODALITIES),
            Field(path=("audio", "output", "voice"), name="voice"),
            Field(path=("audio", "output", "format"), name="output_audio_format", values=_FORMATS),
        ),
        absent=frozenset({"audio", "output_modalities"}),
        added={"temperature": _TEMPERATURE},
    ),
    events={
        "conversation.item.added": "conversation.item.created",
        "conversation.item.done": None,
        "response.output_text.delta": "response.text.delta",
        "response.output_text.done": "response.text.done",
        "response.output_audio.delta": "response.audio.delta",
        "response.output_audio.done": "response.audio.done",
        "response.output_audio_transcript.delta": "response.audio_transcript.delta",
        "response.output_audio_transcript.done": "response.audio_transcript.done",
    },
    event_absent={"response.function_call_arguments.done": ("name",)},
    content={"output_text": "text", "output_audio": "audio"},
    item_added={"object": "realtime.item"},
)
DIALECTS: Mapping[str, Dialect] = {"ga": GA, "beta": BETA}
