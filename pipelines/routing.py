"""Chooses the node of a call: by what the call needs, who is well, and weights that stick."""

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING

from crossfade.errors import SettingsError
from crossfade.providers.continuity.breaker import Breaker, BreakerState

if TYPE_CHECKING:
    from crossfade.observability.call import CallRecord


class Urgency(StrEnum):
    """How soon somebody is to be helped."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


class Modality(StrEnum):
    """What a caller may send."""

    AUDIO = "audio"
    TEXT = "text"
    IMAGE = "image"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """A node that calls may be given."""

    name: str
    node: str
    """PROVIDER:MODEL, or whatever the application makes a node of, such as `cascade`."""
    weight: float = 1.0
    """Its share of the calls that several arms can take; 0 takes it out."""
    languages: frozenset[str] = frozenset()
    """BCP 47, `en` for all kinds of English; empty takes every language."""
    modalities: frozenset[Modality] = frozenset({Modality.AUDIO})
    urgencies: frozenset[Urgency] = frozenset(Urgency)
    usd_per_minute: Decimal | None = None
    """What it costs by experience; None if nobody knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRequest:
    """What is known of a call before it is answered."""

    key: str = field(repr=False)
    """Whose call it is: the same key gets the same arm. It is hashed, and never logged."""
    language: str = ""
    """BCP 47; empty if nobody knows."""
    modalities: frozenset[Modality] = frozenset({Modality.AUDIO})
    urgency: Urgency = Urgency.NORMAL
    usd_per_minute: Decimal | None = None
    """What it may cost at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The arm of a call, and why it is this one."""

    arm: Arm
    reason: str
    rejected: tuple[tuple[Arm, str], ...] = ()
    """The arms that could not take the call, each with the reason."""


def choose(
    arms: Sequence[Arm],
    request: CallRequest,
    health: Mapping[str, BreakerState] | None = None,
    *,
    experiment: str = "",
) -> Choice:
    """Choose the arm of a call. The same arguments give the same choice, in every process.

    Of the arms that can take the call, the key chooses one by weighted rendezvous hashing: a key
    moves only if the arm it had is gone or weighs less, or another weighs more. Where all of
    them are unwell, they are asked nevertheless: a call is better answered late than not at all.

    Args:
        arms: Each with a name of its own.
        request: The call.
        health: State of the breaker by node; one that is not named is well.
        experiment: Another name deals the same callers anew.

    Raises:
        SettingsError: No arm can take the call, well or not.
    """
    rejected = [(arm, why) for arm in arms if (why := _unfit(arm, request)) is not None]
    fit = [arm for arm in arms if _unfit(arm, request) is None]
    if not fit:
        told = "; ".join(f"{arm.name}: {why}" for arm, why in rejected) or "there is no arm"
        raise SettingsError(f"no arm takes the call ({told}); widen an arm, or add one")
    health = health or {}
    well = [arm for arm in fit if health.get(arm.node) is not BreakerState.OPEN]
    taking = well or fit
    rejected += [(arm, "its provider fails") for arm in fit if arm not in taking]
    return Choice(
        arm=max(taking, key=lambda arm: _score(arm, request.key, experiment)),
        reason=_reason(taking, len(arms), all_fail=not well),
        rejected=tuple(rejected),
    )


def _unfit(arm: Arm, request: CallRequest) -> str | None:
    """Why an arm cannot take a call; None if it can."""
    missing = request.modalities - arm.modalities
    if arm.weight <= 0:
        return "its weight is 0"
    if missing:
        return f"it takes no {', '.join(sorted(missing))}"
    if request.language and arm.languages and not _speaks(arm.languages, request.language):
        return f"it does not speak {request.language}"
    if request.urgency not in arm.urgencies:
        return f"it is not for {request.urgency.value} urgency"
    if request.usd_per_minute is not None:
        if arm.usd_per_minute is None:
            return "what it costs is not known, and the call has a ceiling"
        if arm.usd_per_minute > request.usd_per_minute:
            return (
                f"${arm.usd_per_minute} a minute is over the ceiling of ${request.usd_per_minute}"
            )
    return None


def _speaks(languages: frozenset[str], asked: str) -> bool:
    """Whether a language, or the one that it is a kind of, is among them."""
    parts = asked.lower().split("-")
    kinds = {"-".join(parts[:length]) for length in range(1, len(parts) + 1)}
    return any(language.lower() in kinds for language in languages)


def _score(arm: Arm, key: str, experiment: str) -> float:
    """Of weighted rendezvous hashing: the highest has the call, each by its weight's share.

    https://datatracker.ietf.org/doc/html/draft-ietf-bess-weighted-hrw
    """
    digest = hashlib.blake2b(digest_size=8)
    for part in (experiment, arm.name, key):
        digest.update(len(part).to_bytes(4) + part.encode("utf-8", errors="surrogatepass"))
    # Strictly between 0 and 1: 53 bits are what a float holds.
    chance = ((int.from_bytes(digest.digest()) >> 11) + 0.5) / 2.0**53
    return -arm.weight / math.log(chance)


def _reason(taking: Sequence[Arm], of: int, *, all_fail: bool) -> str:
    nevertheless = ", though its provider fails as all others do" if all_fail else ""
    if len(taking) == 1:
        return (
            f"it alone of {of} takes the call" if of > 1 else "it is the only one"
        ) + nevertheless
    whole = sum(arm.weight for arm in taking)
    shares = ", ".join(f"{arm.name} {arm.weight / whole:.0%}" for arm in taking)
    return f"the caller's key chose it by weight: {shares}{nevertheless}"


def note_choice(record: "CallRecord", choice: Choice) -> None:
    """Have a call's record tell its arm, and why it is this one."""
    rejected = {arm.name: why for arm, why in choice.rejected}
    record.routed(choice.arm.name, choice.reason, rejected)


class Router:
    """Routes the calls of a process, and learns from them who is well.

    Args:
        arms: Each with a name of its own.
        clock: Gives the time in s, such as the loop's.
        experiment: As in `choose`.

    Raises:
        SettingsError: Two arms have one name.
    """

    def __init__(
        self, arms: Sequence[Arm], *, clock: Callable[[], float], experiment: str = ""
    ) -> None:
        check_names(arms)
        self._arms = tuple(arms)
        self._clock = clock
        self._experiment = experiment
        self._breakers = {arm.node: Breaker() for arm in arms}

    def choose(self, request: CallRequest) -> Choice:
        """Choose the arm of a call.

        Raises:
            SettingsError: As `choose`.
        """
        now_s = self._clock()
        health = {node: breaker.state(now_s) for node, breaker in self._breakers.items()}
        return choose(self._arms, request, health, experiment=self._experiment)

    def failed(self, node: str, *, fatal: bool = False) -> None:
        """Note that a call of a node failed; `fatal` for what does not pass, such as the key."""
        self._breakers[node].failed(self._clock(), fatal=fatal)

    def succeeded(self, node: str) -> None:
        """Note that a call of a node went well."""
        self._breakers[node].succeeded(self._clock())


def check_names(arms: Sequence[Arm]) -> None:
    """See to it that each arm has a name of its own.

    Raises:
        SettingsError: Two have one, or there is none at all.
    """
    names = [arm.name for arm in arms]
    if not names:
        raise SettingsError("there is no arm; give at least one")
    if twice := {name for name in names if names.count(name) > 1}:
        raise SettingsError(f"two arms are called {', '.join(sorted(twice))}; rename one")


__all__ = [
    "Arm",
    "CallRequest",
    "Choice",
    "Modality",
    "Router",
    "Urgency",
    "check_names",
    "choose",
    "note_choice",
]
