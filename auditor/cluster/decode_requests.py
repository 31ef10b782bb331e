"""What the scheduler counts for a pod (`resourcehelper.PodRequests`): CPU in thousandths, memory in bytes.

Pure.  What is no quantity counts as nothing: a pod matters for more than the room that it takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from auditor.cluster.decode_quota import quantity
from auditor.cluster.fields import FieldError, Raw

SHARED = 10_000
Asked = tuple[str, str]
"""Of one container or pod, as it is written: CPU and memory, empty where it asks for none."""
NOTHING: Asked = ("", "")


def requested(spec: Raw) -> tuple[int, int]:
    """The requests of a `corev1.PodSpec`, those for the pod as a whole first."""
    whole = _asked(spec.get("resources"))
    running = [_asked(item.get("resources")) for item in _items(spec.get("containers"))]
    before = [NOTHING]
    for item in _items(spec.get("initContainers")):
        is_sidecar = item.get("restartPolicy") == "Always"
        (running if is_sidecar else before).append(_asked(item.get("resources")))
    return _summed(whole, _pair(spec.get("overhead")), tuple(running), tuple(before))


def _items(listed: object) -> list[Raw]:
    return [item for item in listed if isinstance(item, Mapping)] if isinstance(listed, list) else []


def _asked(resources: object) -> Asked:
    return _pair(resources.get("requests")) if isinstance(resources, Mapping) else NOTHING


def _pair(amounts: object) -> Asked:
    if not isinstance(amounts, Mapping):
        return NOTHING
    return str(amounts.get("cpu", "")), str(amounts.get("memory", ""))


@lru_cache(SHARED)
def _summed(whole: Asked, overhead: Asked, running: tuple[Asked, ...], before: tuple[Asked, ...]) -> tuple[int, int]:
    found = []
    for place, unit in ((0, 1000), (1, 1)):
        each = sum(_number(item[place], unit) for item in running)
        # One that only prepares runs before the others; what it asks for may be more than all of theirs.
        first = max(_number(item[place], unit) for item in before)
        found.append((_number(whole[place], unit) or max(each, first)) + _number(overhead[place], unit))
    return found[0], found[1]


def _number(text: str, unit: int) -> int:
    try:
        return int((quantity(text or None) or 0) * unit)
    except FieldError:
        return 0
