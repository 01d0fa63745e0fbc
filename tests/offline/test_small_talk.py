from datetime import datetime

import pytest

from crossfade.offline.small_talk import TOPICS, remark, topic_of

NOW = datetime(2026, 11, 20, 9, 5)


def say(topic: str, *abilities: str, last_answer: str | None = None) -> str:
    return remark(topic, abilities=abilities, last_answer=last_answer, now=NOW)


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("hello there", "greeting"),
        ("thank you", "thanks"),
        ("thank you that is enough", "stop"),
        ("hello and goodbye", "goodbye"),
        ("hello how are you", "how are you"),
        ("what time is it please", "time"),
        ("timetable", None),
        ("", None),
    ],
)
def test_the_highest_topic_counts(text: str, topic: str | None) -> None:
    assert topic_of(text.split()) == topic


def test_each_phrase_belongs_to_its_own_topic() -> None:
    for topic in TOPICS:
        for phrase in topic.phrases:
            assert topic_of(phrase.split()) == topic.name, phrase


def test_each_topic_has_its_own_remark() -> None:
    assert len({say(topic.name) for topic in TOPICS}) == len(TOPICS)


def test_time_and_date_are_told() -> None:
    assert say("time") == "It is 9:05."
    assert say("date") == "Today is Friday, November 20."


def test_help_tells_of_the_tools() -> None:
    assert "I can get the weather and book a table." in say(
        "help", "get the weather", "book a table"
    )


def test_the_last_answer_is_repeated() -> None:
    assert say("repeat", last_answer="It rains.") == "It rains."
    assert "not said anything" in say("repeat")
