"""A phone on loopback, whichever company's: its calls, its streams, and the webhooks it asks."""

from .phone_call import CallStatus, PhoneCall

__all__ = ["CallStatus", "PhoneCall"]
