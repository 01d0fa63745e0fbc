"""Which way of rotation a model takes."""

from crossfade.providers.continuity.rotation import Rotation
from crossfade.providers.continuity.rotation_gemini import ResumingRotation
from crossfade.providers.continuity.rotation_moshi import ReopeningRotation
from crossfade.providers.continuity.rotation_openai import ParallelRotation
from crossfade.providers.profiles import Profile


def rotation_for(profile: Profile) -> Rotation:
    """Find the way of a model by what it can do."""
    if not profile.parallel_sessions:
        return ReopeningRotation()
    return ResumingRotation() if profile.resumption else ParallelRotation()


__all__ = ["rotation_for"]
