"""The errors of the OpenAI Realtime wire, as the service words them.

Shape: https://platform.openai.com/docs/api-reference/realtime-server-events/error
"""

from typing import Any


class RequestRefused(Exception):
    """A client event that the service answers with an `error` event; the session goes on.

    Args:
        message: The service's words.
        code: Its machine-readable code, if it has one.
        param: Path of the parameter at fault.
    """

    def __init__(self, message: str, *, code: str | None, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.param = param


class SessionRefused(RequestRefused):
    """An error after which the service closes the connection.

    Args:
        message: The service's words.
        code: Its machine-readable code, if it has one.
        close_code: WebSocket close code.
        close_reason: WebSocket close reason; by default `<type>.<code>`, or `<type>` alone.
    """

    def __init__(
        self, message: str, *, code: str | None, close_code: int, close_reason: str | None = None
    ) -> None:
        super().__init__(message, code=code)
        self.close_code = close_code
        type = "invalid_request_error"
        self.close_reason = close_reason or (type if code is None else f"{type}.{code}")


def error_event(
    message: str,
    *,
    type: str = "invalid_request_error",
    code: str | None = None,
    param: str | None = None,
    event_id: str | None = None,
) -> dict[str, Any]:
    """An `error` event. `event_id` is the id of the client event at fault, where it had one."""
    detail = {"type": type, "code": code, "message": message, "param": param, "event_id": event_id}
    return {"type": "error", "error": detail}


def unknown_parameter(path: str) -> RequestRefused:
    return RequestRefused(f"Unknown parameter: '{path}'.", code="unknown_parameter", param=path)


def missing_parameter(path: str) -> RequestRefused:
    return RequestRefused(
        f"Missing required parameter: '{path}'.", code="missing_required_parameter", param=path
    )


def invalid_value(path: str, value: object, supported: list[str]) -> RequestRefused:
    quoted = [f"'{name}'" for name in supported]
    listed = f"{', '.join(quoted[:-1])}, and {quoted[-1]}" if len(quoted) > 1 else quoted[0]
    return RequestRefused(
        f"Invalid value: '{value}'. Supported values are: {listed}.",
        code="invalid_value",
        param=path,
    )


def invalid_type(path: str, expected: str, value: object) -> RequestRefused:
    return RequestRefused(
        f"Invalid type for '{path}': expected {expected}, but got {_json_type(value)} instead.",
        code="invalid_type",
        param=path,
    )


def _json_type(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int():
            return "an integer"
        case float():
            return "a decimal"
        case str():
            return "a string"
        case list():
            return "an array"
        case _:
            return "an object"
