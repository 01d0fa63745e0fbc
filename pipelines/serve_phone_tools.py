"""Tools that an agent has on the phone: to hang up, and to put the caller through."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from crossfade.processors.tools import Tool, tool


class Switchboard(Protocol):
    """What the tools ask for."""

    def end(self, call_sid: str) -> None:
        """Hang up."""

    def transfer(self, call_sid: str, number: str) -> None:
        """Put the caller through."""


def phone_tools(
    switchboard: Switchboard, call_sid: str, destinations: Mapping[str, str]
) -> Sequence[Tool]:
    """Those of one call.

    Args:
        switchboard: Does it.
        call_sid: The call.
        destinations: Whom the caller may be put through to: name → number. The model sees the
            names alone: nobody can talk it into dialling another number.
    """

    async def hang_up() -> str:
        """End the phone call. Say goodbye in the same breath: it ends when you have spoken."""
        switchboard.end(call_sid)
        return "The call ends when you have said goodbye."

    async def transfer(to: str) -> str:
        if to not in destinations:
            return f"There is no {to!r}; there is only: {', '.join(destinations)}."
        switchboard.transfer(call_sid, destinations[to])
        return f"The caller is put through to {to} when you have said so."

    made = [tool(hang_up)]
    if destinations:
        transfer.__doc__ = (
            "Put the caller through to somebody else, which ends your part of the call. "
            f"Possible are: {', '.join(destinations)}."
        )
        made.append(tool(transfer))
    return made


__all__ = ["Switchboard", "phone_tools"]
