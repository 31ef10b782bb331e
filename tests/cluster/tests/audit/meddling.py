"""What can be done to a probe pod from outside while a run uses it: its packets, its agent's words, its life."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.cluster import cgroups
from tests.cluster.cluster import Cluster
from tests.cluster.tests.audit import killing
from tests.cluster.tests.audit.command import until
from tests.cluster.tests.audit.site import Object, Site

LOSS = """
table inet netaudit_loss {
  chain in { type filter hook input priority 0; numgen random mod 100 < PERCENT drop; }
}
"""
"""Packets are lost where they arrive; the kernel here has no netem."""

GARBAGE = "head -c 3000 /dev/urandom; echo; echo '{\"id\": [1, 2'; echo '{}'; echo 'null'"
FLOOD = "yes 01234567890123456789012345678901234567890123456789 | head -c 100000000"
HALF = "AGENT | head -c 400"
FOREIGN = 'AGENT | sed -e \'s/"nonce":"[a-z0-9]*"/"nonce":"ofanotherrun"/\''
SILENT = "sleep 3600"
SAYINGS = {"garbage": GARBAGE, "half a line": HALF, "another nonce": FOREIGN, "100 MB": FLOOD}
"""What an agent says instead of its records; AGENT is what it would have said."""
_SHELL = """#!/bin/busybox sh
agent() { exec -a sh /bin/busybox "$@"; }
case "$*" in
*'netaudit probe') INSTEAD ;;
*) agent "$@" ;;
esac
"""


def probe_pods(site: Site, label: str = "") -> list[Object]:
    """The probe pods that run, all or those that wear a label `app` of this value."""
    return [item for item in site.probe_pods("Running") if label in {"", item["metadata"].get("labels", {}).get("app")}]


def await_probe(site: Site, label: str) -> Object:
    """The probe pod that stands for pods with this label, once it runs."""
    until(lambda: probe_pods(site, label), f"the probe pod for {label} runs")
    return probe_pods(site, label)[0]


def name_of(item: Object) -> tuple[str, str]:
    """Namespace and name."""
    return item["metadata"]["namespace"], item["metadata"]["name"]


def lose_packets(site: Site, percent: int) -> None:
    """Have every probe pod that runs lose a share of what comes in."""
    for item in probe_pods(site):
        rules = LOSS.replace("PERCENT", str(percent))
        _enter(site.cluster, item, "-n", "nft", "-f", "-", stdin=rules)


def replace_agent(site: Site, item: Object, instead: str) -> None:
    """Have the next batches of a probe pod answered by something else; what listens there goes on."""
    _enter(site.cluster, item, "-m", "-p", "mount", "-o", "remount,rw", "/")
    script = _SHELL.replace("INSTEAD", instead.replace("AGENT", 'agent "$@"'))
    shell = Path(f"/proc/{_pid(site.cluster, item)}/root/bin/sh")
    shell.unlink()
    shell.write_text(script)
    shell.chmod(0o755)


def exhaust(site: Site, item: Object) -> None:
    """Fill a probe pod's memory from within its cgroup, and end it as the kernel does that ends all of a cgroup."""
    where = killing.places(site.cluster, item)
    (memory,) = {place for place in where if _bounds_memory(place)}
    # The kernel here ends the one that asks for more, and no other.
    script = 'echo $$ > "$1/cgroup.procs"; exec tail /dev/zero'
    subprocess.run(["sh", "-c", script, "fill", str(memory)], check=False, stdout=subprocess.DEVNULL)
    killing.kill(where)
    until(lambda: "OOMKilled" in _endings(site, item), "the probe pod is out of memory", seconds=60)


def _bounds_memory(place: Path) -> bool:
    return any((place / name).exists() for name in ("memory.limit_in_bytes", "memory.max"))


def _endings(site: Site, item: Object) -> set[str]:
    """Why a probe pod's containers ended."""
    home, name = name_of(item)
    states = site.api.get(f"/api/v1/namespaces/{home}/pods/{name}")["status"]["containerStatuses"]
    return {state["state"].get("terminated", {}).get("reason", "") for state in states}


def evict(site: Site, item: Object) -> None:
    """Evict a probe pod, as a drain of its node would."""
    home, name = name_of(item)
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": home}}
    status, answer = site.api.request("POST", f"/api/v1/namespaces/{home}/pods/{name}/eviction", body)
    assert status in {200, 201}, answer


def delete(site: Site, item: Object) -> None:
    """Delete a probe pod."""
    home, name = name_of(item)
    site.cluster.kubectl("delete", "pod", "-n", home, name, "--wait=false")


def _pid(cluster: Cluster, item: Object) -> int:
    return min(process.pid for process in cgroups.processes(killing.places(cluster, item)))


def _enter(cluster: Cluster, item: Object, *words: str, stdin: str = "") -> None:
    """Run a command in namespaces of a pod's process: `-n`, `-m`, `-p`, then the command."""
    command = ["nsenter", "-t", str(_pid(cluster, item)), *words]
    done = subprocess.run(command, input=stdin, text=True, check=False, capture_output=True)
    assert done.returncode == 0, f"{command}: {done.stderr}"
