"""How a session moves where the server serves one client at a time."""

from crossfade.providers.continuity.rotation import Plan, Situation


class ReopeningRotation:
    """Moshi. Implements `Rotation`."""

    def prepares(self, situation: Situation) -> bool:
        return False

    def plan(self, situation: Situation) -> Plan:
        return Plan.REOPEN


__all__ = ["ReopeningRotation"]
