"""What a model is told of its calls when there is no result to tell, in words. Pure."""

from collections.abc import Iterable

from crossfade.conversation.tools import ToolCall

from .tool_results import capped
from .tools import Tool, ToolArgumentsError

MOST_ERROR_CHARACTERS = 2000
"""Length of what is told of an error; what is longer is cut, and says so."""


def placeholder_of(tool: Tool) -> str:
    """What the model is told while a call runs on."""
    return tool.policy.placeholder or (
        f"{tool.name} is still running. Carry on with the conversation, and do not guess "
        "the result: it follows by itself."
    )


def consent_wanted(name: str) -> str:
    """What the model is told of a call that the caller has to agree to."""
    return (
        f"{name} has not been run: it needs the caller's consent. Tell the caller what you are "
        "about to do, ask whether they want it, and wait for their answer. If they say yes, call "
        "it again with the same arguments."
    )


def refusal_of(call: ToolCall, tool: Tool | None, names: Iterable[str]) -> str | None:
    """Why a call cannot be run, in words that the model can act on; None if it can.

    Args:
        call: The call.
        tool: The tool of that name.
        names: All tools there are.
    """
    if tool is None:
        known = ", ".join(sorted(names)) or "none"
        return error_of(f"There is no tool {call.name}. The tools are: {known}.")
    if call.unparsed is not None:
        return "The arguments are not a JSON object. Call again with one."
    try:
        tool.check(call.arguments)
    except ToolArgumentsError as error:
        return error_of(str(error))
    return None


def error_of(why: str) -> str:
    """An error as the model reads it."""
    return str(capped(why, MOST_ERROR_CHARACTERS))


__all__ = [
    "MOST_ERROR_CHARACTERS",
    "consent_wanted",
    "error_of",
    "placeholder_of",
    "refusal_of",
]
