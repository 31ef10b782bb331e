"""A machine of the cluster: namespaces (mount, network, process, host name, IPC, cgroup), a root and what runs in it.

Ends when its first process is killed: the kernel takes everything else in its process namespace along.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import cgroups
from tests.cluster.errors import ClusterError
from tests.cluster.processes import Process, in_pid_namespace
from tests.cluster.rootfs import Root, init_script

_OVERLAYS = ("etc", "usr", "plugins")
_FOLDERS = ("root", "var/lib", "var/log", "cni", "log", *_OVERLAYS, *(f"{name}-work" for name in _OVERLAYS))
_JOIN = 'for place in $PLACES; do echo 0 > "$place/cgroup.procs"; done; unset PLACES; '
# Inside a machine the shell is in its process namespace, so what it leaves behind belongs to the first process there.
_DETACH = 'log=$1; shift; setsid "$@" >>"$log" 2>&1 </dev/null & echo $!'


@dataclass(frozen=True, slots=True)
class Machine:
    """A running machine."""

    name: str
    home: Path
    init: Process
    cgroups: tuple[Path, ...]

    def log(self, program: str) -> Path:
        """Where a program started by `spawn` writes."""
        return self.home / "log" / f"{program}.log"

    def run(self, *command: str, stdin: str | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command inside to its end."""
        done = subprocess.run(
            self.argv(*command), input=stdin, text=True, capture_output=True, check=False, env=self._environment()
        )
        if check and done.returncode:
            raise ClusterError(
                f"{self.name}: {' '.join(command)[:200]} failed",
                f"exit {done.returncode}: {(done.stderr or done.stdout).strip()[-1000:]}",
                f"python -m tests.cluster exec CLUSTER {self.name} -- {' '.join(command)[:100]}",
            )
        return done

    def run_attached(self, *command: str) -> int:
        """Run a command inside with this program's own input and output."""
        return subprocess.run(self.argv(*command), check=False, env=self._environment()).returncode

    def argv(self, *command: str) -> list[str]:
        """The command of this machine (needs `PLACES` in its environment) that runs `command` inside."""
        enter = ["nsenter", "--target", str(self.init.pid), "--all", "--", *command]
        return ["sh", "-c", _JOIN + 'exec "$@"', "sh", *enter]

    def spawn(self, program: str, command: Sequence[str], env: Mapping[str, str] | None = None) -> Process:
        """Start a program that outlives this one."""
        settings = [f"{key}={value}" for key, value in (env or {}).items()]
        inner = ["sh", "-c", _DETACH, "sh", f"/var/log/machine/{program}.log", "env", *settings, *command]
        pid = int(self.run(*inner).stdout)
        process = in_pid_namespace(self.init.pid, pid)
        if process is None:
            why = f"{self.name}/{program} has ended at once; {tail(self.log(program))}"
            raise ClusterError(f"{program} does not run on {self.name}", why, "read its log")
        return process

    def _environment(self) -> dict[str, str]:
        # Nothing of the caller's own environment belongs into a node: no proxies, no kubeconfig, no tokens.
        return {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "PLACES": " ".join(str(_entrance(place)) for place in self.cgroups),
            "HOME": "/root",
        }


def boot(name: str, root: Root, places: Sequence[Path]) -> Machine:
    """Make the namespaces and the root file system; returns when both stand."""
    for folder in _FOLDERS:
        (root.home / folder).mkdir(parents=True, exist_ok=True)
    # Names from outside mean nothing in here, and asking for them would only take time.
    (root.home / "etc" / "resolv.conf").write_text("")
    (root.home / "etc" / "hosts").write_text(f"127.0.0.1 localhost {name}\n::1 localhost\n")
    script = root.home / "init.sh"
    script.write_text(init_script(root))
    log = root.home / "log" / "init.log"
    unshare = ["unshare", "--mount", "--net", "--pid", "--fork", "--uts", "--ipc", "--cgroup", "sh", str(script)]
    init = _await_init(name, run_detached(unshare, log, places), log)
    machine = Machine(name, root.home, init, tuple(places))
    machine.run("hostname", name)
    return machine


def run_detached(command: Sequence[str], log: Path, places: Sequence[Path]) -> Process:
    """Start a program outside of all machines, in these cgroups, that outlives this one."""
    started = subprocess.run(
        ["sh", "-c", _JOIN + _DETACH, "sh", str(log), *command],
        text=True,
        capture_output=True,
        check=False,
        env={"PATH": os.environ["PATH"], "PLACES": " ".join(str(_entrance(place)) for place in places)},
    )
    process = Process.of(int(started.stdout)) if started.returncode == 0 else None
    if process is None:
        raise ClusterError(f"{command[0]} ended at once", f"{started.stderr.strip()}\n{tail(log)}", "run as root")
    return process


def tail(log: Path, lines: int = 15) -> str:
    """The end of a log, for an error message."""
    if not log.exists():
        return f"no log at {log}"
    return f"end of {log}:\n" + "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def missing_programs(names: Sequence[str]) -> list[str]:
    """Which of these programs this machine lacks."""
    return [name for name in names if shutil.which(name) is None]


def _await_init(name: str, holder: Process, log: Path, timeout: float = 20) -> Process:
    deadline = time.monotonic() + timeout
    while holder.alive() and time.monotonic() < deadline:
        if log.exists() and log.read_text().strip() == "ready":
            process = Process.of(int(Path(f"/proc/{holder.pid}/task/{holder.pid}/children").read_text()))
            if process:
                return process
        time.sleep(0.005)
    raise ClusterError(f"machine {name} does not start", tail(log), "run as root, with mount and unshare permitted")


def _entrance(place: Path) -> Path:
    # see rootfs: under cgroup version 2 the processes of a machine live one down
    system = place / "system"
    return system if place.is_relative_to(Path("/sys/fs/cgroup")) and system.is_dir() and _is_unified(place) else place


def _is_unified(place: Path) -> bool:
    return any(h.unified and place.is_relative_to(h.mount) for h in cgroups.hierarchies())
