"""Plivo's side of a phone call: webhooks, its XML, audio streaming and the call's REST resource."""

from .server import PlivoEmulator

__all__ = ["PlivoEmulator"]
