"""How far a conversation is in its scenario, also one that began on another connection."""

import re
from collections.abc import Sequence
from typing import Any

import orjson

from crossfade.errors import SettingsError
from crossfade.offline.spoken_results import spoken_result

from .backend import Part, Say, Told, ToolOutput, Trigger
from .scenario import Scenario, Turn

# More than a client tells of that waits for an answer.
_RESULTS_KEPT = 64
_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_ASIDE = re.compile(r"\s*(?:\[[^\n]*\]|\([^\n]*\))\s*")
# How a result is told where the call is not known: [look_up({"n":1}) gave: {"found":2}]
_RESULT = re.compile(r"\s*\[(?:The tool call )?(\w+)\(.*\) [^:]*: (.*)\]\s*")


class Course:
    """The turns of a scenario that are left.

    What a client tells of an earlier connection takes the turns that it stands for: words of the
    user the one that would have heard them, words of the agent the one that says them.

    Args:
        scenario: The whole script.
    """

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._left = list(scenario.turns)
        # The turns that the user's words stand for that nobody has answered.
        self._asked: list[Turn] = []
        self._results: list[ToolOutput] = []
        # The turn that was told last, what it says in whole, and how much of it was said.
        self._last: Turn | None = None
        self._whole: list[str] = []
        self._said = ""
        self._called = False
        self._noticed = False

    def next(self, trigger: Trigger) -> Turn | None:
        """The turn that answers what arrives, without the words that stand unanswered."""
        turn = self._first(trigger)
        if turn is None and self._scenario.repeat:
            self._left = list(self._scenario.turns)
            turn = self._first(trigger)
        return turn

    def heard(self) -> Turn | None:
        """The user said something: the turn that answers it. What was told before it is over."""
        self._last = None
        return self.next(Trigger.SPEECH)

    def awaited(self) -> Turn | None:
        """The turn that answers the words that stand unanswered."""
        return self._asked[-1] if self._asked else None

    def waits_for_results(self) -> bool:
        """Whether a call was told of and its result is still to be spoken of."""
        return self._called and any(turn.on is Trigger.TOOL_RESULTS for turn in self._left)

    def take(self, turn: Turn) -> None:
        """A turn is being answered."""
        self._left.remove(turn)
        self._asked.clear()
        self._results.clear()
        self._last = None
        self._called = bool(turn.call)

    def put_back(self, turn: Turn) -> None:
        """A turn was not answered after all."""
        place = {id(each): n for n, each in enumerate(self._scenario.turns)}
        self._left.append(turn)
        self._left.sort(key=lambda each: place[id(each)])

    def rest(self, *, noticed: bool = False) -> list[Part] | None:
        """What is left of the answer that broke off; None if none did.

        Args:
            noticed: Whether a notice asks for it: then one that was said in whole broke off too,
                and nothing is left of it.
        """
        if self._last is None:
            return None
        # What is no beginning of it is of no help.
        said = self._said.split() if _begins(" ".join(self._whole), self._said) else []
        left: list[Part] = []
        for text in self._whole:
            words = text.split()
            begun, said = said[: len(words)], said[len(words) :]
            if len(begun) < len(words):
                left.append(Say(" ".join(words[len(begun) :])))
        left += self._last.call
        return left if left or noticed or self._noticed else None

    def told(self, who: Told, text: str) -> None:
        """The client tells what was said or done before."""
        match who:
            case Told.USER if is_aside(text):
                self._told_of_aside(text)
            case Told.USER:
                self._told_of_user(text)
            case Told.AGENT:
                self._told_of_agent(text)
            case Told.CALL:
                self._told_of_call(text)
            case Told.RESULT:
                self._results.append(ToolOutput(name="", output=text))
                del self._results[:-_RESULTS_KEPT]
                self._last = None
            case Told.NOTICE:
                self._noticed = True

    def _told_of_aside(self, text: str) -> None:
        outputs = outputs_in(text)
        for output in outputs:
            self._told_of_call(output.name)
        self._results += outputs
        self._noticed = not outputs

    def _told_of_user(self, text: str) -> None:
        self._last, self._called = None, False
        self._results.clear()
        heard = (turn for turn in self._left if turn.hear and _same(turn.hear, text))
        turn = next((turn for turn in heard if not _within(turn, self._asked)), None)
        if turn is not None:
            self._asked.append(turn)

    def _told_of_agent(self, text: str) -> None:
        if self._last is not None and _begins(" ".join(self._whole), f"{self._said} {text}"):
            self._said = f"{self._said} {text}"
            return
        left = [*self._left, *(self._scenario.turns if self._scenario.repeat else ())]
        turn = next((turn for turn in left if _begins(self._spoken(turn), text)), None)
        turn = turn or self.awaited()
        if turn is None:
            return
        self._pass(turn)
        self._last, self._said, self._called, self._noticed = turn, text, False, False
        self._whole = self._lines(turn)

    def _told_of_call(self, name: str) -> None:
        calling = (turn for turn in self._left if any(call.name == name for call in turn.call))
        turn = self.awaited() if self._last is None else None
        turn = turn or (next(calling, None) if not self._called and self._last is None else None)
        if turn is not None:
            self._pass(turn)
        self._last, self._called = None, True

    def _pass(self, turn: Turn) -> None:
        """A turn was answered on another connection; what stands before it in the script, too."""
        if not _within(turn, self._left):
            self._left = list(self._scenario.turns)
        if _within(turn, self._left):
            del self._left[: self._left.index(turn) + 1]
        self._asked.clear()

    def _first(self, trigger: Trigger) -> Turn | None:
        free = (turn for turn in self._left if not _within(turn, self._asked))
        return next((turn for turn in free if turn.answers(trigger)), None)

    def _spoken(self, turn: Turn) -> str:
        return " ".join(self._lines(turn))

    def _lines(self, turn: Turn) -> list[str]:
        try:
            return [filled(text, self._results) for text in turn.say]
        except SettingsError:
            return list(turn.say)


def _within(turn: Turn, turns: Sequence[Turn]) -> bool:
    return any(turn is each for each in turns)


def _same(one: str, other: str) -> bool:
    return one.casefold().split() == other.casefold().split()


def _begins(whole: str, text: str) -> bool:
    """Whether a text is the beginning of another, by whole words."""
    words = text.split()
    return bool(words) and whole.split()[: len(words)] == words


def rest_of(whole: str, said: str) -> str | None:
    """The words of `whole` behind those that were said; None if those are no beginning of it."""
    return " ".join(whole.split()[len(said.split()) :]) if _begins(whole, said) else None


def is_aside(text: str) -> bool:
    """Whether a text in the user's name is in brackets: a notice, not their words."""
    lines = [line for line in text.splitlines() if line.strip()]
    return bool(lines) and all(_ASIDE.fullmatch(line) for line in lines)


def outputs_in(text: str) -> list[ToolOutput]:
    """The results of functions that such a notice tells."""
    found = (_RESULT.fullmatch(line) for line in text.splitlines())
    return [ToolOutput(name=each[1], output=each[2]) for each in found if each is not None]


def filled(text: str, outputs: Sequence[ToolOutput]) -> str:
    """`text` with its placeholders replaced by what the tools answered.

    Raises:
        SettingsError: One names a field that no result has.
    """
    fields: dict[str, Any] = {
        "results": " ".join(spoken_result(output.name, output.output) for output in outputs)
    }
    for output in outputs:
        fields |= _fields(output.output)

    def value(found: re.Match[str]) -> str:
        if found[1] not in fields:
            raise SettingsError(
                f"the scenario speaks of '{found[0]}', which no tool result holds; "
                f"there are {', '.join(sorted(fields))}"
            )
        return str(fields[found[1]])

    return _PLACEHOLDER.sub(value, text)


def _fields(output: str) -> dict[str, Any]:
    """The members of a result that is a JSON object."""
    try:
        result = orjson.loads(output)
    except orjson.JSONDecodeError:
        return {}
    return result if isinstance(result, dict) else {}
