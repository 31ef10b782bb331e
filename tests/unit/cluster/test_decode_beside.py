"""Autoscalers, monitors, limits and scales as values."""

from __future__ import annotations

from fractions import Fraction

import pytest

from auditor.cluster.decode_beside import decode_limits, decode_scale, selector_of
from auditor.cluster.fields import FieldError
from tests.builders import Raw, snapshot


@pytest.mark.parametrize(
    ("text", "labels", "met"),
    [
        ("app=web", {"app": "web"}, True),
        ("app==web", {"app": "db"}, False),
        ("app!=web", {}, True),
        ("app in (web, db),tier", {"app": "db", "tier": ""}, True),
        ("app in (web,db),tier", {"app": "db"}, False),
        ("app notin (web)", {"app": "db"}, True),
        ("!app", {}, True),
        ("!app", {"app": ""}, False),
        ("app=", {"app": ""}, True),
        (" example.org/a-b = c , d ", {"example.org/a-b": "c", "d": "x"}, True),
    ],
)
def test_selectors_as_scales_write_them(text: str, labels: dict[str, str], met: bool) -> None:
    assert selector_of(text).matches(labels) is met


@pytest.mark.parametrize("text", [",", "a=b,,c", "!a=b", "!a in (b)", "a in b", "a b", "a=b)", "(", "a in (b"])
def test_what_is_no_selector(text: str) -> None:
    with pytest.raises(FieldError, match="expected a selector"):
        selector_of(text)


def test_a_scale_without_a_selector_says_nothing() -> None:
    with pytest.raises(FieldError, match="without a selector"):
        decode_scale({"kind": "Rollout", "metadata": {"name": "web"}})


def test_limits_of_containers_and_pods() -> None:
    rules: list[Raw] = [
        {"type": "Container", "min": {"cpu": "50m"}, "max": {"memory": "1Gi"}, "maxLimitRequestRatio": {"cpu": 4}},
        {"type": "Pod", "max": {"cpu": "2"}},
        {"type": "PersistentVolumeClaim", "max": {"storage": "1Gi"}},
    ]
    raw: Raw = {"kind": "LimitRange", "metadata": {"namespace": "shop", "name": "l"}, "spec": {"limits": rules}}
    found = [(item.resource, item.least, item.most, item.ratio) for item in decode_limits(raw)]
    assert found == [
        ("cpu", Fraction(1, 20), None, 4),
        ("memory", None, 2**30, None),
        ("cpu", None, 2, None),
    ]
    assert len(snapshot(raw).bounds) == 3
