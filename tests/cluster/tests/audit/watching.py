"""What real workloads show while a run goes on, read from watches: not one event may change it."""

from __future__ import annotations

import json
import os
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.cluster import provision
from tests.cluster.api import Api
from tests.cluster.cluster import Cluster

Object = dict[str, Any]


def _status(item: Object) -> Any:
    return {"replicas": item["spec"].get("replicas"), **item.get("status", {})}


def _budget(item: Object) -> Any:
    status = dict(item["status"])
    if isinstance(item["spec"].get("minAvailable"), int):
        # The design allows this one: a plain number of pods does not follow from how many are expected.
        status.pop("expectedPods", None)
    status.pop("observedGeneration", None)
    return status


def _ready_addresses(item: Object) -> Any:
    ready = [
        address
        for endpoint in item.get("endpoints") or ()
        if endpoint["conditions"].get("ready") or endpoint["conditions"].get("serving")
        for address in endpoint["addresses"]
    ]
    return sorted(ready) or None


def _workload_pod(item: Object) -> Any:
    if item["metadata"]["name"].startswith("netaudit-"):
        return None
    meta, status = item["metadata"], item["status"]
    conditions = {entry["type"]: entry["status"] for entry in status.get("conditions") or ()}
    return [meta["uid"], meta.get("ownerReferences"), meta.get("deletionTimestamp"), status.get("phase"), conditions]


SHOWN: dict[str, Callable[[Object], Any]] = {
    "/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices": _ready_addresses,
    "/apis/policy/v1/namespaces/{}/poddisruptionbudgets": _budget,
    "/apis/apps/v1/namespaces/{}/deployments": _status,
    "/apis/apps/v1/namespaces/{}/replicasets": _status,
    "/apis/autoscaling/v2/namespaces/{}/horizontalpodautoscalers": _status,
    "/api/v1/namespaces/{}/pods": _workload_pod,
}
"""What is watched, and what of it must stay as it is; None where there is nothing to see."""


MORE: dict[str, Callable[[Object], Any]] = SHOWN | {
    "/apis/apps/v1/namespaces/{}/statefulsets": _status,
    "/apis/apps/v1/namespaces/{}/daemonsets": _status,
    "/api/v1/namespaces/{}/replicationcontrollers": _status,
    "/apis/batch/v1/namespaces/{}/jobs": _status,
    "/apis/batch/v1/namespaces/{}/cronjobs": _status,
}
"""The same with every other controller that makes pods."""


class Watched:
    """What the watches saw."""

    def __init__(self, files: dict[str, Path], shown: Mapping[str, Callable[[Object], Any]]) -> None:
        self._files = files
        self._shown = {path.rpartition("/")[2]: show for path, show in shown.items()}

    def histories(self) -> dict[str, list[Any]]:
        """The states that each object went through, by its path; what must not change has one."""
        found: dict[str, list[Any]] = defaultdict(list)
        for path, file in self._files.items():
            for event in _events(file):
                name = f"{path}/{event['object']['metadata']['name']}"
                shown = "deleted" if event["type"] == "DELETED" else self._show(path, event["object"])
                if _is_real(event["object"], shown) and shown not in found[name][-1:]:
                    found[name].append(shown)
        return {name: states for name, states in found.items() if states}

    def _show(self, path: str, item: Object) -> Any:
        return self._shown[path.rpartition("/")[2]](item)

    def changes(self) -> dict[str, list[Any]]:
        """The objects that changed, with all their states."""
        return {name: states for name, states in self.histories().items() if len(states) > 1}

    def count(self) -> int:
        """How many events came."""
        return sum(len(list(_events(file))) for file in self._files.values())


@contextmanager
def watching(
    cluster: Cluster,
    namespaces: Sequence[str],
    folder: Path,
    shown: Mapping[str, Callable[[Object], Any]] = SHOWN,
) -> Iterator[Watched]:
    """Watch the workloads of some namespaces for as long as the block lasts."""
    files: dict[str, Path] = {}
    with ExitStack() as stack:
        for template in shown:
            for namespace in namespaces:
                path = template.format(namespace)
                files[path] = folder / f"watch-{len(files)}"
                stack.enter_context(_watch(cluster, path, files[path]))
        yield Watched(files, shown)


@contextmanager
def _watch(cluster: Cluster, path: str, file: Path) -> Iterator[None]:
    listed = Api(cluster.kubeconfig).get(path)
    first = [{"type": "ADDED", "object": item} for item in listed["items"]]
    file.write_text("".join(f"{json.dumps(event)}\n" for event in first))
    # From the list's version on nothing is missed, however late the watch begins.
    query = f"watch=true&timeoutSeconds=3000&resourceVersion={listed['metadata']['resourceVersion']}"
    words = ["kubectl", "get", "--raw", f"{path}?{query}"]
    env = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig)}
    with file.open("ab") as out:
        process = subprocess.Popen(words, executable=provision.kube(), stdout=out, env=env)
    try:
        yield
        assert process.poll() is None, f"the watch of {path} ended early: {file.read_text()[-300:]}"
    finally:
        process.terminate()
        process.wait()


def _events(file: Path) -> Iterator[Object]:
    for line in file.read_text().splitlines():
        try:
            event = json.loads(line)
        except ValueError:  # the last line, cut off when the watch was ended
            return
        if "metadata" in event.get("object", {}) and event["type"] != "BOOKMARK":
            yield event


def _is_real(item: Object, shown: Any) -> bool:
    """Whether a state counts: not those of netaudit's own objects, nor slices in which nobody is ready."""
    return shown is not None and not item["metadata"]["name"].startswith("netaudit-")
