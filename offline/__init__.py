"""Embedded speech that needs no network and no key: recogniser, synthesiser, responder."""
