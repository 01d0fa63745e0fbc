"""Which response may be asked for when."""

from crossfade.providers.openai_responses import Responses

PHRASE = {"instructions": "say"}


def bodies(responses: Responses) -> list[object]:
    """All that is let go, one after the other."""
    sent: list[object] = []
    while (request := responses.next_request()) is not None:
        sent.append(request.body)
        responses.begin(f"r{len(sent)}", injected=request.body is not None)
        responses.end(f"r{len(sent)}")
    return sent


def test_phrases_and_answers_go_in_order_and_answers_once() -> None:
    responses = Responses()
    for body in (None, PHRASE, None):
        responses.ask(body)
    assert bodies(responses) == [None, PHRASE]


def test_of_too_many_phrases_the_oldest_is_dropped_and_never_an_answer() -> None:
    responses = Responses()
    responses.ask()
    for number in range(10):
        responses.ask({"number": number})
    assert bodies(responses) == [None, *({"number": number} for number in range(2, 10))]


def test_the_users_turn_drops_phrases_and_keeps_answers_to_what_was_not_known() -> None:
    responses = Responses()
    responses.user_speaks()
    responses.item_sent()
    responses.ask(PHRASE)
    responses.ask()
    responses.answer_due()
    responses.begin("auto", injected=False)
    responses.end("auto")
    assert bodies(responses) == [None]


def test_an_answer_to_the_turn_before_leaves_the_floor_to_the_speaker() -> None:
    responses = Responses()
    responses.user_speaks()
    responses.ask()
    responses.begin("before", injected=False)
    responses.end("before")
    assert responses.next_request() is None


def test_a_phrase_that_begins_is_not_taken_for_the_answer_that_was_asked_for() -> None:
    responses = Responses()
    responses.ask(PHRASE)
    assert responses.next_request() is not None
    responses.begin("auto", injected=False)
    responses.end("auto")
    responses.ask()
    assert responses.next_request() is None, "the phrase is still to come"
    responses.begin("phrase", injected=True)
    responses.end("phrase")
    assert responses.next_request() is not None


def test_a_withdrawn_request_that_is_refused_is_not_asked_for_again() -> None:
    responses = Responses()
    responses.ask()
    request = responses.next_request()
    assert request is not None
    responses.interrupt()
    responses.refuse(request.event_id, active=True)
    assert responses.next_request() is None


def test_a_refusal_of_something_else_leaves_the_request_alone() -> None:
    responses = Responses()
    responses.ask()
    assert responses.next_request() is not None
    responses.refuse("another", active=True)
    responses.refuse("", active=False)
    responses.ask()
    assert responses.next_request() is None


def test_a_refusal_without_a_name_is_the_requests() -> None:
    responses = Responses()
    responses.ask()
    request = responses.next_request()
    responses.refuse("", active=True)
    assert responses.next_request() is None
    responses.end("unknown")
    assert responses.next_request() is request


def test_running_responses_are_bounded() -> None:
    responses = Responses()
    for number in range(100):
        responses.begin(f"r{number}", injected=False)
    assert len(list(responses)) == 16
    assert responses.get("r99") is not None
    assert responses.begin("r50", injected=False) is None, "taken for ended"
