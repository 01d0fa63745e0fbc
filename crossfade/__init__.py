"""Crossfade: composable streaming processors for realtime voice agents, on pipecat."""

__version__ = "0.1.0"
