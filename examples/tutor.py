"""A language tutor: talks German or Spanish, corrects, and changes the language when asked.

    python -m crossfade.examples.tutor

A caller reads lines to it. Talks to OpenAI if OPENAI_API_KEY is set, else to the built-in emulator.
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Literal, get_args

from crossfade.examples.rehearsal import show
from crossfade.observability.call import CallRecord
from crossfade.pipelines.assembly import Call
from crossfade.pipelines.endpoint import Endpoint
from crossfade.pipelines.native_call import native_call
from crossfade.processors.tools import Tool, tool
from crossfade.providers import SessionConfig
from crossfade.transports.scripted_caller import ScriptedCaller

Language = Literal["German", "Spanish"]
INSTRUCTIONS = (
    f"You teach {' and '.join(get_args(Language))} to somebody who speaks English. Speak the "
    "language that is being learned, slowly, in short sentences, and end each answer with a "
    "question. When the learner makes a mistake, note it, say the sentence once as it should be, "
    "and go on. Begin with German; change the language by your tool alone, when asked to."
)
TOPICS = {
    "German": "what the learner did yesterday; watch haben and sein in the perfect tense",
    "Spanish": "food and what it costs; watch ser and estar",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """Something that the learner said, and how it is said."""

    language: Language
    said: str
    correct: str
    rule: str


class Lesson:
    """One lesson: the language that is spoken, and the mistakes that were made."""

    def __init__(self) -> None:
        self.language: Language = "German"
        self.mistakes: list[Mistake] = []

    @property
    def tools(self) -> Sequence[Tool]:
        """What the tutor may call."""

        @tool(acknowledge=None)
        async def switch_language(to: Language) -> dict[str, Any]:
            """Change the language of the lesson. Speak the new one from your next word on."""
            self.language = to
            return {"speak": to, "talk_about": TOPICS[to]}

        # Nobody waits for this, and no word is said about it.
        @tool(acknowledge=None, idempotent=True)
        async def note_mistake(said: str, correct: str, rule: str) -> str:
            """Note a mistake for the end of the lesson.

            Args:
                said: The learner's words.
                correct: The same as it is said.
                rule: Why, in a few English words.
            """
            mistake = Mistake(language=self.language, said=said, correct=correct, rule=rule)
            self.mistakes.append(mistake)
            return f"Noted. Say it once as it should be, in {self.language}: {correct}"

        return [switch_language, note_mistake]

    def make(
        self, caller: ScriptedCaller, record: CallRecord, provider: Endpoint
    ) -> AbstractAsyncContextManager[Call]:
        """The lesson as a call."""
        return native_call(
            provider.spec,
            transport=caller,
            record=record,
            config=SessionConfig(instructions=INSTRUCTIONS, voice="calm"),
            tools=self.tools,
            base_url=provider.base_url,
            api_key=provider.api_key,
        )


LINES = [
    "Guten Tag! Ich habe gestern nach Berlin gegangen.",
    "Can we go on in Spanish, please?",
    "La sopa es fría.",
]
SCENARIO = f"""
turns:
  - on: speech
    hear: "{LINES[0]}"
    call:
      - name: note_mistake
        arguments:
          said: Ich habe gegangen
          correct: Ich bin gegangen
          rule: verbs of motion take sein
  - {{on: tool_results, say: "Ich bin nach Berlin gegangen. Was haben Sie dort gesehen?"}}
  - on: speech
    hear: "{LINES[1]}"
    call: [{{name: switch_language, arguments: {{to: Spanish}}}}]
  - {{on: tool_results, say: "Muy bien. ¿Qué le gusta comer?"}}
  - on: speech
    hear: "{LINES[2]}"
    call:
      - name: note_mistake
        arguments:
          said: La sopa es fría
          correct: La sopa está fría
          rule: a passing state takes estar
  - {{on: tool_results, say: "La sopa está fría. ¿Y el pan?"}}
"""


if __name__ == "__main__":
    lesson = Lesson()
    show(lesson.make, lines=LINES, scenario=SCENARIO, language="de")
    for each in lesson.mistakes:
        print(f"{each.language}: {each.said} → {each.correct} ({each.rule})")  # noqa: T201
