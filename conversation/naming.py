"""Which of the user's turns a name is for, where turns are heard here and named by the provider.

Names come in spoken order, but not for all that is heard: a noise gets none, and what is said in
two parts may become one turn.
"""

from collections.abc import Sequence

from crossfade.conversation.turns import AgentTurn, Entry, UserTurn

ONE_TURN_S = 2.0
"""What is said after a pause no longer than this may be one turn with what was said before it."""


def unnamed_turn(entries: Sequence[Entry]) -> int | None:
    """Find the spoken turn that a new name is for: the newest without one, from its first part.

    What was spoken before a turn that has a name, or before an answer, is not named any more.
    """
    found: UserTurn | None = None
    at: int | None = None
    for position in range(len(entries) - 1, -1, -1):
        turn = entries[position]
        if not isinstance(turn, UserTurn) or turn.typed:
            continue
        if turn.item_id is not None or was_answered(entries, turn.stopped_at_s):
            break
        if found is not None and not one_turn(turn.stopped_at_s, found.started_at_s):
            break
        found, at = turn, position
    return at


def one_turn(stopped_at_s: float | None, started_at_s: float) -> bool:
    """Whether what started then may be one turn with what stopped before."""
    return stopped_at_s is None or started_at_s - stopped_at_s <= ONE_TURN_S


def was_answered(entries: Sequence[Entry], stopped_at_s: float | None) -> bool:
    """Whether the agent has answered since the user stopped to speak; None while he speaks."""
    if stopped_at_s is None:
        return False
    for entry in reversed(entries):
        # One that is only announced may have overtaken the name of the turn that it answers.
        if isinstance(entry, AgentTurn) and not entry.injected and (entry.items or entry.status):
            return entry.started_at_s >= stopped_at_s
    return False


__all__ = ["ONE_TURN_S", "one_turn", "unnamed_turn", "was_answered"]
