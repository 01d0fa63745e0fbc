"""Where a call that was run again went another way than the captured one. Pure."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

import orjson

from .capture_file import CapturedCall
from .divergence_values import CLOSE_MS, Names, differences, shown
from .frame_lanes import LANES

_LAG_COUNTS_S = 30.0
_NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Divergence:
    """One thing that happened otherwise."""

    what: str
    """Its name, such as `setting config.instructions` or `sound of item_1`."""
    at_s: float | None
    """When, in seconds since the call's start; None for what the call began with."""
    expected: str
    got: str


@dataclass(frozen=True, slots=True)
class _Step:
    """Something of a lane that can be compared."""

    t: float
    name: str
    body: Any
    lag_ms: float = 0.0
    """How far the playout had fallen behind by then."""


def compare(expected: CapturedCall, got: CapturedCall) -> list[Divergence]:
    """All divergences, those of the settings first, then by time.

    What runs beside each other is compared lane by lane: in each lane the order counts, and
    between lanes milliseconds decide. Not compared is what depends on the pace of network and
    machine alone; docs/capture.md lists it.
    """
    names = Names(_addresses(expected), _addresses(got))
    found = [
        *_lane("connection", _connections(expected), _connections(got), names),
        *_wires(expected, got, names),
        *_lane("our ear", _heard(expected), _heard(got), names),
        *_lane("tool", _tools(expected), _tools(got), names),
    ]
    for lane, types in LANES.items():
        found += _lane(lane, _frames(expected, types), _frames(got, types), names)
    found += _sounds(expected, got, names)
    known = [one for one in found if not _after_the_cut(one, expected)]
    return [*_settings(expected, got, names), *sorted(known, key=lambda one: one.at_s or 0.0)]


def _after_the_cut(one: Divergence, expected: CapturedCall) -> bool:
    """Whether it happened when a capture that was cut off had ended, or where its playout, which
    may have fallen behind, had not come to it: nobody knows what came."""
    if expected.end is not None or expected.complete:
        return False
    if one.expected != _NOTHING or one.at_s is None:
        return False
    lag_ms = _Lags(expected).at(expected.end_s) + CLOSE_MS
    return one.at_s >= expected.end_s - lag_ms / 1000


def _settings(expected: CapturedCall, got: CapturedCall, names: Names) -> Iterator[Divergence]:
    for path, theirs, ours in differences(expected.settings, got.settings, names):
        yield Divergence(what=f"setting {path}", at_s=None, expected=shown(theirs), got=shown(ours))


def _addresses(call: CapturedCall) -> frozenset[str]:
    return frozenset(str(record.fields["address"]) for record in call.of("dialled"))


class _Lags:
    """How far the playout of a call had fallen behind, at each moment."""

    def __init__(self, call: CapturedCall) -> None:
        records = list(call.of("lag"))
        self._at_s = [record.t for record in records]
        self._lag_ms = [float(record.fields["lag_ms"]) for record in records]

    def at(self, t: float) -> float:
        last = bisect_right(self._at_s, t)
        return self._lag_ms[last - 1] if last and t - self._at_s[last - 1] < _LAG_COUNTS_S else 0.0


def _lines(call: CapturedCall) -> dict[int, str]:
    """What each line is called: the services of a cascade by what they do. Those of a kind are
    counted for themselves, since what is made at the same time comes in any order."""
    counts: Counter[str] = Counter()
    names = {}
    for record in call.of("dialled"):
        kind = record.fields.get("service") or "connection"
        counts[kind] += 1
        unnamed = kind != "connection" and counts[kind] == 1
        names[record.fields["line"]] = kind if unnamed else f"{kind} {counts[kind]}"
    return names


def _connections(call: CapturedCall) -> list[_Step]:
    steps = []
    names = _lines(call)
    for record in call.of("dialled", "closed"):
        line = record.fields["line"]
        name = names.get(line, f"connection {line}")
        body = {} if record.kind == "dialled" else {"code": record.fields["code"]}
        if name.startswith("connection"):
            steps.append(_Step(record.t, f"{name} {record.kind}", body))
    return steps


def _tools(call: CapturedCall) -> list[_Step]:
    """The runs that were begun; what they gave is the capture's own."""
    return [
        _Step(record.t, f"run of the tool {record.fields['name']}", {})
        for record in call.of("tool")
        if record.fields["event"] == "began"
    ]


def _heard(call: CapturedCall) -> list[_Step]:
    """What was decided on the caller's speech, and where in the sound: the pace of the machine
    changes nothing of it."""
    return [
        _Step(record.t, record.fields["event"], {**record.fields, "event": None})
        for record in call.of("heard")
    ]


def _wires(expected: CapturedCall, got: CapturedCall, names: Names) -> Iterator[Divergence]:
    """What was sent to the provider, sound left out."""
    theirs, ours = _sent(expected), _sent(got)
    for name in dict.fromkeys([*theirs, *ours]):
        kind = name.partition(" ")[0]
        lane = f"{name}: message" if kind == "connection" else f"{name} is given"
        if name == "connection 1":
            lane = "message"
        yield from _lane(lane, theirs.get(name, []), ours.get(name, []), names, told=True)


def _sent(call: CapturedCall) -> dict[str, list[_Step]]:
    lines: dict[str, list[_Step]] = {}
    lags, names = _Lags(call), _lines(call)
    for record in call.of("message"):
        if record.fields["dir"] != "out":
            continue
        name, body = message_of(record.data)
        if name is not None:
            step = _Step(record.t, name, body, lag_ms=lags.at(record.t))
            line = record.fields["line"]
            lines.setdefault(names.get(line, f"connection {line}"), []).append(step)
    return lines


def message_of(data: str | bytes) -> tuple[str | None, Any]:
    """What a message of a client is called, and its content; None for sound."""
    if isinstance(data, bytes):
        # Moshi's first byte tells the kind.
        return (None, None) if data[:1] == b"\x01" else (f"binary {data[:1].hex()}", data.hex())
    try:
        body = orjson.loads(data)
    except orjson.JSONDecodeError:
        return "text", data
    if not isinstance(body, dict):
        return "text", body
    kind = body.pop("type", None)
    if isinstance(kind, str):
        return (None, None) if kind == "input_audio_buffer.append" else (kind, body)
    realtime = body.get("realtimeInput")
    if isinstance(realtime, dict) and "audio" in realtime:
        return None, None
    return "+".join(body) or "an empty object", body


def _frames(call: CapturedCall, types: frozenset[str]) -> list[_Step]:
    lags = _Lags(call)
    return [
        _Step(record.t, kind, record.fields["fields"], lags.at(record.t))
        for record in call.of("frame")
        if (kind := record.fields["type"]) in types
    ]


def _lane(
    lane: str, theirs: Sequence[_Step], ours: Sequence[_Step], names: Names, *, told: bool = False
) -> Iterator[Divergence]:
    """Compare two sequences: steps of the same name that stand for each other, and the rest."""
    matcher = SequenceMatcher(
        None, [step.name for step in theirs], [step.name for step in ours], autojunk=False
    )
    for tag, first, last, start, end in matcher.get_opcodes():
        if tag == "equal":
            for their, our in zip(theirs[first:last], ours[start:end], strict=True):
                yield from _pair(lane, their, our, names, told=told)
            continue
        for step in theirs[first:last]:
            yield _one(lane, step, shown(step.body) or "it", _NOTHING)
        for step in ours[start:end]:
            yield _one(lane, step, _NOTHING, shown(step.body) or "it")


def _one(lane: str, step: _Step, expected: str, got: str) -> Divergence:
    name = step.name if lane in ("connection", "tool") else f"{lane} {step.name}"
    return Divergence(what=name, at_s=step.t, expected=expected, got=got)


def _pair(lane: str, their: _Step, our: _Step, names: Names, *, told: bool) -> Iterator[Divergence]:
    close_ms = CLOSE_MS + their.lag_ms + our.lag_ms
    found = differences(their.body, our.body, names, close_ms=close_ms, told=told)
    for path, one, other in found:
        step = _Step(their.t, f"{their.name} {path}".strip(), None)
        yield _one(lane, step, shown(one), shown(other))


@dataclass(slots=True)
class _Sound:
    """The chunks of an item that came to the playout queue."""

    t: float
    chunks: list[str]
    cut: bool


def _sounds(expected: CapturedCall, got: CapturedCall, names: Names) -> Iterator[Divergence]:
    theirs, ours = _items(expected), _items(got)
    left = dict(ours)
    for item_id, their in theirs.items():
        found = next((ours_id for ours_id in left if names.same_id(item_id, ours_id)), None)
        what = f"sound of {item_id}"
        if found is None:
            told = f"{len(their.chunks)} chunks"
            yield Divergence(what=what, at_s=their.t, expected=told, got=_NOTHING)
            continue
        our = left.pop(found)
        at = _differ_at(their, our)
        if at is not None:
            yield Divergence(
                what=what,
                at_s=their.t,
                expected=_chunk(their.chunks, at),
                got=_chunk(our.chunks, at),
            )
    for item_id, our in left.items():
        told = f"{len(our.chunks)} chunks"
        yield Divergence(what=f"sound of {item_id}", at_s=our.t, expected=_NOTHING, got=told)


def _differ_at(their: _Sound, our: _Sound) -> int | None:
    """The first chunk that differs. How much of an answer came before it was cut is a race."""
    for at, (one, other) in enumerate(zip(their.chunks, our.chunks, strict=False)):
        if one != other:
            return at
    shorter = min(len(their.chunks), len(our.chunks))
    same = len(their.chunks) == len(our.chunks) or (their.cut and our.cut)
    return None if same else shorter


def _chunk(chunks: Sequence[str], at: int) -> str:
    told = chunks[at] if at < len(chunks) else "nothing"
    return f"chunk {at + 1} of {len(chunks)}: {told}"


def _items(call: CapturedCall) -> dict[str, _Sound]:
    cut = {
        item["item_id"]
        for record in call.of("frame")
        if record.fields["type"] == "SpeechPlayedFrame" and record.fields["fields"]["interrupted"]
        for item in record.fields["fields"]["items"]
    }
    items: dict[str, _Sound] = {}
    for record in call.of("speech"):
        item_id = record.fields["item_id"]
        sound = items.setdefault(item_id, _Sound(record.t, [], item_id in cut))
        sound.chunks.append(record.fields["hash"])
    return items


__all__ = ["Divergence", "compare", "message_of"]
