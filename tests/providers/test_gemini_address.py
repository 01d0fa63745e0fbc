import pytest

from crossfade.errors import SettingsError
from crossfade.providers.gemini_address import DeveloperAPI, Vertex, vertex_for
from crossfade.providers.gemini_live import GeminiLiveProtocol

SERVICE = "google.ai.generativelanguage"


@pytest.mark.parametrize("version", ["v1", "v1beta", "v1alpha"])
def test_the_version_is_in_the_path_and_the_key_is_not(version: str) -> None:
    api = DeveloperAPI(version=version)
    request = GeminiLiveProtocol("m", service=api).connect_request(None, "AIzaKey")
    assert request.url == (
        "wss://generativelanguage.googleapis.com/ws/"
        f"{SERVICE}.{version}.GenerativeService.BidiGenerateContent"
    )
    assert request.headers == {"x-goog-api-key": "AIzaKey"}
    assert "AIzaKey" not in repr(request)


def test_an_ephemeral_token_goes_to_the_constrained_method() -> None:
    request = GeminiLiveProtocol("m").connect_request(None, "auth_tokens/abc")
    assert request.url.endswith("v1alpha.GenerativeService.BidiGenerateContentConstrained")
    assert request.headers == {"Authorization": "Token auth_tokens/abc"}


def test_a_base_url_is_the_whole_endpoint() -> None:
    request = GeminiLiveProtocol("m").connect_request("ws://127.0.0.1:1/x?y=z", "k")
    assert request.ping_timeout_s >= 60.0, "pongs take up to half a minute"
    assert request.url == "ws://127.0.0.1:1/x?y=z"


@pytest.mark.parametrize(
    ("model", "path"), [("m", "models/m"), ("models/m", "models/m"), ("tuned/m", "tuned/m")]
)
def test_a_model_has_a_path(model: str, path: str) -> None:
    assert DeveloperAPI().model_path(model) == path


def test_a_model_of_vertex_has_a_whole_path() -> None:
    vertex = Vertex(project="p", location="global")
    path = "projects/p/locations/global/publishers/google/models/m"
    assert vertex.model_path("m") == vertex.model_path("models/m") == path
    assert vertex.model_path(path) == path
    assert vertex.url("").startswith("wss://aiplatform.googleapis.com/")


def test_the_project_is_in_the_path_or_the_environment() -> None:
    environment = {"GOOGLE_CLOUD_PROJECT": "p", "GOOGLE_CLOUD_LOCATION": "l"}
    assert vertex_for("m", environment) == Vertex(project="p", location="l")
    path = "projects/q/locations/k/publishers/google/models/m"
    assert vertex_for(path, environment) == Vertex(project="q", location="k")
    with pytest.raises(SettingsError, match="GOOGLE_CLOUD_LOCATION"):
        vertex_for("m", {"GOOGLE_CLOUD_PROJECT": "p"})
