"""What listens to the wire never sees the session's key."""

import pytest

from crossfade.providers import connect
from crossfade.providers.tap import KeylessTap, WireDirection
from tests.clock import run
from tests.providers.loopback import Peer, loopback
from tests.providers.openai_messages import error

HEX = "0123456789abcdef" * 2


class Tap:
    def __init__(self) -> None:
        self.seen: list[str | bytes] = []

    def message(self, direction: WireDirection, message: str | bytes) -> None:
        self.seen.append(message)


@pytest.mark.parametrize(
    ("key", "told"),
    [
        (HEX, f"key {HEX} is no good"),
        ("a/key+with=signs", "url?key=a%2Fkey%2Bwith%3Dsigns"),
        ("a/key+with=signs", r'{"m":"a\/key+with=signs"}'),
        ('say "key" twice', r'{"m":"say \"key\" twice"}'),
        ("schlüssel", r'{"m":"schl\u00fcssel, schlüssel"}'),
    ],
)
@pytest.mark.parametrize("binary", [False, True])
def test_a_key_is_blanked_however_it_is_spelled(key: str, told: str, binary: bool) -> None:
    tap = Tap()
    KeylessTap(tap, key).message(WireDirection.RECEIVED, told.encode() if binary else told)
    (seen,) = tap.seen
    text = seen.decode() if isinstance(seen, bytes) else seen
    assert "[key]" in text
    for part in (HEX, "with", "twice", "schl"):
        assert part not in text.replace('" twice"', "")


def test_other_messages_pass_as_they_are() -> None:
    tap = Tap()
    message = b"\x01\xff"
    KeylessTap(tap, HEX).message(WireDirection.SENT, message)
    assert tap.seen[0] is message


def test_a_provider_that_quotes_the_key_does_not_show_it_to_the_tap() -> None:
    tap = Tap()

    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.send(error("invalid_value", f"What is {HEX}?"))
        await peer.until_closed()

    async def main() -> None:
        async with (
            loopback(script) as url,
            connect("openai:", base_url=url, api_key=HEX, tap=tap) as session,
        ):
            await anext(session)
            await anext(session)

    run(main())
    assert any(b"What is [key]?" in seen for seen in tap.seen if isinstance(seen, bytes))
    assert HEX not in str(tap.seen)
