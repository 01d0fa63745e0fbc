"""Loopback servers that speak the providers' wire protocols, for development, tests and load.

They share no code with `crossfade.providers`: what they know comes from the providers' documents
and captures.
"""
