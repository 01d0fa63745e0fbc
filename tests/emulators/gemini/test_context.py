"""What a session remembers stays small, whatever its client says."""

from crossfade.emulators.backends import ToolOutput
from crossfade.emulators.gemini.conversation import Context
from crossfade.emulators.gemini.tokens import Tokens


def test_contributions_without_end_are_counted_together() -> None:
    context, count = Context(), 20_000
    for _ in range(count):
        context.add("user", Tokens(text=1))
        context.add("model", Tokens(audio=2))
    assert (context.tokens.text, context.tokens.audio) == (count, 2 * count)
    assert sum(entry.tokens.total for entry in context.entries) == 3 * count
    assert context.size_bytes < 512 * 1024


def test_of_what_nobody_answers_the_newest_is_kept() -> None:
    context = Context()
    for number in range(100):
        context.add("user", Tokens(text=1), f"{number}" * 100_000)
        context.keep_silent(ToolOutput(name="f", output=f"{number}" * 100_000))
    assert context.size_bytes < 256 * 1024
    assert context.take_unanswered().endswith("99")
    assert [output.output[-2:] for output in context.take_silent()] == ["99"]
