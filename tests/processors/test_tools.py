"""Declaring tools, checking arguments, running handlers."""

import asyncio
import dataclasses
import functools
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import date
from typing import Annotated, Any, Literal, get_type_hints

import pytest
from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    Secret,
    SecretStr,
    field_validator,
    model_validator,
)

from crossfade.conversation.tools import ToolCall
from crossfade.errors import SettingsError
from crossfade.processors.tool_policy import PHRASES, PolicyFields
from crossfade.processors.tool_schema import arguments_model
from crossfade.processors.tools import (
    OnInterruption,
    Tool,
    ToolArgumentsError,
    ToolPolicy,
    model_tool,
    schema_tool,
    tool,
)
from tests.clock import run


@tool(acknowledge=None, timeout_ms=500)
async def book(city: str, day: date, seats: Literal[1, 2] = 1) -> dict[str, Any]:
    """Book seats."""
    return {"city": city, "day": day, "seats": seats}


def test_the_signature_becomes_the_schema_and_the_docstring_the_description() -> None:
    assert book.name == "book"
    assert book.declaration.description == "Book seats."
    assert book.declaration.parameters == {
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "day": {"type": "string", "format": "date"},
            "seats": {"enum": [1, 2], "type": "integer", "default": 1},
        },
        "required": ["city", "day"],
        "additionalProperties": False,
    }


def test_a_docstring_describes_each_argument_and_an_annotation_does_as_well() -> None:
    @tool
    def weather(city: str, day: Annotated[str, Field(description="As a date.")] = "today") -> str:
        """Tell the weather.

        Only in Europe.

        Args:
            city: Its English name.
        """
        return ""

    assert weather.declaration.description == "Tell the weather.\n\nOnly in Europe."
    properties = weather.declaration.parameters["properties"]
    assert properties["city"]["description"] == "Its English name."
    assert properties["day"]["description"] == "As a date."
    assert weather.declaration.parameters["required"] == ["city"]


def test_arguments_are_converted_and_the_result_is_plain_json() -> None:
    result = asyncio.run(book.run({"city": "Tokyo", "day": "2026-11-21"}))
    assert result == {"city": "Tokyo", "day": "2026-11-21", "seats": 1}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"city": "Tokyo"}, "day: Field required"),
        ({"city": "Tokyo", "day": "soon"}, "day: Input should be a valid date"),
        ({"city": "Tokyo", "day": "2026-11-21", "vip": True}, "vip: Extra inputs"),
        ({"city": "Tokyo", "day": "2026-11-21", "seats": 3}, "seats: Input should be 1 or 2"),
    ],
)
def test_what_is_wrong_with_arguments_is_told_in_words(
    arguments: dict[str, Any], told: str
) -> None:
    with pytest.raises(ToolArgumentsError, match=told):
        asyncio.run(book.run(arguments))


def test_a_plain_function_runs_in_a_thread_of_its_own() -> None:
    @tool
    def where() -> str:
        """Say where it runs."""
        return threading.current_thread().name

    assert run(where.run({})) == "tool"


def test_an_async_generator_gives_parts_and_its_last_value_is_the_result() -> None:
    @tool
    async def count(up_to: int) -> AsyncIterator[int]:
        """Count."""
        for number in range(up_to):
            yield number

    async def main() -> None:
        parts: list[Any] = []
        assert await count.run({"up_to": 3}, parts.append) == 2
        assert parts == [0, 1, 2]
        assert await count.run({"up_to": 0}) is None

    run(main())


class Order(BaseModel):
    """Order something."""

    what: str = Field(min_length=1)
    many: int = 1


def test_a_pydantic_model_is_a_tool_with_its_handler() -> None:
    async def order(wanted: Order) -> str:
        return f"{wanted.many} {wanted.what}"

    made = model_tool(Order, order, retries=2, idempotent=True)
    assert (made.name, made.declaration.description) == ("order", "Order something.")
    assert "description" not in made.declaration.parameters
    assert made.policy.retries == 2
    assert run(made.run({"what": "tea"})) == "1 tea"
    with pytest.raises(ToolArgumentsError, match="what: String should have at least 1"):
        made.check({"what": ""})


SCHEMA = {
    "type": "object",
    "properties": {
        "from-city": {"type": "string"},
        "kind": {"enum": ["a", "b"]},
        "size": {"type": ["integer", "null"], "minimum": 1},
        "stops": {"type": "array", "items": {"$ref": "#/$defs/stop"}},
    },
    "required": ["from-city"],
    "additionalProperties": False,
    "$defs": {"stop": {"type": "object", "properties": {"at": {"type": "number"}}}},
}


def test_a_json_schema_is_a_tool_with_its_handler() -> None:
    made = schema_tool("go", lambda arguments: arguments, description="Go.", parameters=SCHEMA)
    assert made.declaration.parameters == SCHEMA
    arguments = {"from-city": "Rome", "size": None, "stops": [{"at": 1}]}
    assert run(made.run(arguments)) == arguments


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({}, "from-city: Field required"),
        ({"from-city": 5}, "from-city: Input should be a valid string"),
        ({"from-city": "", "kind": "c"}, "kind: Input should be 'a' or 'b'"),
        ({"from-city": "", "size": 0}, "size.*greater than or equal to 1"),
        ({"from-city": "", "size": "2"}, "size.*valid integer"),
        ({"from-city": "", "stops": [{"at": "noon"}]}, r"stops.0.*at: Input should be a valid num"),
        ({"from-city": "", "way": 1}, "way: Extra inputs"),
    ],
)
def test_arguments_are_checked_by_a_json_schema(arguments: dict[str, Any], told: str) -> None:
    made = schema_tool("go", lambda arguments: arguments, description="Go.", parameters=SCHEMA)
    with pytest.raises(ToolArgumentsError, match=told):
        made.check(arguments)


def test_a_long_result_is_cut_where_it_says() -> None:
    @tool(max_result_characters=10)
    async def long() -> list[int]:
        """Be long."""
        return list(range(100))

    result = run(long.run({}))
    assert result.startswith("[0,1,2,3,4 [cut: these are the first 10 of 291 characters")


def test_a_result_that_json_cannot_say_is_a_failure() -> None:
    @tool
    async def odd() -> object:
        """Be odd."""
        return object()

    with pytest.raises(Exception, match="Unable to serialize"):
        run(odd.run({}))


def test_secret_arguments_are_known_by_their_type_or_by_name() -> None:
    @tool(secrets=frozenset({"account"}))
    async def pay(pin: SecretStr, account: str, amount: int, old: SecretStr | None = None) -> str:
        """Pay."""
        return pin.get_secret_value()

    assert pay.declaration.secrets == {"pin", "account", "old"}
    assert run(pay.run({"pin": "1234", "account": "7", "amount": 5})) == "1234"
    call = ToolCall(id="c", name="pay", arguments={"pin": "1234", "account": "7", "amount": 5})
    shown = pay.declaration.shown(call)
    assert shown.arguments == {"pin": "[secret]", "account": "[secret]", "amount": 5}


def test_what_is_wrong_with_a_secret_does_not_quote_it() -> None:
    class Pin(BaseModel):
        """Check."""

        pin: str

        @field_validator("pin")
        @classmethod
        def _long(cls, pin: str) -> str:
            raise ValueError(f"{pin} is too short")

    made = model_tool(Pin, lambda pin: None, name="check", secrets=frozenset({"pin"}))
    with pytest.raises(ToolArgumentsError, match="pin: is missing or not valid") as raised:
        made.check({"pin": "1234"})
    assert "1234" not in str(raised.value)


def test_a_function_that_cannot_be_a_tool_is_refused_by_name() -> None:
    async def silent(city: str) -> None: ...

    async def untyped(city) -> None:  # type: ignore[no-untyped-def]
        """Do."""

    async def anything(*cities: str) -> None:
        """Do."""

    def parts() -> Iterator[int]:
        """Do."""
        yield 1

    with pytest.raises(SettingsError, match="silent needs a docstring"):
        tool(silent)
    with pytest.raises(SettingsError, match="untyped needs a type for its parameter city"):
        tool(untyped)
    with pytest.raises(SettingsError, match="anything takes \\*cities"):
        tool(anything)
    with pytest.raises(SettingsError, match="parts is a generator; write `async def`"):
        tool(parts)
    with pytest.raises(SettingsError, match="schema of an object"):
        schema_tool("go", print, description="Go.", parameters={"type": "string"})


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        ({"retries": 1}, "idempotent"),
        ({"timeout_ms": 0}, "must be positive"),
        ({"timeout_ms": 5000, "deadline_ms": 1000}, "before the timeout"),
    ],
)
def test_a_policy_that_contradicts_itself_is_refused(policy: Any, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        ToolPolicy(**policy)


def test_every_field_of_a_policy_can_be_given_as_a_keyword() -> None:
    assert get_type_hints(PolicyFields) == get_type_hints(ToolPolicy)
    base = ToolPolicy(on_interruption=OnInterruption.CANCEL)

    @tool(policy=base, timeout_ms=9)
    async def quick() -> None:
        """Be quick."""

    assert isinstance(quick, Tool)
    assert quick.policy.on_interruption is OnInterruption.CANCEL
    assert quick.policy.timeout_ms == 9


class Login(BaseModel):
    user: str
    pin: SecretStr


@dataclasses.dataclass
class Badge:
    number: Secret[int]


class Alias(BaseModel):
    """Unlock."""

    model_config = ConfigDict(populate_by_name=True)
    pin: SecretStr = Field(alias="PIN")


class Choice(BaseModel):
    """Unlock."""

    pin: SecretStr = Field(validation_alias=AliasChoices("PIN", "Pin"))


def takes(kind: Any) -> Tool:
    def unlock(door: str, pin: Any) -> None:
        """Unlock a door."""

    unlock.__annotations__["pin"] = kind
    return tool(unlock)


@pytest.mark.parametrize(
    ("unlock", "given"),
    [
        (takes(Secret[int]), {"pin": 4711}),
        (takes(Login), {"pin": {"user": "u", "pin": "4711"}}),
        (takes(list[Login] | None), {"pin": [{"user": "u", "pin": "4711"}]}),
        (takes(dict[str, Badge]), {"pin": {"a": {"number": 4711}}}),
        (model_tool(Alias, print), {"PIN": "4711"}),
        (model_tool(Alias, print), {"pin": "4711"}),
        (model_tool(Choice, print), {"Pin": "4711"}),
        (model_tool(Choice, print), {"PIN": "4711"}),
    ],
)
def test_an_argument_that_holds_a_secret_is_secret_under_all_its_names(
    unlock: Tool, given: dict[str, Any]
) -> None:
    call = ToolCall(id="c", name="unlock", arguments={"door": "front", **given})
    shown = unlock.declaration.shown(call).arguments
    # What is not declared may be a secret by a wrong name.
    door = "front" if "door" in unlock.declaration.parameters["properties"] else "[secret]"
    assert shown == {"door": door, **dict.fromkeys(given, "[secret]")}
    assert unlock.name in ("unlock", "print")


@pytest.mark.parametrize("name", ["pim", "PIN"])
def test_a_secret_that_is_no_argument_is_refused(name: str) -> None:
    schema = {"properties": {"pin": {"type": "string"}}}
    with pytest.raises(SettingsError, match=f"no argument {name} to keep secret; it has pin"):
        schema_tool("s", print, description="S.", parameters=schema, secrets=frozenset({name}))


def test_a_check_of_the_whole_does_not_quote_a_secret() -> None:
    class Unlock(BaseModel):
        """Unlock."""

        pin: SecretStr

        @model_validator(mode="after")
        def check(self) -> "Unlock":
            raise ValueError(f"{self.pin.get_secret_value()} is wrong")

    with pytest.raises(ToolArgumentsError) as told:
        model_tool(Unlock, print).check({"pin": "4711"})
    assert "4711" not in str(told.value)


def test_of_many_wrong_arguments_the_first_are_told() -> None:
    @tool
    def add(numbers: list[int]) -> int:
        """Add."""
        return sum(numbers)

    with pytest.raises(ToolArgumentsError, match="and 19992 more") as told:
        add.check({"numbers": ["x"] * 20_000})
    assert len(str(told.value)) < 2000


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("a\ud800b", "a\ufffdb"),
        ({"x\udfff": ["\ud83d\ude00", "\ud83d"]}, {"x\ufffd": ["\U0001f600", "\ufffd"]}),
        ("whole \U0001f600", "whole \U0001f600"),
        ({(1, 2): ("x", 3)}, {"1,2": ["x", 3]}),
    ],
)
def test_half_a_character_is_replaced_in_a_result(given: Any, told: Any) -> None:
    @tool
    async def look() -> Any:
        """Look."""
        return given

    assert run(look.run({})) == told


def test_a_number_that_no_wire_takes_is_a_failure() -> None:
    @tool
    async def look() -> int:
        """Look."""
        return 2**70

    with pytest.raises(TypeError):
        run(look.run({}))


def plainly(function: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a function of any kind in a plain one."""

    @functools.wraps(function)
    def wrapper(*args: Any, **named: Any) -> Any:
        return function(*args, **named)

    return wrapper


def test_a_plain_wrapper_of_an_async_function_is_awaited() -> None:
    @tool
    @plainly
    async def look() -> str:
        """Look."""
        await asyncio.sleep(0)
        return "seen"

    @tool
    @plainly
    async def count() -> AsyncIterator[int]:
        """Count."""
        yield 1
        yield 2

    parts: list[Any] = []
    assert run(look.run({})) == "seen"
    assert run(count.run({}, parts.append)) == 2
    assert parts == [1, 2]


def test_a_type_that_refers_to_itself_in_many_places_is_read_in_no_time() -> None:
    node = {"type": "object", "properties": {f"c{i}": {"$ref": "#/$defs/N"} for i in range(5)}}
    root = {"properties": {"root": {"$ref": "#/$defs/N"}}, "$defs": {"N": node}}
    model = arguments_model("t", root)
    model.model_validate({"root": {"c0": {"c1": {}}}})
    with pytest.raises(ValueError, match="c1"):
        model.model_validate({"root": {"c0": {"c1": 5}}})


def test_a_single_phrase_is_followed_by_others_and_several_are_all_there_is() -> None:
    assert ToolPolicy(acknowledge="Wait.").phrases == ("Wait.", *PHRASES[1:])
    assert ToolPolicy(acknowledge=PHRASES[1]).phrases == PHRASES[1:]
    assert ToolPolicy(acknowledge=("Wait.",)).phrases == ("Wait.",)
    assert ToolPolicy(acknowledge=None).phrases == ()
