"""Telnyx's side of a phone call: webhooks, TeXML, media streaming and the call's REST resource."""

from .server import TelnyxEmulator

__all__ = ["TelnyxEmulator"]
