import socket
from types import SimpleNamespace

import pytest
from pipecat.services.openai.llm import OpenAILLMService
from pipecat.utils.errors import ErrorCategory

from crossfade.errors import ProviderFault
from crossfade.frames.control import ErrorFrame
from crossfade.processors.cascade_trouble import told


class Unreachable(Exception):
    """As clients of HTTP have it: it may hold its request, and raises where it holds none."""

    def __init__(self, url: str | None = None) -> None:
        super().__init__("no")
        self._url = url

    @property
    def request(self) -> SimpleNamespace:
        if self._url is None:
            raise RuntimeError("there is no request")
        return SimpleNamespace(url=self._url)


def service() -> OpenAILLMService:
    return OpenAILLMService(api_key="k", settings=OpenAILLMService.Settings(model="m1"))


def text(error: str, **more: object) -> str:
    return told(service(), ErrorFrame(error=error, **more)).error  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("category", "advice"),
    [
        (ErrorCategory.AUTHENTICATION, "check its key."),
        (ErrorCategory.INVALID_REQUEST, "check its address and the names of its model and voice."),
        (ErrorCategory.UNKNOWN, "take another service."),
        (None, "take another service."),
    ],
)
def test_what_to_do_follows_from_the_kind_of_failure(
    category: ErrorCategory | None, advice: str
) -> None:
    said = text("It was refused.", category=category)
    assert said.startswith("The text model openai m1 failed: It was refused; ")
    assert said.endswith(advice)


def test_the_host_comes_from_the_request_and_the_cause_from_the_system() -> None:
    error = Unreachable("https://u:p@[::1]:81/x?key=1")
    error.__cause__ = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    said = text("no", exception=error)
    assert said.startswith("The text model openai m1 at [::1]:81 failed: no (Name or service")
    for secret in ("u:p", "key=1"):
        assert secret not in said


def test_an_error_without_a_request_and_one_that_names_itself_as_its_cause_are_told() -> None:
    error = Unreachable()
    error.__context__ = ConnectionResetError(104, "whatever")
    error.__context__.__context__ = error
    assert text("no", exception=error).endswith(
        "(Connection reset by peer); see that it runs, and that its address is right."
    )


def test_what_is_no_fault_of_the_service_or_said_already_stays_as_it_is() -> None:
    own = ErrorFrame(error="Your tool failed.", category=ErrorCategory.APPLICATION)
    ours = ErrorFrame(error="It stopped.", exception=ProviderFault("It stopped."))
    assert told(service(), own) is own
    assert told(service(), ours) is ours
