"""The live models, and what each can and cannot do.

Sources: https://ai.google.dev/gemini-api/docs/live-guide and captures; docs/emulators/gemini.md
says what is known how.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import Enum

from .closes import model_not_found

VOICES = frozenset(
    {
        "Zephyr",
        "Puck",
        "Charon",
        "Kore",
        "Fenrir",
        "Leda",
        "Orus",
        "Aoede",
        "Callirrhoe",
        "Autonoe",
        "Enceladus",
        "Iapetus",
        "Umbriel",
        "Algieba",
        "Despina",
        "Erinome",
        "Algenib",
        "Rasalgethi",
        "Laomedeia",
        "Achernar",
        "Alnilam",
        "Schedar",
        "Gacrux",
        "Pulcherrima",
        "Achird",
        "Zubenelgenubi",
        "Vindemiatrix",
        "Sadachbia",
        "Sadaltager",
        "Sulafat",
    }
)
INPUT_LIMIT_TOKENS = 131_072


class Thinking(Enum):
    """How a client may steer a model's thinking."""

    BUDGET = "budget"
    LEVEL = "level"
    REFUSED = "refused"
    LEVEL_REQUIRED = "level_required"
    """A level of LOW or more must be given."""


class NonBlocking(Enum):
    """Whether functions may run while the model goes on."""

    OPT_IN = "opt_in"
    NEVER = "never"
    DEFAULT = "default"
    ALWAYS = "always"


class Proactive(Enum):
    """Whether the model may stay silent where it is not addressed."""

    OPT_IN = "opt_in"
    NEVER = "never"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What one model can and cannot do."""

    name: str
    several_parts: bool = True
    """Several parts and fields ride in one message; else one each."""
    thinking: Thinking
    thoughts_unasked: bool = False
    """Thoughts are sent where the client did not say whether it wants them."""
    non_blocking: NonBlocking
    proactive: Proactive = Proactive.ALWAYS
    affective: bool = False
    """Affective dialog can be asked for, in v1alpha."""
    content_mid_session: bool = True
    """clientContent is taken after the conversation has begun."""
    content_interrupts: bool = True
    """clientContent interrupts also where it does not complete the turn."""
    content_is_answered: bool = True
    """A clientContent that completes the turn is answered; else realtime input is waited for."""
    ends_with_user: bool = False
    """Content that is to be answered must end with the user's turn."""
    explicit_roles: bool = False
    context_update: bool = False
    transcripts_unasked: bool = True
    interaction_status: bool = False
    coverage: str = "TURN_INCLUDES_AUDIO_ACTIVITY_AND_ALL_VIDEO"
    preamble_tokens: int = 0
    """Tokens of the prompt that nobody wrote."""
    unlisted_tokens: int = 0
    """Tokens of the prompt that no modality is said to have."""


_2_5 = Model(
    name="gemini-2.5-flash-native-audio",
    several_parts=False,
    thinking=Thinking.BUDGET,
    thoughts_unasked=True,
    non_blocking=NonBlocking.OPT_IN,
    proactive=Proactive.OPT_IN,
    affective=True,
    ends_with_user=True,
    transcripts_unasked=False,
    coverage="TURN_INCLUDES_ONLY_ACTIVITY",
    preamble_tokens=1120,
)
_3_1 = Model(
    name="gemini-3.1-flash-live",
    thinking=Thinking.LEVEL,
    non_blocking=NonBlocking.NEVER,
    proactive=Proactive.NEVER,
    content_mid_session=False,
    content_is_answered=False,
)
_3_8 = Model(
    name="gemini-3.8-live",
    thinking=Thinking.REFUSED,
    non_blocking=NonBlocking.DEFAULT,
    content_interrupts=False,
    explicit_roles=True,
    context_update=True,
    unlisted_tokens=25,
)
_3_8_THINKING = replace(
    _3_8,
    name="gemini-3.8-live-extended-thinking",
    thinking=Thinking.LEVEL_REQUIRED,
    non_blocking=NonBlocking.ALWAYS,
    interaction_status=True,
)
_SERVED = {
    "gemini-2.5-flash-native-audio-latest": _2_5,
    "gemini-2.5-flash-native-audio-preview-09-2025": _2_5,
    "gemini-2.5-flash-native-audio-preview-12-2025": _2_5,
    "gemini-live-2.5-flash-native-audio": _2_5,
    "gemini-3.1-flash-live-preview": _3_1,
    "gemini-3.8-live": _3_8,
    "gemini-3.8-live-extended-thinking": _3_8_THINKING,
}
MODELS = tuple(_SERVED)
"""The models served, by the last part of their names."""


def find_model(name: str, version: str, others: Collection[str]) -> Model:
    """The model of that name.

    Args:
        name: `models/M`, or on Vertex `projects/P/locations/L/publishers/google/models/M`.
        version: Of the API, as the URL has it.
        others: Models served besides the service's own; each is like the one whose family its
            name tells, or else like gemini-3.8-live.

    Raises:
        Closed: It is not served.
    """
    collection, _, last = name.rpartition("/")
    if collection.split("/")[-1] == "models":
        if last in _SERVED:
            return replace(_SERVED[last], name=last)
        if last in others:
            return replace(_family(last), name=last)
    raise model_not_found(name, version)


def _family(name: str) -> Model:
    if "2.5" in name:
        return _2_5
    if "3.1" in name:
        return _3_1
    return _3_8_THINKING if "thinking" in name else _3_8
