"""Which response may be asked for when."""

from crossfade.providers.openai_responses import Responses
from crossfade.providers.openai_sent_items import SentItems

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
    sent = SentItems()
    sent.arrive({"id": "any"})
    sent.send({"type": "function_call_output", "call_id": "c"})
    responses = Responses(sent)
    responses.user_speaks()
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
    responses.answer_due()
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
    responses.refuse("another", active=False)
    responses.ask()
    assert responses.next_request() is None


def test_a_refusal_that_may_be_the_requests_lets_the_next_one_go() -> None:
    responses = Responses()
    responses.ask()
    assert responses.next_request() is not None
    responses.refuse("", active=False)
    responses.ask()
    assert responses.next_request() is not None


def test_a_phrase_that_never_comes_waits_for_two_answers_and_no_more() -> None:
    responses = Responses()
    responses.ask(PHRASE)
    responses.next_request()
    responses.ask()
    for name in ("one", "two"):
        assert responses.next_request() is None
        responses.answer_due()
        responses.begin(name, injected=False)
        responses.end(name)
    responses.ask()
    assert responses.next_request() is not None


def test_a_service_that_marks_no_phrases_blocks_none() -> None:
    responses = Responses()
    responses.ask(PHRASE)
    responses.next_request()
    responses.begin("unmarked", injected=False)
    responses.end("unmarked")
    responses.ask()
    assert responses.next_request() is not None


def test_an_answer_taken_for_ours_is_set_right_by_the_refusal_of_ours() -> None:
    for name in ("crossfade_response_1", ""):
        sent = SentItems()
        sent.send({"type": "function_call_output", "call_id": "c"})
        responses = Responses(sent)
        responses.ask()
        request = responses.next_request()
        responses.answer_due()
        responses.begin("own", injected=False)
        responses.refuse(name, active=True)
        assert responses.next_request() is None, "the other one still runs"
        responses.end("own")
        assert responses.next_request() is request


def test_an_answer_that_knew_all_answers_ours_that_is_refused_for_it() -> None:
    for name in ("crossfade_response_1", ""):
        responses = Responses()
        responses.ask()
        responses.next_request()
        responses.answer_due()
        responses.begin("own", injected=False)
        responses.refuse(name, active=True)
        responses.end("own")
        assert responses.next_request() is None
        responses.ask()
        assert responses.next_request() is not None, "who asks again is heard"


def test_what_was_interrupted_does_not_cut_the_answer_to_what_is_said_then() -> None:
    responses = Responses()
    responses.ask()
    responses.next_request()
    responses.interrupt()
    responses.user_speaks()
    responses.answer_due()
    response = responses.begin("answer", injected=False)
    assert response is not None
    assert not response.cut


def test_a_phantom_holds_nobody_up() -> None:
    responses = Responses()
    responses.begin("phantom", injected=False, announced=False)
    responses.ask()
    assert responses.next_request() is not None


def test_an_answer_without_an_end_holds_others_up_until_the_next_begins() -> None:
    responses = Responses()
    responses.begin("endless", injected=False)
    responses.ask()
    assert responses.next_request() is None
    responses.begin("next", injected=False)
    responses.end("next")
    assert responses.next_request() is not None


def test_the_answer_to_a_turn_that_is_over_survives_an_interruption() -> None:
    responses = Responses()
    responses.begin("running", injected=False)
    responses.ask(of_turn=True)
    responses.ask(PHRASE)
    responses.interrupt()
    responses.end("running")
    request = responses.next_request()
    assert request is not None
    assert not request.phrase
    responses.interrupt()
    response = responses.begin("answer", injected=False)
    assert response is not None
    assert not response.cut


def test_an_aside_waits_for_nobody_and_nobody_for_it() -> None:
    responses = Responses()
    responses.begin("running", injected=False)
    aside = responses.ask_aside(PHRASE, "label")
    response = responses.begin("aside", injected=True, request_id=aside.event_id)
    assert response is not None
    assert response.label == "label"
    assert [one.id for one in responses.interrupt()] == ["running"]
    responses.end("running")
    responses.ask()
    assert responses.next_request() is not None


def test_asides_that_never_begin_are_forgotten() -> None:
    responses = Responses()
    for number in range(100):
        responses.ask_aside(PHRASE, str(number))
    assert len(responses._asides) == 64


def test_the_services_own_answer_that_met_another_is_asked_for_by_us() -> None:
    responses = Responses()
    responses.begin("running", injected=False)
    responses.answer_due()
    responses.refuse("", active=True)
    assert responses.next_request() is None
    responses.end("running")
    assert responses.next_request() is not None


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


def test_who_asks_again_is_not_held_by_a_turn_that_nobody_answers() -> None:
    for turn in (Responses.user_speaks, Responses.answer_due):
        responses = Responses()
        turn(responses)
        responses.ask()
        assert responses.next_request() is None
        responses.ask()
        assert responses.next_request() is not None


def test_asking_again_counts_across_interruptions() -> None:
    responses = Responses()
    responses.user_speaks()
    responses.ask()
    responses.interrupt()
    responses.ask()
    assert responses.next_request() is not None


def test_a_turn_that_the_caller_marked_is_never_spoken_into() -> None:
    responses = Responses()
    responses.turn_marked()
    for _ in range(3):
        responses.ask()
        responses.user_writes()
        assert responses.next_request() is None
    responses.floor_free()
    assert responses.next_request() is not None


def test_who_asks_again_is_not_held_by_a_request_that_was_ignored() -> None:
    responses = Responses()
    responses.ask()
    first = responses.next_request()
    responses.ask()
    assert responses.next_request() is None
    responses.ask()
    second = responses.next_request()
    assert second is not None
    assert second is not first


def test_a_phrase_that_was_passed_over_keeps_its_label_and_its_interruption() -> None:
    for interrupted in (False, True):
        responses = Responses()
        responses.ask(PHRASE, label="wait")
        phrase = responses.next_request()
        assert phrase is not None
        if interrupted:
            responses.interrupt()
        responses.ask()
        responses.ask()
        assert responses.next_request() is not None
        response = responses.begin("phrase", injected=True, request_id=phrase.event_id)
        assert response is not None
        assert (response.label, response.cut) == ("wait", interrupted)


def test_who_asks_again_is_held_by_a_response_only_while_something_comes_of_it() -> None:
    responses = Responses()
    responses.begin("running", injected=False)
    responses.ask()
    assert responses.next_request() is None
    responses.get("running")
    responses.ask()
    assert responses.next_request() is None, "it lives"
    responses.ask()
    assert responses.next_request() is not None


def test_an_answer_that_met_an_unannounced_one_is_not_asked_for_in_a_circle() -> None:
    responses = Responses()
    responses.begin("phantom", injected=False, announced=False)
    responses.ask()
    request = responses.next_request()
    assert request is not None
    responses.refuse(request.event_id, active=True)
    assert responses.next_request() is None, "it would be refused again at once"
    responses.end("phantom")
    assert responses.next_request() is request


def test_who_interrupts_waits_no_longer_for_the_services_own_answer() -> None:
    responses = Responses()
    responses.answer_due()
    responses.interrupt()
    responses.ask()
    assert responses.next_request() is not None


def test_a_service_that_tells_of_no_items_knew_of_those_from_before_its_turn() -> None:
    for late in (False, True):
        sent = SentItems()
        responses = Responses(sent)
        responses.user_speaks()
        if not late:
            sent.send({"type": "function_call_output", "call_id": "c"})
        responses.answer_due()
        if late:
            sent.send({"type": "function_call_output", "call_id": "c"})
        responses.ask()
        responses.begin("own", injected=False)
        responses.end("own")
        assert (responses.next_request() is not None) == late
        assert len(sent) == late


def test_what_is_asked_for_while_the_services_own_answer_runs_is_asked_for_after_it() -> None:
    sent = SentItems()
    responses = Responses(sent)
    sent.send({"type": "function_call_output", "call_id": "c"})
    responses.answer_due()
    responses.ask()
    responses.begin("own", injected=False)
    responses.ask()
    responses.end("own")
    assert responses.next_request() is not None
