"""Transcripts in progress."""

from crossfade.providers.openai_transcripts import Transcripts


def test_pieces_are_joined_until_the_item_is_forgotten() -> None:
    transcripts = Transcripts()
    assert transcripts.add("u", " one") == "one"
    assert transcripts.add("u", " two") == "one two"
    transcripts.forget("u")
    transcripts.forget("unknown")
    assert transcripts.add("u", "three") == "three"


def test_transcripts_that_never_end_are_forgotten_oldest_first() -> None:
    transcripts = Transcripts()
    for number in range(65):
        transcripts.add(f"u{number}", "x")
    assert transcripts.add("u64", "y") == "xy"
    assert transcripts.add("u0", "y") == "y"


def test_a_transcript_is_bounded() -> None:
    transcripts = Transcripts()
    assert len([transcripts.add("u", "x" * 15_000) for _ in range(3)][-1]) == 20_000
