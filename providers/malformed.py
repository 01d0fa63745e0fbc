"""What every wire says of a message that it cannot understand."""

from crossfade.providers.events import ProviderError, Severity


def malformed(what: str) -> ProviderError:
    """What the provider sent makes no sense."""
    return ProviderError(
        message=f"The provider sent {what}.", severity=Severity.REQUEST, code="malformed_message"
    )


__all__ = ["malformed"]
