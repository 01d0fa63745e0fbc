"""What a service of a cascade says when it fails, told such that one knows whose fault it is."""

import copy
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from urllib.parse import urlsplit

from pipecat.processors.frame_processor import FrameProcessor
from pipecat.services.ai_service import AIService
from pipecat.services.llm_service import LLMService
from pipecat.services.stt_service import STTService
from pipecat.services.tts_service import TTSService
from pipecat.utils.errors import ErrorCategory

from crossfade.errors import CrossfadeError
from crossfade.frames.control import ErrorFrame
from crossfade.frames.usage import service_provider

_ROLES: Mapping[type[AIService], str] = {
    STTService: "recogniser",
    LLMService: "text model",
    TTSService: "synthesiser",
}
_ADVICE: Mapping[ErrorCategory, str] = {
    ErrorCategory.AUTHENTICATION: "check its key",
    ErrorCategory.AUTHORIZATION: "check what its key is good for",
    ErrorCategory.INVALID_REQUEST: "check its address and the names of its model and voice",
    ErrorCategory.RATE_LIMIT: "make fewer requests, or ask it for a higher limit",
    ErrorCategory.QUOTA: "see to its account",
    ErrorCategory.CONNECTIVITY: "see that it runs, and that its address is right",
    ErrorCategory.SERVER: "the fault is on its side: try later, or take another service",
}
_NO_ADVICE = "the log has more; if it goes on, take another service"


def told(service: FrameProcessor, frame: ErrorFrame) -> ErrorFrame:
    """The same error with the service's name, model and host, its cause, and what to do.

    What an application's own code did wrong, and what is said by Crossfade, stays as it is. No
    credentials get in: of an address only host and port are shown.
    """
    category, error = frame.category, frame.exception
    if category is ErrorCategory.APPLICATION or isinstance(error, CrossfadeError):
        return frame
    causes = list(_causes(error))
    if any(isinstance(each, ConnectionError | TimeoutError) for each in causes):
        category = ErrorCategory.CONNECTIVITY
    what = frame.error.rstrip(". ")
    if cause := _of_system(causes):
        what += f" ({cause})"
    advice = _ADVICE.get(category or ErrorCategory.UNKNOWN, _NO_ADVICE)
    better = copy.copy(frame)
    better.error = f"The {_named(service)}{_place(causes)} failed: {what}; {advice}."
    return better


def _named(service: FrameProcessor) -> str:
    role = next((name for kind, name in _ROLES.items() if isinstance(service, kind)), "service")
    settings = service.settings if isinstance(service, AIService) else None
    model = getattr(settings, "model", None)
    words = [role, service_provider(service.name)]
    if isinstance(model, str) and model and model not in words:
        words.append(model)
    return " ".join(words)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An exception and what it came from, the innermost last."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _of_system(causes: list[BaseException]) -> str:
    """The system's own words for the innermost cause that it knows."""
    known = [(each.errno, each.strerror) for each in causes if isinstance(each, OSError)]
    number, text = next((each for each in reversed(known) if each[0]), (None, ""))
    # A name that cannot be resolved has numbers of its own, below zero, and often words.
    return os.strerror(number) if number is not None and number > 0 else text or ""


def _place(causes: list[BaseException]) -> str:
    """Host and port that were asked, where an exception of its client tells them."""
    for each in causes:
        url = None
        # A client of HTTP raises where an error has no request.
        with suppress(RuntimeError):
            url = getattr(getattr(each, "request", None), "url", None)
        if url is not None and (parts := urlsplit(str(url))).hostname:
            host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
            return f" at {host}" if parts.port is None else f" at {host}:{parts.port}"
    return ""


__all__ = ["told"]
