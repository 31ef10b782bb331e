"""Probe pods fit the LimitRanges of their namespaces, or are not made."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from auditor.cluster.decode_quota import quantity
from auditor.model.cluster import Bound
from auditor.model.probe import MEBI, Resources
from probes.limits import NEEDED_CPU, NEEDED_MEMORY, fitting
from probes.placement import AgentSpec, Marks, pod_manifest
from tests.builders import Raw, deny_all, pod, snapshot
from tests.unit.planning import clones, plan, plan_of

USUAL = Resources()


def bound(resource: str, **parts: Any) -> Bound:
    return Bound("shop", "l", resource, **{key: quantity(value) for key, value in parts.items()})


def fit(*bounds: Bound) -> Resources | str:
    return fitting(bounds)["shop"]


def admitted(made: Resources, bounds: tuple[Bound, ...]) -> bool:
    """The rules of the LimitRanger, written a second time."""
    values: dict[str, tuple[Fraction, Fraction]] = {
        "cpu": (Fraction(made.cpu, 1000), Fraction(made.cpu_limit, 1000)),
        "memory": (Fraction(made.memory), Fraction(made.memory_limit)),
        "ephemeral-storage": (Fraction(made.storage), Fraction(made.storage)),
    }
    for one in bounds:
        request, limit = values[one.resource]
        low = one.least is None or min(request, limit) >= one.least
        high = one.most is None or max(request, limit) <= one.most
        if not (low and high and (one.ratio is None or limit / request <= one.ratio)):
            return False
    return True


FITS = {
    "nothing tighter than we are": (bound("cpu", least="1m", most="4"),),
    "a higher minimum": (bound("cpu", least="250m"), bound("memory", least="128Mi")),
    "a minimum above the usual limit": (bound("cpu", least="2"),),
    "a lower maximum": (bound("cpu", most="200m"), bound("memory", most="48Mi")),
    "the least that works": (bound("cpu", most="100m"), bound("memory", most="32Mi")),
    "a ratio": (bound("cpu", ratio="4"), bound("memory", ratio="1.5")),
    "a ratio of one": (bound("cpu", ratio="1"), bound("memory", ratio="1")),
    "a ratio and a minimum": (bound("cpu", ratio="3", least="70m"),),
    "a ratio and a maximum": (bound("cpu", ratio="2", most="150m"),),
    "two ranges": (bound("cpu", least="20m"), bound("cpu", most="300m", ratio="10")),
    "odd quantities": (bound("memory", least="33333333", ratio="1.1"),),
    "storage": (bound("ephemeral-storage", least="10Mi", most="1Gi"),),
    "storage without a minimum": (bound("ephemeral-storage", most="1Gi"),),
}


@pytest.mark.parametrize("name", FITS)
def test_sizes_that_fit(name: str) -> None:
    """Within every bound, and no smaller than an agent needs."""
    made = fit(*FITS[name])
    assert isinstance(made, Resources)
    assert admitted(made, FITS[name])
    assert made.cpu_limit >= NEEDED_CPU
    assert made.memory_limit >= NEEDED_MEMORY
    assert made.cpu <= made.cpu_limit
    assert made.memory <= made.memory_limit


def test_no_more_than_is_asked_for() -> None:
    assert fit(*FITS["nothing tighter than we are"]) == USUAL
    assert fit(bound("cpu", ratio="4")) == Resources(cpu=25, cpu_limit=100)
    assert fit(bound("cpu", most="200m")) == Resources(cpu_limit=200)
    assert fit(bound("memory", least="128Mi")) == Resources(memory=128 * MEBI, memory_limit=128 * MEBI)


@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        ((bound("cpu", most="50m"),), "LimitRange l allows at most 50m cpu, and an agent needs 100m"),
        ((bound("memory", most="16Mi"),), "at most 16Mi memory, and an agent needs 32Mi"),
        ((bound("cpu", least="2"), bound("cpu", most="1")), "at most 1000m cpu"),
        ((bound("nvidia.com/gpu", least="1"),), "asks every container for nvidia.com/gpu"),
        ((bound("cpu", ratio="0.5"),), "a cpu limit below the request"),
    ],
)
def test_sizes_that_do_not(bounds: tuple[Bound, ...], words: str) -> None:
    assert words in str(fit(*bounds))


def a_range(**limits: Raw) -> Raw:
    rule = {"type": "Container", **limits}
    return {"kind": "LimitRange", "metadata": {"namespace": "shop", "name": "l"}, "spec": {"limits": [rule]}}


WEB = (pod("shop/web", app="web"), deny_all("shop/deny", app="web"))


def test_a_plan_wears_what_fits() -> None:
    (clone,) = clones(plan(*WEB, a_range(min={"cpu": "250m"})))
    made = pod_manifest(clone, Marks("a", "0", ""), AgentSpec("i", "", 1), "n", "u")
    assert made["spec"]["containers"][0]["resources"] == {
        "requests": {"cpu": "250m", "memory": "32Mi"},
        "limits": {"cpu": "1000m", "memory": "64Mi"},
    }


def test_a_namespace_that_fits_nothing_is_skipped_by_name() -> None:
    made = plan_of(snapshot(*WEB, a_range(max={"memory": "1Mi"})))
    assert clones(made) == []
    assert [skip.reason for skip in made.skipped if skip.identity] == [
        "LimitRange l allows at most 1Mi memory, and an agent needs 32Mi there"
    ]


def test_quotas_count_what_the_range_makes_of_a_pod() -> None:
    """At 250m each, half of 400m is no room for a single one."""
    quota = {"kind": "ResourceQuota", "metadata": {"namespace": "shop", "name": "q"}}
    quota |= {"status": {"hard": {"requests.cpu": "400m"}}}
    assert len(clones(plan(*WEB, quota))) == 1
    assert clones(plan(*WEB, quota, a_range(min={"cpu": "250m"}))) == []
