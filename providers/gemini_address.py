"""Where Gemini is served, and what it is shown there.

Sources: https://ai.google.dev/api/live, https://ai.google.dev/gemini-api/docs/ephemeral-tokens and
https://cloud.google.com/vertex-ai/generative-ai/docs/live-api
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import urlsplit

from crossfade.errors import SettingsError

_DEVELOPER_HOST = "wss://generativelanguage.googleapis.com/ws"
_TOKEN_PREFIX = "auth_tokens/"
# Ephemeral tokens are minted and served by this version alone.
_TOKEN_VERSION = "v1alpha"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeveloperAPI:
    """The Gemini API, by key or ephemeral token."""

    key_variables: ClassVar[tuple[str, ...]] = ("GOOGLE_API_KEY", "GEMINI_API_KEY")
    version: str = "v1beta"

    def url(self, credential: str) -> str:
        if credential.startswith(_TOKEN_PREFIX):
            version, method = _TOKEN_VERSION, "BidiGenerateContentConstrained"
        else:
            version, method = self.version, "BidiGenerateContent"
        service = f"google.ai.generativelanguage.{version}.GenerativeService"
        return f"{_DEVELOPER_HOST}/{service}.{method}"

    def headers(self, credential: str) -> Mapping[str, str]:
        if credential.startswith(_TOKEN_PREFIX):
            return {"Authorization": f"Token {credential}"}
        return {"x-goog-api-key": credential}

    def model_path(self, model: str) -> str:
        return model if "/" in model else f"models/{model}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Vertex:
    """Google Cloud, by access token; such a token lives an hour, so give a callable as api_key."""

    key_variables: ClassVar[tuple[str, ...]] = ("GOOGLE_OAUTH_ACCESS_TOKEN",)
    project: str
    location: str

    def url(self, credential: str) -> str:
        region = "" if self.location == "global" else f"{self.location}-"
        service = "google.cloud.aiplatform.v1beta1.LlmBidiService"
        return f"wss://{region}aiplatform.googleapis.com/ws/{service}/BidiGenerateContent"

    def headers(self, credential: str) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {credential}"}

    def model_path(self, model: str) -> str:
        if model.startswith("projects/"):
            return model
        return (
            f"projects/{self.project}/locations/{self.location}/publishers/google/models/"
            f"{model.rpartition('/')[2]}"
        )


Service = DeveloperAPI | Vertex


def is_googles(base_url: str | None) -> bool:
    """Whether Google itself is dialled, by default or by name."""
    if base_url is None:
        return True
    return (urlsplit(base_url).hostname or "").endswith(".googleapis.com")


def vertex_for(model: str, environment: Mapping[str, str]) -> Vertex:
    """Find project and location in the path of a model, else in the environment.

    Raises:
        SettingsError: They are in neither.
    """
    path = re.match(r"projects/([^/]+)/locations/([^/]+)/", model)
    project = path[1] if path else environment.get("GOOGLE_CLOUD_PROJECT", "")
    location = path[2] if path else environment.get("GOOGLE_CLOUD_LOCATION", "")
    if not (project and location):
        raise SettingsError(
            "Vertex AI serves models by project and location. Set GOOGLE_CLOUD_PROJECT and "
            "GOOGLE_CLOUD_LOCATION, or name the model as "
            "projects/PROJECT/locations/LOCATION/publishers/google/models/MODEL."
        )
    return Vertex(project=project, location=location)


__all__ = ["DeveloperAPI", "Service", "Vertex", "is_googles", "vertex_for"]
