"""The cells of the matrix in which the speech node itself is swapped or lost."""

from collections.abc import Iterator
from dataclasses import dataclass

from . import swaps
from .continuity_cells import CallState

NODES = "nodes"
"""Stands for the wire of these cells."""
_SHORT = {"openai": "oai", "gemini": "gem", "cascade": "casc"}


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeCell:
    """One call whose node changes: between providers and the cascade, or from a cascade whose
    service gives up to another one."""

    swap: swaps.Cell
    wordless: int = 0

    @property
    def wire(self) -> str:
        return NODES

    @property
    def fault(self) -> str:
        """From which node to which, and by what."""
        return f"{_SHORT[self.swap.first]}→{_SHORT[self.swap.second]} {self.swap.why}"

    @property
    def state(self) -> CallState:
        return CallState(self.swap.state.value)


def node_cells() -> Iterator[NodeCell]:
    """All: swaps that are asked for, failover to the cascade, and a cascade that is lost."""
    return (NodeCell(swap=cell) for cell in swaps.cells())


__all__ = ["NODES", "NodeCell", "node_cells"]
