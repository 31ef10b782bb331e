"""Why a selector finds nothing, and what may have been meant."""

from __future__ import annotations

import pytest

from auditor.lint.hints import Tally, listed, text
from auditor.model.labels import LabelSelector, Operator, Requirement, equals
from auditor.model.words import plural

PODS = Tally([{"app": "frontend", "tier": "web"}, {"app": "backend"}, {"app": "app-7", "tier": "web"}])


def asked(key: str, operator: Operator, *values: str) -> LabelSelector:
    return LabelSelector((Requirement(key, operator, frozenset(values)),))


@pytest.mark.parametrize(
    ("selector", "why"),
    [
        (equals({"app": "fronted"}), ["no pod has app=fronted; app=frontend is there once"]),
        (equals({"ap": "backend"}), ["no pod has ap=backend; app=backend is there once"]),
        (equals({"ap": "x"}), ["no pod has ap=x; the key ap is not in use there"]),
        (equals({"colour": "red"}), ["no pod has colour=red; the key colour is not in use there"]),
        (equals({"app": "zzz"}), ["no pod has app=zzz"]),
        (equals({"app": "app-8"}), ["no pod has app=app-8"]),
        (equals({"tier": "wbe", "app": "x"}), ["no pod has app=x", "no pod has tier=wbe"]),
        (equals({"tier": "webb"}), ["no pod has tier=webb; tier=web is there 2 times"]),
        (equals({"app": "backend", "tier": "web"}), ["no pod has app=backend,tier=web at once"]),
        (asked("app", Operator.DOES_NOT_EXIST), ["no pod has !app"]),
        (asked("colour", Operator.EXISTS), ["no pod has colour"]),
        (
            asked("app", Operator.NOT_IN, "frontend", "backend", "app-7"),
            ["no pod has app notin (app-7, backend, frontend)"],
        ),
    ],
)
def test_what_is_missing(selector: LabelSelector, why: list[str]) -> None:
    """A number at the end makes another thing of a name, and no misspelling."""
    assert list(PODS.why_nothing(selector, "pod")) == why


@pytest.mark.parametrize(
    ("item", "count"),
    [
        (Requirement("tier", Operator.IN, frozenset({"web", "db"})), 2),
        (Requirement("tier", Operator.NOT_IN, frozenset({"web"})), 1),
        (Requirement("tier", Operator.EXISTS), 2),
        (Requirement("tier", Operator.DOES_NOT_EXIST), 1),
        (Requirement("none", Operator.NOT_IN, frozenset({"x"})), 3),
    ],
)
def test_counts_agree_with_selectors(item: Requirement, count: int) -> None:
    """What a tally counts is what the selector selects, one by one."""
    items = [{"app": "frontend", "tier": "web"}, {"app": "backend"}, {"app": "app-7", "tier": "web"}]

    assert PODS.meeting(item) == count == sum(map(item.matches, items))


def test_words() -> None:
    assert text(LabelSelector()) == "{}"
    assert text(asked("a", Operator.IN, "y", "x")) == "a in (x, y)"
    assert listed("gfedcba") == "a, b, c, d, e and 2 more"
    assert listed(["b", "a", "b"]) == "a, b"
    assert [plural(number, "pod") for number in (0, 1, 2)] == ["0 pods", "1 pod", "2 pods"]
