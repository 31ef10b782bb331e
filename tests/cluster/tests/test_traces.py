"""What a cluster leaves behind: nothing, however it ended."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster import cgroups, controlplane, lifecycle, state
from tests.cluster.cluster import start
from tests.cluster.errors import ClusterError
from tests.cluster.processes import Process
from tests.cluster.spec import make_spec

NAME = f"trace-{os.getpid()}"
_OURS = re.compile(r"v-n\d+|v-ext|br0|cni0|lxc.*|cilium.*")


@pytest.fixture(autouse=True)
def afterwards() -> Iterator[None]:
    yield
    lifecycle.down(NAME)


def traces() -> list[str]:
    """Everything on this machine that bears the cluster's name."""
    found = [line for line in Path("/proc/self/mounts").read_text().splitlines() if NAME in line]
    found += [
        f"{folder}/{child}" for folder, children, _ in os.walk("/sys/fs/cgroup") for child in children if NAME in child
    ]
    found += [str(path) for path in state.state_root().glob(f"*{NAME}*")]
    for entry in Path("/proc").iterdir():
        # a zombie has nothing left but its entry, and that is the business of whoever must take note of its end
        if entry.name.isdigit() and int(entry.name) != os.getpid() and Process.of(int(entry.name)):
            found += _of_process(entry)
    return found


def _of_process(entry: Path) -> list[str]:
    found = []
    for name in ("cmdline", "cgroup", "mounts", "environ"):
        try:
            if NAME in (entry / name).read_bytes().decode(errors="replace"):
                found.append(f"{entry}/{name}")
        except OSError:  # gone meanwhile
            continue
    return found


def host() -> tuple[list[str], list[str], list[str]]:
    """What this machine has of its own that a cluster could disturb; other tests have namespaces and links as well."""
    named = Path("/run/netns")
    return (
        sorted(entry.name for entry in named.glob("cni-*")),
        sorted(entry.name for entry in Path("/sys/class/net").iterdir() if _OURS.match(entry.name)),
        [Path(f"/proc/sys/{name}").read_text() for name in ("kernel/panic", "vm/overcommit_memory")],
    )


def living(record: state.Record) -> set[Process]:
    places = [Path(place) for places in record.cgroups.values() for place in places]
    return cgroups.processes(places)


def test_down_leaves_nothing() -> None:
    before = host()
    cluster = start(make_spec(NAME, nodes=1))
    cluster.kubectl("run", "web", "--image=docker.io/library/busybox:1.37", "--", "sleep", "86400")
    cluster.kubectl("wait", "--for=condition=Ready", "pod/web")
    running = living(cluster.record())
    assert len(running) > 10
    assert before == host(), "a running cluster shows outside of its own namespaces"

    cluster.down()

    assert [] == [process for process in running if process.alive()]
    assert [] == traces()
    assert before == host()


@pytest.mark.long
def test_a_start_that_was_killed_is_cleaned_by_the_next() -> None:
    command = [sys.executable, "-m", "tests.cluster", "up", NAME, "--nodes", "1"]
    starting = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not _api_server_runs() and time.monotonic() < deadline:
        time.sleep(0.05)
    starting.send_signal(signal.SIGKILL)
    starting.communicate()
    record = state.load(NAME)
    assert record is not None
    left = living(record)
    assert left

    cluster = start(make_spec(NAME, nodes=1))

    assert [] == [process for process in left if process.alive()]
    assert cluster.kubectl("get", "nodes", "-o", "name").stdout.split() == ["node/n1"]


@pytest.mark.long
def test_a_cluster_whose_record_was_lost_is_cleaned_as_well() -> None:
    running = living(start(make_spec(NAME, nodes=1)).record())
    (state.state_root() / NAME / "record.json").unlink()

    lifecycle.down(NAME)

    assert [] == [process for process in running if process.alive()]
    assert [] == traces()


def test_a_failed_start_says_what_why_and_what_to_try(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(controlplane, "etcd", lambda: ["etcd", "--no-such-flag"])
    monkeypatch.setattr(lifecycle, "_PATIENCE", 2)

    with pytest.raises(ClusterError) as failure:
        start(make_spec(NAME, nodes=1))

    assert "cp/etcd has ended" in failure.value.why
    assert failure.value.remedy


def test_down_of_what_never_was_is_no_error() -> None:
    lifecycle.down("never-there")

    assert "never-there" not in state.names()


def _api_server_runs() -> bool:
    record = state.load(NAME)
    return record is not None and "proxy" in record.programs
