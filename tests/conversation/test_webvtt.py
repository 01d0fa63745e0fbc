from crossfade.conversation.webvtt import Cue, webvtt


def test_cues_are_numbered_in_order_of_time() -> None:
    text = webvtt(
        [
            Cue(start_s=3661.5, end_s=3662, speaker="agent", text="later"),
            Cue(start_s=0.25, end_s=1, speaker="caller", text="first"),
        ]
    )
    assert text == (
        "WEBVTT\n\n"
        "1\n00:00:00.250 --> 00:00:01.000\n<v caller>first\n\n"
        "2\n01:01:01.500 --> 01:01:02.000\n<v agent>later\n"
    )


def test_nothing_in_a_text_is_taken_for_markup() -> None:
    text = webvtt([Cue(start_s=0, end_s=1, speaker="agent", text="a <b>\n-->  & c")])
    assert text.endswith("<v agent>a &lt;b&gt; --&gt; &amp; c\n")


def test_a_call_in_which_nothing_was_said_is_a_file_without_cues() -> None:
    assert webvtt([]) == "WEBVTT\n"
