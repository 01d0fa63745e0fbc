"""Entries of a ledger, of any kind and content, for hypothesis."""

from hypothesis import strategies as st

from crossfade.conversation.heard import WordTiming
from crossfade.conversation.tools import ToolCall, ToolResult
from crossfade.conversation.turns import (
    AgentItem,
    AgentTurn,
    Entry,
    Summary,
    ToolRound,
    UserImage,
    UserTurn,
)
from crossfade.conversation.usage import Usage

texts = st.text(max_size=20)
seconds = st.floats(0, 1e6)
milliseconds = st.floats(0, 1e7)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
usages = st.builds(Usage, input_text_tokens=st.integers(0, 99), output_audio_tokens=st.integers(0))
timings = st.builds(WordTiming, end_character=st.integers(0, 99), end_ms=milliseconds)
items = st.builds(
    AgentItem,
    item_id=texts,
    text=texts,
    spoken=st.booleans(),
    played_ms=st.none() | milliseconds,
    received_ms=milliseconds,
    interrupted=st.booleans(),
    timings=st.lists(timings, max_size=2).map(tuple),
)
tool_calls = st.builds(
    ToolCall,
    id=texts,
    name=texts,
    arguments=st.dictionaries(texts, json_values, max_size=3),
    response_id=texts,
    unparsed=st.none() | texts,
)
tool_results = st.builds(ToolResult, call_id=texts, output=json_values, is_error=st.booleans())
entries: st.SearchStrategy[Entry] = st.one_of(
    st.builds(
        UserTurn,
        started_at_s=seconds,
        stopped_at_s=st.none() | seconds,
        item_id=st.none() | texts,
        text=texts,
        final=st.booleans(),
        committed=st.booleans(),
        typed=st.booleans(),
    ),
    st.builds(
        UserImage,
        image_id=texts,
        shown_at_s=seconds,
        media_type=st.sampled_from(["image/jpeg", "image/png"]),
        sha256=texts,
        size_bytes=st.integers(0),
    ),
    st.builds(
        AgentTurn,
        response_id=texts,
        started_at_s=seconds,
        injected=st.booleans(),
        items=st.lists(items, max_size=2).map(tuple),
        status=st.none() | texts,
        usage=st.none() | usages,
        continues=st.none() | texts,
    ),
    st.builds(
        ToolRound,
        call=tool_calls,
        called_at_s=seconds,
        result=st.none() | tool_results,
        answered_at_s=st.none() | seconds,
    ),
    st.builds(Summary, text=texts, upto=st.integers(0), made_at_s=seconds),
)
