from collections import Counter
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.errors import SettingsError
from crossfade.pipelines.routing import Arm, CallRequest, Modality, Router, Urgency, choose
from crossfade.providers.continuity.breaker import BreakerState

KEYS = [f"caller {number}" for number in range(4000)]


def arm(name: str, **settings: object) -> Arm:
    return Arm(**({"name": name, "node": f"openai:{name}"} | settings))  # type: ignore[arg-type]


def dealt(arms: list[Arm], experiment: str = "") -> dict[str, str]:
    return {key: choose(arms, CallRequest(key=key), experiment=experiment).arm.name for key in KEYS}


def test_calls_are_dealt_by_weight() -> None:
    shares = Counter(dealt([arm("a", weight=7), arm("b", weight=2), arm("c", weight=1)]).values())
    for name, share in (("a", 0.7), ("b", 0.2), ("c", 0.1)):
        assert shares[name] / len(KEYS) == pytest.approx(share, abs=0.025)


def test_the_same_caller_gets_the_same_arm() -> None:
    arms = [arm("a"), arm("b")]
    assert dealt(arms) == dealt(arms) == dealt(arms[::-1])


def test_only_callers_of_what_changed_move() -> None:
    before = dealt([arm("a"), arm("b"), arm("c")])
    without_c = dealt([arm("a"), arm("b")])
    assert all(before[key] in ("c", without_c[key]) for key in KEYS)
    heavier_a = dealt([arm("a", weight=2), arm("b"), arm("c")])
    assert all(heavier_a[key] in ("a", before[key]) for key in KEYS)
    with_d = dealt([arm("a"), arm("b"), arm("c"), arm("d")])
    assert all(with_d[key] in ("d", before[key]) for key in KEYS)


def test_another_experiment_deals_anew() -> None:
    arms = [arm("a"), arm("b")]
    one, other = dealt(arms, experiment="one"), dealt(arms, experiment="other")
    same = sum(one[key] == other[key] for key in KEYS) / len(KEYS)
    assert same == pytest.approx(0.5, abs=0.04)


def test_an_arm_is_rejected_with_the_reason() -> None:
    arms = [
        arm("english", languages=frozenset({"en"})),
        arm("blind"),
        arm("calm", urgencies=frozenset({Urgency.LOW, Urgency.NORMAL})),
        arm("dear", usd_per_minute=Decimal("0.20")),
        arm("unknown"),
        arm("drained", weight=0),
        arm("right", usd_per_minute=Decimal("0.05"), languages=frozenset({"en", "de"})),
    ]
    sees = frozenset({Modality.AUDIO, Modality.IMAGE})
    arms = [each if each.name == "blind" else _seeing(each) for each in arms]
    choice = choose(
        arms,
        CallRequest(
            key="k",
            language="de-AT",
            modalities=sees,
            urgency=Urgency.HIGH,
            usd_per_minute=Decimal("0.10"),
        ),
    )
    assert choice.arm.name == "right"
    assert choice.reason == "it alone of 7 takes the call"
    assert {each.name: why for each, why in choice.rejected} == {
        "english": "it does not speak de-AT",
        "blind": "it takes no image",
        "calm": "it is not for high urgency",
        "dear": "$0.20 a minute is over the ceiling of $0.10",
        "unknown": "what it costs is not known, and the call has a ceiling",
        "drained": "its weight is 0",
    }


def _seeing(each: Arm) -> Arm:
    settings = {name: getattr(each, name) for name in each.__slots__}
    return Arm(**(settings | {"modalities": frozenset({Modality.AUDIO, Modality.IMAGE})}))


@pytest.mark.parametrize(
    ("spoken", "asked", "fits"),
    [
        ("en", "en-GB", True),
        ("en", "EN", True),
        ("en-GB", "en", False),
        ("en-GB", "en-gb", True),
        ("de", "den", False),
        ("zh-Hant", "zh-Hant-TW", True),
    ],
)
def test_a_language_stands_for_its_kinds(spoken: str, asked: str, fits: bool) -> None:
    arms = [arm("special", languages=frozenset({spoken})), arm("any", weight=1e-9)]
    choice = choose(arms, CallRequest(key="k", language=asked))
    assert (choice.arm.name == "special") is fits


def test_a_failing_provider_is_left_alone_unless_all_fail() -> None:
    arms = [arm("a"), arm("b")]
    for key in KEYS[:20]:
        choice = choose(arms, CallRequest(key=key), {"openai:a": BreakerState.OPEN})
        assert choice.arm.name == "b"
        assert [(each.name, why) for each, why in choice.rejected] == [("a", "its provider fails")]
    both = dict.fromkeys(("openai:a", "openai:b"), BreakerState.OPEN)
    choice = choose(arms, CallRequest(key="k"), both)
    assert "as all others do" in choice.reason
    assert not choice.rejected


def test_a_provider_that_is_tried_once_more_is_well() -> None:
    half = {"openai:a": BreakerState.HALF_OPEN}
    assert choose([arm("a")], CallRequest(key="k"), half).reason == "it is the only one"


def test_a_call_that_no_arm_takes_is_told_why() -> None:
    with pytest.raises(SettingsError, match=r"a: it takes no text.*widen an arm"):
        choose([arm("a")], CallRequest(key="k", modalities=frozenset({Modality.TEXT})))
    with pytest.raises(SettingsError, match="there is no arm"):
        choose([], CallRequest(key="k"))


def test_whose_call_it_is_is_in_no_text() -> None:
    request = CallRequest(key="+49 170 1234567")
    choice = choose([arm("a"), arm("b")], request)
    assert "1234567" not in f"{request!r} {choice!r}"


@given(st.text(), st.lists(st.floats(0.001, 1000), min_size=1, max_size=5))
def test_whatever_the_key_one_of_the_arms_is_chosen(key: str, weights: list[float]) -> None:
    arms = [arm(str(number), weight=weight) for number, weight in enumerate(weights)]
    assert choose(arms, CallRequest(key=key)).arm in arms


def test_a_router_learns_who_is_well() -> None:
    now = [0.0]
    router = Router([arm("a"), arm("b")], clock=lambda: now[0])
    request = CallRequest(key="k")
    first = router.choose(request).arm
    router.failed(first.node, fatal=True)
    assert router.choose(request).arm != first
    now[0] = 3601
    assert router.choose(request).arm == first
    router.succeeded(first.node)
    now[0] = 3602
    assert router.choose(request).arm == first


def test_two_arms_of_one_name_are_refused() -> None:
    with pytest.raises(SettingsError, match="two arms are called a"):
        Router([arm("a"), arm("a")], clock=lambda: 0.0)
    with pytest.raises(SettingsError, match="no arm"):
        Router([], clock=lambda: 0.0)
