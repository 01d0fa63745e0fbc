"""A request to a company's REST API, which takes its credentials nowhere else."""

from http.client import HTTPException
from typing import Any
from urllib.request import HTTPRedirectHandler, Request, build_opener

LARGEST_ANSWER_BYTES = 1024 * 1024


class _NoRedirects(HTTPRedirectHandler):
    """A redirect would take the credentials along, and make a question of an order."""

    def redirect_request(self, *_: Any) -> None:
        return None


def send(request: Request, timeout_s: float) -> bytes:
    """Send it, and wait in this thread for the answer's body; what is beyond a megabyte is cut off.

    Raises:
        HTTPError: It is refused, or sent elsewhere.
        OSError: There is no answer in time, or none of HTTP.
    """
    try:
        with build_opener(_NoRedirects).open(request, timeout=timeout_s) as answer:
            body: bytes = answer.read(LARGEST_ANSWER_BYTES)
            return body
    except HTTPException as error:
        raise OSError(f"no answer of HTTP: {type(error).__name__}") from error


__all__ = ["LARGEST_ANSWER_BYTES", "send"]
