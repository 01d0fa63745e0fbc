"""What the responder says without any tool, and the phrases that it knows it by."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

NOT_UNDERSTOOD = "I'm sorry, I didn't catch that. Could you say it again, please?"


@dataclass(frozen=True, slots=True)
class Topic:
    """A kind of remark: what it is called, and phrases of which one must occur."""

    name: str
    phrases: tuple[str, ...]


# In order of rank: "thank you that is enough" is a wish for silence, "hello goodbye" a farewell.
TOPICS = (
    Topic(
        "stop",
        (
            "that is enough", "that's enough", "thank you that is enough", "enough", "stop",
            "stop it", "please stop", "stop talking", "be quiet", "never mind", "no more",
        ),
    ),
    Topic(
        "goodbye",
        ("goodbye", "bye", "bye bye", "see you", "see you later", "good night"),
    ),
    Topic(
        "repeat",
        (
            "repeat that", "please repeat that", "say that again", "can you repeat that",
            "what did you say", "come again", "pardon", "repeat",
        ),
    ),
    Topic(
        "help",
        ("help", "help me", "what can you do", "what can i ask you", "how can you help me"),
    ),
    Topic("time", ("what time is it", "what's the time", "what is the time", "tell me the time")),
    Topic(
        "date",
        (
            "what day is it", "what is the date", "what's the date", "what day is today",
            "what is today's date", "which day is it",
        ),
    ),
    Topic("how are you", ("how are you", "how are you doing", "how do you do", "how is it going")),
    Topic(
        "thanks",
        ("thank you", "thanks", "thank you very much", "thanks a lot", "many thanks", "cheers"),
    ),
    Topic(
        "greeting",
        (
            "hello", "hello there", "hi", "hi there", "hey", "good morning", "good afternoon",
            "good evening", "hello can you hear me",
        ),
    ),
)  # fmt: skip


def topic_of(words: Sequence[str]) -> str | None:
    """The name of the highest topic with a phrase in the words."""
    said = f" {' '.join(words)} "
    for topic in TOPICS:
        if any(f" {phrase} " in said for phrase in topic.phrases):
            return topic.name
    return None


def remark(topic: str, *, abilities: Sequence[str], last_answer: str | None, now: datetime) -> str:
    """What to say.

    Args:
        topic: A name out of `TOPICS`.
        abilities: What the tools do, each as "get the weather of a city".
        last_answer: What the agent said last.
        now: The local time.
    """
    match topic:
        case "stop":
            return "All right."
        case "goodbye":
            return "Goodbye! It was nice to talk to you."
        case "repeat":
            return last_answer or "I have not said anything yet."
        case "help":
            if not abilities:
                return "I can chat a little, and tell you the time and the date."
            return f"I can {_listed(abilities)}. What would you like to know?"
        case "time":
            return f"It is {now.hour}:{now.minute:02d}."
        case "date":
            return f"Today is {now:%A}, {now:%B} {now.day}."
        case "how are you":
            return "I am fine, thank you. What can I do for you?"
        case "thanks":
            return "You're welcome. Is there anything else?"
        case _:
            return "Hello! How can I help you today?"


def _listed(items: Sequence[str]) -> str:
    *others, last = items
    return f"{', '.join(others)} and {last}" if others else last
