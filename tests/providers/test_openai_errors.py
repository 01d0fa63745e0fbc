"""What a code means: go on, try anew, or give up."""

import pytest

from crossfade.errors import CredentialsRefused, ProviderFault
from crossfade.providers.events import ProviderError, Severity
from crossfade.providers.openai_dialects import find_dialect
from crossfade.providers.openai_errors import as_fault, classify, classify_close


@pytest.mark.parametrize(
    ("code", "severity"),
    [
        ("invalid_api_key", Severity.FATAL),
        ("insufficient_quota", Severity.FATAL),
        ("account_deactivated", Severity.FATAL),
        ("billing_hard_limit_reached", Severity.FATAL),
        ("invalid_model", Severity.FATAL),
        ("model_not_found", Severity.FATAL),
        ("missing_model", Severity.FATAL),
        ("beta_api_shape_disabled", Severity.FATAL),
        ("session_expired", Severity.RETRY),
        ("response_cancel_not_active", Severity.HARMLESS),
        ("conversation_already_has_active_response", Severity.HARMLESS),
        ("input_audio_buffer_commit_empty", Severity.HARMLESS),
        ("item_truncate_invalid_item_id", Severity.HARMLESS),
        ("item_delete_invalid_item_id", Severity.HARMLESS),
        ("item_already_truncated", Severity.HARMLESS),
        ("invalid_value", Severity.REQUEST),
        ("brand_new", Severity.REQUEST),
        (None, Severity.REQUEST),
    ],
)
def test_codes(code: str | None, severity: Severity) -> None:
    assert classify({"code": code, "message": "Text."}) == ProviderError(
        message="Text.", severity=severity, code=code
    )


@pytest.mark.parametrize(
    "message",
    [
        "Audio content of 3700ms is already shorter than 3760ms",
        "Only model output audio messages can be truncated",
        "Cancellation failed: no active response found",
        "There is no active response to cancel.",
        "This conversation already has an active response.",
    ],
)
def test_races_without_a_code_are_known_by_their_words(message: str) -> None:
    assert classify({"message": message}).severity is Severity.HARMLESS


def test_an_error_without_anything_is_one_too() -> None:
    assert classify({"code": 7, "message": None}) == ProviderError(
        message="no reason given", severity=Severity.REQUEST
    )


@pytest.mark.parametrize("key", ["sk-proj-abc123", "sk-ab***yz", "ek_0123"])
def test_keys_that_a_message_quotes_are_left_out(key: str) -> None:
    error = classify({"code": "invalid_api_key", "message": f"Incorrect API key provided: {key}."})
    assert error.message.startswith("Incorrect API key provided: [key]")
    assert key not in error.message


def test_a_refused_key_names_where_it_came_from() -> None:
    error = ProviderError(message="no", severity=Severity.FATAL, code="invalid_api_key")
    fault = as_fault(error, "m", find_dialect(None))
    assert isinstance(fault, CredentialsRefused)
    assert "OPENAI_API_KEY" in str(fault)
    assert fault.code == "invalid_api_key"


def test_a_refused_model_is_named_beside_those_that_are_known() -> None:
    error = ProviderError(message="no", severity=Severity.FATAL, code="invalid_model")
    fault = as_fault(error, "gpt-9", find_dialect(None))
    assert not isinstance(fault, CredentialsRefused)
    assert '"gpt-9"' in str(fault)
    assert "gpt-realtime-2.1-mini" in str(fault)


def test_other_faults_tell_the_providers_words() -> None:
    error = ProviderError(message="No money.", severity=Severity.FATAL, code="insufficient_quota")
    fault = as_fault(error, "m", find_dialect(None))
    assert type(fault) is ProviderFault
    assert str(fault) == "OpenAI refused the session: No money. (insufficient_quota)"


@pytest.mark.parametrize("close_code", [3000, 4000, 4004])
def test_close_codes_that_refuse(close_code: int) -> None:
    error = classify_close(close_code)
    assert error is not None
    assert error.severity is Severity.FATAL


@pytest.mark.parametrize("close_code", [1000, 1001, 1006, 1011, 1012, 1013])
def test_close_codes_that_only_end_the_line(close_code: int) -> None:
    assert classify_close(close_code) is None


def test_a_close_reason_is_more_exact_than_its_code() -> None:
    error = classify_close(4000, "invalid_request_error.beta_api_shape_disabled")
    assert error is not None
    assert (error.code, error.severity) == ("beta_api_shape_disabled", Severity.FATAL)
    assert classify_close(1001, "Your session hit the maximum duration of 60 minutes.") is None


@pytest.mark.parametrize(
    "message",
    [
        "Audio content of 3700ms is already shorter than 3760ms",
        "Only model output audio messages can be truncated",
        "Cancellation failed: no active response found",
    ],
)
def test_races_are_known_by_their_message_too(message: str) -> None:
    assert classify({"code": None, "message": message}).severity is Severity.HARMLESS


def test_a_fault_names_its_maker() -> None:
    error = ProviderError(message="no", severity=Severity.FATAL, code="invalid_api_key")
    fault = as_fault(error, "m", find_dialect("azure-voice-live"))
    assert "AZURE_VOICELIVE_API_KEY or AZURE_OPENAI_API_KEY" in str(fault)
    assert "xAI" in str(as_fault(error, "m", find_dialect("xai")))
