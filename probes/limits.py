"""The requests and limits of probe pods, fitted to the LimitRanges of their namespaces.

Pure.  Rules of `plugin/pkg/admission/limitranger`: a minimum holds for request and limit, a maximum for both, a ratio
for limit divided by request, and what a bound names must be said.  A probe pod has one container, so that what is asked
of containers and of whole pods is asked of the same numbers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

from auditor.model.cluster import Bound
from auditor.model.probe import MEBI, Resources

NEEDED_CPU, NEEDED_MEMORY, NEEDED_STORAGE = 100, 32 * MEBI, MEBI
"""Limits below which an agent does not do its work: thousandths of a CPU, bytes."""
BASE = {"cpu": 1000, "memory": 1, "ephemeral-storage": 1}
"""Our units of a resource in one of Kubernetes'."""


class DoesNotFitError(ValueError):
    """A LimitRange leaves no size at which an agent works; the message says which and why."""


@dataclass(frozen=True, slots=True)
class _Range:
    """What all LimitRanges of a namespace ask of one resource, in our units."""

    who: str
    least: int
    most: float
    ratio: Fraction | None


def fitting(bounds: Iterable[Bound]) -> dict[str, Resources | str]:
    """By namespace: the size of a probe pod, or why there is none; namespaces without a bound are left out."""
    by_home: dict[str, list[Bound]] = defaultdict(list)
    for bound in bounds:
        by_home[bound.namespace].append(bound)
    found: dict[str, Resources | str] = {}
    for home, some in sorted(by_home.items()):
        try:
            found[home] = _fit(some)
        except DoesNotFitError as error:
            found[home] = str(error)
    return found


def _fit(bounds: Sequence[Bound]) -> Resources:
    usual = Resources()
    strange = sorted({bound.resource for bound in bounds} - BASE.keys())
    if strange:
        who = next(bound.name for bound in bounds if bound.resource == strange[0])
        raise DoesNotFitError(f"LimitRange {who} asks every container for {strange[0]}, which a probe pod does not use")
    cpu = _pair(_range(bounds, "cpu"), "cpu", usual.cpu, usual.cpu_limit, NEEDED_CPU)
    memory = _pair(_range(bounds, "memory"), "memory", usual.memory, usual.memory_limit, NEEDED_MEMORY)
    storage = 0
    if any(bound.resource == "ephemeral-storage" for bound in bounds):
        asked = _range(bounds, "ephemeral-storage")
        storage = _pair(asked, "ephemeral-storage", NEEDED_STORAGE, NEEDED_STORAGE, NEEDED_STORAGE)[1]
    return Resources(*cpu, *memory, storage)


def _range(bounds: Iterable[Bound], resource: str) -> _Range:
    said = [bound for bound in bounds if bound.resource == resource]
    base = BASE[resource]
    return _Range(
        who=" and ".join(sorted({bound.name for bound in said})),
        least=max((ceil(bound.least * base) for bound in said if bound.least is not None), default=0),
        most=min((floor(bound.most * base) for bound in said if bound.most is not None), default=float("inf")),
        ratio=min((bound.ratio for bound in said if bound.ratio is not None), default=None),
    )


def _pair(asked: _Range, resource: str, request: int, limit: int, needed: int) -> tuple[int, int]:
    """Request and limit: as small as may be, and the limit lowered before the request is raised for a ratio."""
    if asked.most < max(asked.least, needed):
        most, least = _amount(int(asked.most), resource), _amount(max(asked.least, needed), resource)
        raise DoesNotFitError(
            f"LimitRange {asked.who} allows at most {most} {resource}, and an agent needs {least} there"
        )
    request, limit = max(request, asked.least), max(limit, asked.least)
    limit = int(min(limit, asked.most))
    request = min(request, limit)
    if asked.ratio is None or limit <= asked.ratio * request:
        return request, limit
    if asked.ratio < 1:
        raise DoesNotFitError(f"LimitRange {asked.who} asks for a {resource} limit below the request, which none has")
    limit = max(needed, request, floor(asked.ratio * request))
    return max(request, ceil(limit / asked.ratio)), limit


def _amount(number: int, resource: str) -> str:
    return f"{number}m" if resource == "cpu" else f"{number / MEBI:g}Mi"
