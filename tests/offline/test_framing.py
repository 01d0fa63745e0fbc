import asyncio
import io

from hypothesis import given
from hypothesis import strategies as st

from crossfade.offline.framing import Message, pack, read, receive

messages = st.builds(
    Message,
    st.dictionaries(st.text(), st.integers() | st.text() | st.lists(st.booleans())),
    st.binary(),
)


async def receive_all(content: bytes) -> list[Message]:
    pipe = asyncio.StreamReader()
    pipe.feed_data(content)
    pipe.feed_eof()
    received = []
    while (message := await receive(pipe)) is not None:
        received.append(message)
    return received


def read_all(content: bytes) -> list[Message]:
    pipe = io.BytesIO(content)
    return list(iter(lambda: read(pipe), None))


@given(st.lists(messages))
def test_messages_arrive_as_they_were_packed(sent: list[Message]) -> None:
    content = b"".join(map(pack, sent))
    assert read_all(content) == sent
    assert asyncio.run(receive_all(content)) == sent


@given(messages, messages, st.data())
def test_a_pipe_that_ends_amid_a_message_has_ended(
    whole: Message, broken: Message, data: st.DataObject
) -> None:
    last = pack(broken)
    content = pack(whole) + last[: data.draw(st.integers(0, len(last) - 1))]
    assert read_all(content) == [whole]
    assert asyncio.run(receive_all(content)) == [whole]
