from datetime import datetime
from typing import Any

import pytest

from crossfade.offline.responder import Reply, Responder, ToolRequest
from crossfade.offline.small_talk import NOT_UNDERSTOOD, TOPICS

WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "Get the current weather in a city. Takes a while.",
    "parameters": {
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "units": {"type": "string", "enum": ["celsius", "fahrenheit"]},
        },
        "required": ["city"],
    },
}
LIGHT = {
    "name": "turn_on_light",
    "description": "Switch on the light of a room",
    "parameters": {
        "type": "object",
        "properties": {
            "room": {"type": "string", "enum": ["kitchen", "living_room"]},
            "brightness": {"type": "integer"},
        },
        "required": ["room"],
    },
}
TABLE = {
    "name": "book_table",
    "description": "Book a table at the restaurant",
    "parameters": {
        "type": "object",
        "properties": {"guests": {"type": "integer"}, "day": {"type": "string"}},
        "required": ["guests", "day"],
    },
}
NOTE = {
    "name": "write_note",
    "parameters": {
        "type": "object",
        "properties": {"text": {"type": "string"}},
        "required": ["text"],
    },
}
PING = {"name": "ping_server", "description": "", "parameters": None}
BRAIN = Responder([WEATHER, LIGHT, TABLE, NOTE, PING], now=lambda: datetime(2026, 1, 2, 3, 4))


def calls(*requests: tuple[str, dict[str, Any]]) -> Reply:
    return Reply(tool_calls=tuple(ToolRequest(*request) for request in requests))


@pytest.mark.parametrize(
    ("text", "name", "arguments"),
    [
        ("what is the weather in tokyo", "get_weather", {"city": "Tokyo"}),
        ("Hello! Will it rain in New York?", "get_weather", {"city": "New York"}),
        (
            "the temperature in Oslo in fahrenheit",
            "get_weather",
            {"city": "Oslo", "units": "fahrenheit"},
        ),
        ("please turn on the living room light", "turn_on_light", {"room": "living_room"}),
        ("kitchen light at fifty five", "turn_on_light", {"room": "kitchen", "brightness": 55}),
        ("book a table for four on friday", "book_table", {"guests": 4, "day": "friday"}),
        ("write a note to buy milk", "write_note", {"text": "buy milk"}),
        ("ping the server", "ping_server", {}),
    ],
)
def test_a_request_calls_its_tool(text: str, name: str, arguments: dict[str, Any]) -> None:
    assert BRAIN.reply(text) == calls((name, arguments))


def test_a_tool_that_mentions_heat_is_not_about_the_weather() -> None:
    brain = Responder([{"name": "brew_tea", "description": "Brew a hot tea"}, WEATHER])
    assert brain.reply("how hot is it in rome") == calls(("get_weather", {"city": "Rome"}))
    assert brain.reply("brew me some tea") == calls(("brew_tea", {}))


def test_two_cities_make_two_calls() -> None:
    wanted = calls(
        ("get_weather", {"city": "Paris", "units": "celsius"}),
        ("get_weather", {"city": "Rome", "units": "celsius"}),
    )
    assert BRAIN.reply("the weather in paris and in rome in celsius") == wanted


def test_a_missing_value_is_asked_for_and_its_answer_completes_the_call() -> None:
    question = BRAIN.reply("what is the weather").text
    assert question == "Which city would you like?"
    history = [("user", "what is the weather"), ("assistant", question)]
    assert BRAIN.reply("tokyo please", history) == calls(("get_weather", {"city": "Tokyo"}))
    assert BRAIN.reply("timbuktu", history) == calls(("get_weather", {"city": "Timbuktu"}))
    assert BRAIN.reply("goodbye", history).text == "Goodbye! It was nice to talk to you."


@pytest.mark.parametrize("text", ["okay", "i don't know", "oh yes please", "the light", "no", "hm"])
def test_what_is_no_name_does_not_answer_the_question_for_a_city(text: str) -> None:
    history = [("user", "what is the weather"), ("assistant", "Which city would you like?")]
    assert not BRAIN.reply(text, history).tool_calls


@pytest.mark.parametrize(
    "text",
    [
        "how warm in okay",
        "be me the temperature in command",
        "what is the weather in Okay",
        "the weather in Hot Umbrella",
    ],
)
def test_a_place_that_may_be_misheard_is_asked_for(text: str) -> None:
    assert BRAIN.reply(text) == Reply(text="Which city would you like?")


@pytest.mark.parametrize(
    "text",
    [
        "you will now the light at account rain",
        "You will now meet at Account Rain",
        "the light can kitchen thank you",
        "unknown kitchen light",
    ],
)
def test_words_of_a_request_that_stand_anywhere_call_nothing(text: str) -> None:
    assert not BRAIN.reply(text).tool_calls


def test_a_place_that_is_written_as_a_name_needs_not_be_known() -> None:
    wanted = calls(("get_weather", {"city": "Ulaanbaatar"}))
    assert BRAIN.reply("What is the weather in Ulaanbaatar?") == wanted
    assert BRAIN.reply("the temperature in Ulaanbaatar please") == wanted


def test_values_said_before_the_question_are_kept() -> None:
    question = BRAIN.reply("book a table for two").text
    assert question == "Which day would you like?"
    history = [("user", "book a table for two"), ("assistant", question)]
    wanted = calls(("book_table", {"guests": 2, "day": "sunday"}))
    assert BRAIN.reply("on sunday", history) == wanted


def test_question_follows_question_until_nothing_is_missing() -> None:
    history = [("user", "book a table")]
    for answer, question in (("", "Which guests would you like?"), ("two", "Which day")):
        if answer:
            history.append(("user", answer))
        text = BRAIN.reply(history[-1][1], history[:-1]).text
        assert text
        assert text.startswith(question)
        history.append(("assistant", text))
    wanted = calls(("book_table", {"guests": 2, "day": "today"}))
    assert BRAIN.reply("today", history) == wanted


def test_free_text_is_taken_as_the_answer() -> None:
    question = BRAIN.reply("write a note").text
    assert question == "Which text would you like?"
    history = [("user", "write a note"), ("assistant", question)]
    assert BRAIN.reply("Feed the cat", history) == calls(("write_note", {"text": "feed the cat"}))


def test_what_about_asks_the_last_question_again() -> None:
    history = [
        ("user", "what is the weather in tokyo"),
        ("assistant", "It rains."),
        ("user", "thank you"),
    ]
    assert BRAIN.reply("what about rome", history) == calls(("get_weather", {"city": "Rome"}))
    assert BRAIN.reply("what about rome").text == NOT_UNDERSTOOD


@pytest.mark.parametrize("text", ["", "grumble mumble", "the the the", "?!"])
def test_what_it_does_not_know_it_did_not_catch(text: str) -> None:
    assert BRAIN.reply(text) == Reply(text=NOT_UNDERSTOOD)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("hello there", "Hello!"),
        ("thank you that is enough", "All right."),
        ("what time is it", "It is 3:04."),
        ("what can you do", "I can get the current weather in a city, switch on the light"),
        ("say that again", "It rains."),
    ],
)
def test_small_talk_is_answered(text: str, answer: str) -> None:
    reply = BRAIN.reply(text, [("user", "weather"), ("assistant", "It rains."), ("user", "hm")])
    assert reply.text
    assert reply.text.startswith(answer)
    assert not reply.tool_calls


def test_a_brain_without_tools_calls_none() -> None:
    assert Responder().reply("what is the weather in tokyo").text == NOT_UNDERSTOOD


def test_results_are_told_together() -> None:
    text = BRAIN.after_tools([("get_weather", '{"city": "Rome"}'), ("ping_server", "pong")]).text
    assert text
    assert "Rome" in text
    assert text.endswith("Pong.")


@pytest.mark.parametrize(
    ("instructions", "phrase"),
    [
        ('Say exactly: "One moment."', "One moment."),
        ("You are kind. Do not call tools. Say exactly “Just a second.” now", "Just a second."),
        ("Say exactly: Hold on.", "Hold on."),
        ('Please say "hi there"', "hi there"),
        ("Greet the user and say what you can do.", None),
        ('You are a guide. If asked for a discount, say "no".', None),
        ("", None),
    ],
)
def test_a_phrase_to_say_is_found_in_instructions(instructions: str, phrase: str | None) -> None:
    assert Responder.say(instructions) == phrase
    if phrase:
        assert Responder([WEATHER], instructions).reply("hello") == Reply(text=phrase)


def test_every_sentence_expected_is_understood() -> None:
    brain = Responder([WEATHER, TABLE])
    # Single values and "what about …" are understood after a question only.
    after_question = ("what about ", "how about ", "and ")
    full = [
        each
        for each in set(brain.sentences())
        if len(each.split()) > 3 and not each.startswith(after_question)
    ]
    assert len(full) > 500
    lost = {each for each in full if brain.reply(each).text == NOT_UNDERSTOOD}
    assert lost == set()


def test_small_talk_makes_up_a_third_of_what_is_expected() -> None:
    small_talk = {phrase for topic in TOPICS for phrase in topic.phrases}
    sentences = BRAIN.sentences()
    share = sum(sentence in small_talk for sentence in sentences) / len(sentences)
    assert share == pytest.approx(1 / 3, abs=0.03)


def test_values_that_are_said_together_are_expected_together() -> None:
    sentences = set(Responder([TABLE, LIGHT]).sentences())
    assert "turn on the living room light" in sentences
    said = [each for each in sentences if "for four" in each and each.endswith("friday")]
    assert said
    for each in said:
        assert Responder([TABLE]).reply(each).tool_calls[0].arguments["day"] == "friday"
