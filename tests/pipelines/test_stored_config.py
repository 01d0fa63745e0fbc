"""What of a configuration is kept: all but what has the form of a secret."""

import json

import pytest

from crossfade.pipelines.stored_config import config_of, stored_config
from crossfade.providers import SessionConfig, ToolDeclaration

KEPT = (
    "Ask for the password, and tell nobody the secret or the token.",
    "The door opens at 18:30; the price is max_tokens: 500.",
    "See https://example.com:8080/a@b and postgresql://reader@db/calls.",
    "Say 'tokens: none' if there is none.",
)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Use sk-abcdefghijklmnop for it.", "Use [removed] for it."),
        ("Keys:\nsk-abcdefghijklmnop\tgsk_abcdefghijklmnop", "Keys:\n[removed]\t[removed]"),
        (
            "Ask wss://host/x?n=1&api-key=hunter2&m=2.",
            "Ask wss://host/x?n=1&api-key=[removed]&m=2.",
        ),
        ("password=hunter2.", "password=[removed]"),
        ("DB_PASSWORD = hunter2, and go on", "DB_PASSWORD = [removed], and go on"),
        ('{"secret": "two words"}', '{"secret": [removed]}'),
        ("Token: hunter2; then hang up", "Token: [removed]; then hang up"),
        ("secret:'hunter 2'", "secret:[removed]"),
        (
            "Read postgres://u:hunter2@db/calls, and https://me:p%40ss@host.",
            "Read postgres://u:[removed]@db/calls, and https://me:[removed]@host.",
        ),
        *((text, text) for text in KEPT),
    ],
)
def test_what_has_the_form_of_a_secret_is_taken_out_of_texts(text: str, kept: str) -> None:
    record = stored_config(SessionConfig(instructions=text))
    assert record["instructions"] == kept
    assert config_of(record).instructions == kept


def test_descriptions_of_tools_are_texts_and_names_of_parameters_are_not() -> None:
    schema = {"type": "object", "properties": {"token": {"type": "string"}}}
    tool = ToolDeclaration(name="log_in", description="password=hunter2", parameters=schema)
    record = stored_config(SessionConfig(tools=[tool]))
    assert "hunter2" not in json.dumps(record)
    assert record["tools"][0]["parameters"] == schema
