"""How a session moves where two can be open at a time and none can be resumed."""

from crossfade.providers.continuity.rotation import Moment, Plan, Situation


class ParallelRotation:
    """OpenAI, and those who speak its protocol. Implements `Rotation`."""

    def prepares(self, situation: Situation) -> bool:
        return situation.moment is not Moment.LOST

    def plan(self, situation: Situation) -> Plan:
        return Plan.REOPEN if situation.moment is Moment.LOST else Plan.PARALLEL


__all__ = ["ParallelRotation"]
