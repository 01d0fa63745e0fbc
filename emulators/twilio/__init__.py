"""Twilio's side of a phone call: webhooks, TwiML, Media Streams and the call's REST resource."""

from ..phone import PhoneCall
from .server import TwilioEmulator

__all__ = ["PhoneCall", "TwilioEmulator"]
