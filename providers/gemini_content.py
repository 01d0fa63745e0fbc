"""Reads `serverContent`, of which several fields may ride in one message.

Source: https://ai.google.dev/api/live#BidiGenerateContentServerContent
"""

import pybase64

from crossfade.providers.events import Event, UserTurnCommitted
from crossfade.providers.gemini_hearing import Hearing
from crossfade.providers.gemini_keys import child, children
from crossfade.providers.gemini_rounds import Rounds
from crossfade.providers.gemini_turns import Turns
from crossfade.providers.malformed import malformed
from crossfade.providers.wire_json import JsonObject, string


class Content:
    """What was heard and said.

    Args:
        turns: The agent's; filled here.
        hearing: The user's; filled here.
        rounds: Told where turns end.
    """

    def __init__(self, turns: Turns, hearing: Hearing, rounds: Rounds) -> None:
        self._turns = turns
        self._hearing = hearing
        self._rounds = rounds

    def receive(self, content: JsonObject) -> list[Event]:
        """Read all but the end of the turn, which comes after all else of a message."""
        interrupted = content.get("interrupted") is True
        events = [] if interrupted else self._words(content)
        events += self._model_turn(content)
        if text := string(child(content, "outputTranscription"), "text"):
            events += self._turns.spoken_text(text)
        if content.get("generationComplete") is True:
            events += self._turns.generated()
        if interrupted:
            spoken = "inputTranscription" in content
            events += self._turns.interrupted(spoken=spoken) + self._hearing.turn_over()
            # What is heard in the message of an interruption is what interrupts.
            events += self._words(content)
        return events

    def sound(self, data: str) -> list[Event]:
        """Read a piece of speech, in base64."""
        try:
            audio = pybase64.b64decode(data, validate=True)
        except ValueError:
            return [malformed("audio that is no base64")]
        return self._turns.sound(audio) if audio else []

    def end_of_turn(self, content: JsonObject) -> list[Event]:
        """Read the end of the turn, or of a part of it."""
        status = content.get("interactionStatus")
        complete = content.get("turnComplete") is True
        if status == "IDLE" or (complete and status != "IN_PROGRESS"):
            if status == "IDLE":
                # It thinks on until it has spoken of all results.
                self._rounds.answer_begins()
            reason = string(content, "turnCompleteReason")
            events = self._hearing.turn_over(calling=self._rounds.pending)
            events += self._turns.completed(reason)
        elif complete:
            events = self._turns.part_completed()
        else:
            return []
        self._rounds.turn_over()
        return events

    def _words(self, content: JsonObject) -> list[Event]:
        if "inputTranscription" not in content:
            return []
        words = child(content, "inputTranscription")
        finished = words.get("finished") is True
        events = self._hearing.words(string(words, "text"), finished=finished)
        if any(isinstance(event, UserTurnCommitted) for event in events):
            self._turns.prompted()
        return events

    def _model_turn(self, content: JsonObject) -> list[Event]:
        events: list[Event] = []
        for part in children(child(content, "modelTurn"), "parts"):
            if data := child(part, "inlineData"):
                if string(data, "mimeType").startswith("audio/"):
                    events += self.sound(string(data, "data"))
            elif part.get("thought") is not True and (text := string(part, "text")):
                events += self._turns.written_text(text)
        return events


def speech_alone(message: JsonObject) -> str | None:
    """Give the sound of a message that is a piece of speech and nothing else, in base64.

    Fifty messages a second are of this kind: nothing else is looked for in them.
    """
    try:
        content = message["serverContent"]
        (part,) = content["modelTurn"]["parts"]
        data = part["inlineData"]
        if len(message) == len(content) == 1 and data["mimeType"].startswith("audio/"):
            sound = data["data"]
            return sound if isinstance(sound, str) else None
    except (KeyError, TypeError, ValueError, AttributeError):
        pass
    return None


__all__ = ["Content", "speech_alone"]
