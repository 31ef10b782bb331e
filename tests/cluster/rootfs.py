"""The script that turns a fresh set of namespaces into a machine with a root file system of its own.

Pure text. /usr and /etc come from the host, under overlays; everything else is the machine's own; the old
root is let go, so no mount of the machine is seen outside and none from outside is kept busy by it.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.cluster.cgroups import Hierarchy

BOOTED = "booted"
KUBE = "/opt/kubernetes/kube"

# Kubelets and Cilium's agents set these, which belong to the whole host (one of them cannot be unset). A file of the
# node's own lies over each, holding what the kubelet wants to find.
_SYSCTLS = {
    "kernel/keys/root_maxbytes": "25000000",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/timer_migration": "0",
    "kernel/unprivileged_bpf_disabled": "1",
    "net/core/bpf_jit_enable": "1",
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
}

_FOLDERS = "usr etc var opt dev proc sys run tmp root mnt home srv old opt/cni/bin opt/kubernetes"


@dataclass(frozen=True, slots=True)
class Root:
    """What a machine's root file system is made of."""

    home: Path
    """The machine's folder in the cluster's state."""
    hierarchies: tuple[Hierarchy, ...]
    files: Mapping[Path, str] = field(default_factory=dict)
    """Files of this machine -> where the node sees them, read-only."""


def init_script(root: Root) -> str:
    """What the first process of the machine runs; it stays as the reaper of orphans."""
    steps = [
        "set -eu",
        f"H={shlex.quote(str(root.home))}; R=$H/root",
        "mount --make-rprivate /",
        "mount -t tmpfs -o mode=755 node $R",
        f"cd $R && mkdir -p {_FOLDERS} && chmod 1777 tmp",
        # merged /usr leaves symlinks behind, older layouts have folders
        "for d in bin sbin lib lib32 lib64; do",
        "  if [ -L /$d ]; then cp -P /$d $R/$d; elif [ -d /$d ]; then mkdir $R/$d; mount --bind /$d $R/$d; fi",
        "done",
        "mount -t overlay -o lowerdir=/usr,upperdir=$H/usr,workdir=$H/usr-work overlay usr",
        "mkdir -p usr/lib/modules",  # pods of an engine mount it, and hosts without modules lack it
        "mount -t overlay -o lowerdir=/etc,upperdir=$H/etc,workdir=$H/etc-work overlay etc",
        "mkdir -p etc/cni/net.d && mount --bind $H/cni etc/cni/net.d",
        "mount --bind $H/var var && mkdir -p var/log/machine && mount --bind $H/log var/log/machine",
        "ln -s /run var/run",
        "mount --rbind /dev dev",
        "mount -t proc proc proc",
        "mount -t sysfs sysfs sys",
        *_cgroup_mounts(root.hierarchies),
        "mount -t bpf bpf sys/fs/bpf",
        "mount -t tmpfs run run && mkdir -p run/netns run/lock run/machine run/cilium/cgroupv2",
        "mount -t cgroup2 none run/cilium/cgroupv2",
        *_files(root.files),
        *_own_sysctls(),
        # containerd looks here for network plug-ins, and an engine adds its own
        "mount -t overlay -o lowerdir=/usr/lib/cni,upperdir=$H/plugins,workdir=$H/plugins-work overlay opt/cni/bin",
        "pivot_root . old && umount -l /old && rmdir /old",
        # last of all: an engine's pods mount with propagation from the node
        "mount --make-rshared /",
        f"touch /run/machine/{BOOTED}",
        "echo ready",
        # waiting for one child reaps all the others that were left to this process
        "while :; do sleep 3600 & wait $! || true; done",
    ]
    return "\n".join(steps) + "\n"


def _cgroup_mounts(found: Iterable[Hierarchy]) -> list[str]:
    steps = []
    for hierarchy in found:
        place = str(hierarchy.mount).lstrip("/")
        if hierarchy.unified:
            # No controllers for the children of a cgroup that holds processes: they move one down.
            return [
                f"mount -t cgroup2 cgroup {place}",
                f"mkdir -p {place}/system && echo 0 > {place}/system/cgroup.procs",
            ]
        options = f"-o {hierarchy.options} " if hierarchy.options else ""
        steps.append(f"mkdir -p {place} && mount -t {hierarchy.fstype} {options}cgroup {place}")
    return ["mount -t tmpfs -o mode=755 cgroup sys/fs/cgroup", *steps]


def _files(files: Mapping[Path, str]) -> list[str]:
    return [
        f"touch .{shlex.quote(inside)} && mount --bind {shlex.quote(str(outside))} .{shlex.quote(inside)}"
        f" && mount -o remount,bind,ro .{shlex.quote(inside)}"
        for outside, inside in files.items()
    ]


def _own_sysctls() -> list[str]:
    return [
        f"if [ -e proc/sys/{name} ]; then f=run/machine/{name.replace('/', '.')}; echo {value} > $f;"
        f" mount --bind $f proc/sys/{name}; fi"
        for name, value in _SYSCTLS.items()
    ]
