"""Events that tell whoever watches the cluster that a run begins and ends."""

from __future__ import annotations

from auditor.cluster.api import KubeApi
from auditor.errors import NetauditError
from probes.backends.kubernetes.lease import Clock
from probes.placement import Manifest, Marks

PATH = "/api/v1/namespaces/default/events"
"""Where Events about objects without a namespace go; netaudit's own is gone when a run has ended."""


def event_manifest(marks: Marks, reason: str, message: str, moment: str) -> Manifest:
    """An Event (core/v1) about netaudit's namespace; it expires by itself, after an hour by default."""
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": f"{marks.holder}-{reason.lower()}",
            "namespace": "default",
            "annotations": marks.annotations(),
        },
        "involvedObject": {"apiVersion": "v1", "kind": "Namespace", "name": "netaudit"},
        "reason": reason,
        "message": message,
        "type": "Normal",
        "source": {"component": "netaudit"},
        "firstTimestamp": moment,
        "lastTimestamp": moment,
        "count": 1,
    }


def began(marks: Marks, pods: int, namespaces: int) -> str:
    """What the first Event says."""
    where = f"{pods} probe pods in {namespaces} namespaces"
    return f"netaudit {marks.version}, run {marks.run}: {where}, until {marks.expires} at the latest"


def ended(marks: Marks, leftovers: int) -> str:
    """What the last Event says."""
    rest = f"{leftovers} objects could not be removed: netaudit cleanup" if leftovers else "nothing is left"
    return f"netaudit {marks.version}, run {marks.run} is over; {rest}"


async def announce(api: KubeApi, marks: Marks, clock: Clock, reason: str, message: str) -> str:
    """Write one Event; returns why that failed, because no run should end for want of one."""
    moment = clock().strftime("%Y-%m-%dT%H:%M:%SZ")
    try:
        await api.create(PATH, event_manifest(marks, reason, message, moment))
    except NetauditError as error:
        return error.why
    return ""
