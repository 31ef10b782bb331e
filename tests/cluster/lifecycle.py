"""Bringing a cluster up, step by step, and taking everything of it down again."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.cluster import apiproxy, cgroups, cilium, controlplane, dns, net, node, provision, registry, spec, state
from tests.cluster.api import Api, wait_for
from tests.cluster.errors import ClusterError
from tests.cluster.machine import Machine, boot, missing_programs, run_detached, tail
from tests.cluster.pki import Pki, make_pki
from tests.cluster.processes import kill_all
from tests.cluster.rootfs import KUBE, Root
from tests.cluster.spec import CONTROL_PLANE, MAX_NAME, OUTSIDE, ClusterSpec, Engine, NodeSpec
from tests.cluster.state import Record

_PROGRAMS = (
    "containerd",
    "ctr",
    "runc",
    "etcd",
    "iptables",
    "conntrack",
    "ip",
    "nsenter",
    "unshare",
    "openssl",
    "sysctl",
)
_INOTIFY_INSTANCES = 8192
"""Every kubelet, containerd and agent takes some; the usual limit of 128 ends with the second cluster."""

_INSTALL = "python -m tests.cluster.artifacts install-packages"
_SOCKET_PATH = 107
_LAYERS = "*/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/*"

_PATIENCE = 60.0
"""Seconds that each step may take, on a machine that is busy with other things."""

Progress = Callable[[str], None]


def say(line: str) -> None:
    """Progress goes to standard error: the last line of standard output is the kubeconfig."""
    sys.stderr.write(f"cluster: {line}\n")


def up(cluster: ClusterSpec, progress: Progress = say) -> Record:
    """Start a cluster; what an earlier one of this name left goes first, and a failed start stays for its logs."""
    _check_machine()
    progress("looking for what it is made of")
    provision.prepare(cluster.engine if cluster.nodes else None)
    started = time.monotonic()
    with state.locked(cluster.name):
        _clean(cluster.name)
        record = Record(cluster)
        _machines(record)
        progress(f"{time.monotonic() - started:.1f} s: machines and wires stand")
        _control_plane(record)
        progress(f"{time.monotonic() - started:.1f} s: the API server answers")
        if cluster.nodes:
            _controllers(record)
            _nodes(record)
            if cluster.engine is Engine.CILIUM:
                cilium.install(record)  # after the kubelets, which have enough to do meanwhile
            progress(f"{time.monotonic() - started:.1f} s: kubelets run")
            _await_pods(record)
        record.ready = True
        record.save()
        progress(f"{time.monotonic() - started:.1f} s: {cluster.name} is ready, {len(cluster.nodes)} node(s)")
    return record


def down(name: str) -> None:
    """Leave nothing of a cluster; no cluster of this name is no error."""
    with state.locked(name):
        _clean(name)
    state.remove_root_if_empty()


def _check_machine() -> None:
    if os.geteuid():
        raise ClusterError("a test cluster cannot be started", "network namespaces and mounts need root", "run as root")
    missing = missing_programs(_PROGRAMS)
    if missing:
        raise ClusterError("a test cluster cannot be started", f"not on the PATH: {', '.join(missing)}", _INSTALL)
    longest = state.state_root() / ("x" * MAX_NAME) / "proxy-429.sock"
    if len(str(longest)) > _SOCKET_PATH:
        why = f"$NETAUDIT_STATE is too long: the path of a unix socket may have {_SOCKET_PATH} characters"
        raise ClusterError("a test cluster cannot be started", why, "choose a shorter one")
    limit = Path("/proc/sys/fs/inotify/max_user_instances")
    if int(limit.read_text()) < _INOTIFY_INSTANCES:
        limit.write_text(str(_INOTIFY_INSTANCES))


def _clean(name: str) -> None:
    record = state.load(name)
    places = set(cgroups.named(state.cgroup(name)))  # also when somebody has removed the record
    if record:
        kill_all(record.inits.values())  # with the first process the kernel ends all of a machine
        kill_all(record.programs.values())
        places |= {Path(place) for place in record.cgroups.get("", ())}
    cgroups.clear(places)
    home = state.state_root() / name
    if home.exists():
        # Nearly all files are in the images' layers, and the disk bears more than one hand.
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(shutil.rmtree, home.glob(_LAYERS)))
        shutil.rmtree(home)


def _machines(record: Record) -> None:
    cluster = record.spec
    found = cgroups.hierarchies()
    own = cgroups.planned(found, state.cgroup(cluster.name))
    record.cgroups = {"": [str(place) for place in own]}
    record.save()  # before anything exists, so that whatever happens, the next `up` finds it
    pki = make_pki(record.home / "pki", cluster)
    _write_files(record, pki)
    with ThreadPoolExecutor(len(cluster.machines)) as pool:
        jobs = {name: pool.submit(_boot, record, found, name) for name in cluster.machines}
    machines = {name: job.result() for name, job in jobs.items()}
    for name, machine in machines.items():
        record.inits[name] = machine.init
        record.cgroups[name] = [str(place) for place in machine.cgroups]
    record.save()
    net.build(cluster, machines)


def _write_files(record: Record, pki: Pki) -> None:
    controlplane.write_files(record.home / CONTROL_PLANE, pki)
    for one in record.spec.nodes:
        node.write_files(record.home / one.name, pki, record.spec, one)


def _boot(record: Record, found: tuple[cgroups.Hierarchy, ...], name: str) -> Machine:
    places = cgroups.make(found, f"{state.cgroup(record.spec.name)}/{name}")
    files = {} if name == OUTSIDE else {provision.kube(): KUBE}
    return boot(name, Root(record.home / name, found, files), places)


def _control_plane(record: Record) -> None:
    cluster, machine = record.spec, record.machine(CONTROL_PLANE)
    env = controlplane.environment(cluster)
    _spawn(record, machine, "etcd", controlplane.etcd())
    _spawn(record, machine, "kube-apiserver", controlplane.api_server(cluster), env)
    if cluster.nodes:
        _images(record)  # meanwhile, as the API server takes its seconds
    _door(record)
    api = Api(record.kubeconfig)
    wait_for(
        "the API server is ready",
        lambda: api.get("/readyz") == "ok",
        _PATIENCE,
        lambda: _log_of(record, CONTROL_PLANE, "kube-apiserver"),
    )
    record.save()


def _controllers(record: Record) -> None:
    """What acts on objects; without any node they stay as they are written."""
    cluster, machine, env = record.spec, record.machine(CONTROL_PLANE), controlplane.environment(record.spec)
    _spawn(record, machine, "kube-controller-manager", controlplane.controller_manager(cluster), env)
    _spawn(record, machine, "kube-scheduler", controlplane.scheduler(), env)
    api = Api(record.kubeconfig)
    for path, body in (*controlplane.first_objects(cluster), *dns.objects(cluster)):
        api.create(path, body)
    record.save()


def _images(record: Record) -> None:
    with ThreadPoolExecutor(len(record.spec.nodes)) as pool:
        for job in [pool.submit(_containerd, record, one) for one in record.spec.nodes]:
            job.result()
    _registry(record)


def _door(record: Record) -> None:
    """Start the proxy and write the kubeconfig that goes through it."""
    pki = Pki(record.home / "pki")
    command = [
        sys.executable, apiproxy.__file__, "--home", str(record.home),
        "--namespace", f"/proc/{record.inits[CONTROL_PLANE].pid}/ns/net",
        "--target", f"{spec.API_V4}:{spec.API_PORT}",
        "--cert", str(pki.cert("apiserver")), "--key", str(pki.key("apiserver")),
    ]  # fmt: skip
    log, port = record.home / "proxy.log", record.home / "proxy.port"
    places = cgroups.make(cgroups.hierarchies(), f"{state.cgroup(record.spec.name)}/proxy")
    record.programs["proxy"] = run_detached(command, log, places)
    record.save()
    wait_for("the way to the API server is open", port.exists, 10, lambda: tail(log))
    record.kubeconfig.write_text(pki.kubeconfig("admin", f"https://127.0.0.1:{int(port.read_text())}"))
    record.kubeconfig.chmod(0o600)


def _registry(record: Record) -> None:
    """Start the registry, with what the first node was given."""
    first = record.machine(record.spec.nodes[0].name)
    listed: list[list[str]] = []

    def serves() -> bool:
        done = first.run("ctr", "--namespace", "k8s.io", "images", "list", check=False)
        listed[:] = [line.split() for line in done.stdout.splitlines()[1:]]
        return bool(listed)

    wait_for("containerd has its images", serves, _PATIENCE, lambda: _log_of(record, first.name, "containerd"))
    images = record.home / "images.json"
    images.write_text(json.dumps({name: (digest, kind) for name, kind, digest, *_ in listed}, indent=1))
    command = [
        sys.executable, registry.__file__, "--listen", spec.REGISTRY, "--images", str(images),
        "--namespace", f"/proc/{record.inits[CONTROL_PLANE].pid}/ns/net",
        "--blobs", str(first.home / "var/lib/containerd/io.containerd.content.v1.content/blobs/sha256"),
    ]  # fmt: skip
    places = cgroups.make(cgroups.hierarchies(), f"{state.cgroup(record.spec.name)}/registry")
    record.programs["registry"] = run_detached(command, record.home / "registry.log", places)


def _containerd(record: Record, one: NodeSpec) -> None:
    machine = record.machine(one.name)
    provision.images(record.spec.engine, machine.home / "var" / "lib" / "containerd")
    _spawn(record, machine, "containerd", node.containerd())


def _nodes(record: Record) -> None:
    env = controlplane.environment(record.spec)
    for one in record.spec.nodes:
        machine = record.machine(one.name)
        _spawn(record, machine, "kubelet", node.kubelet(record.spec, one), env)
        _spawn(record, machine, "kube-proxy", node.kube_proxy(record.spec, one), env)
    record.save()


def restart_kubelet(record: Record, name: str) -> None:
    """Let a node's kubelet read its configuration again; pods go on meanwhile."""
    kill_all([record.programs[f"{name}/kubelet"]])
    one = next(one for one in record.spec.nodes if one.name == name)
    _spawn(
        record, record.machine(name), "kubelet", node.kubelet(record.spec, one), controlplane.environment(record.spec)
    )
    record.save()


def _await_pods(record: Record) -> None:
    """Wait until pods can be created: what the start of a cluster is for."""
    api = Api(record.kubeconfig)
    if record.spec.engine is Engine.CILIUM:
        cilium.configure_nodes(record, api)
        cilium.await_agents(record, api)
    for one in record.spec.nodes:
        _await_node(record, api, one.name)
    account = "/api/v1/namespaces/default/serviceaccounts/default"
    wait_for(
        "service accounts exist",
        lambda: bool(api.get(account)),
        _PATIENCE,
        lambda: _log_of(record, CONTROL_PLANE, "kube-controller-manager"),
    )
    deployment = f"{dns.DEPLOYMENT}/coredns"
    wait_for(
        "DNS answers",
        lambda: api.get(deployment)["status"].get("readyReplicas") == 1,
        _PATIENCE,
        lambda: _log_of(record, record.spec.nodes[0].name, "kubelet"),
    )


def _await_node(record: Record, api: Api, name: str) -> None:
    what = f"node {name} is Ready"
    wait_for(what, lambda: _node_ready(api, name), _PATIENCE, lambda: _log_of(record, name, "kubelet"))


def _log_of(record: Record, machine: str, program: str) -> str:
    """The end of the log that explains a failure: of a program that ended, or else of the one that is waited for."""
    ended = [name for name, process in record.programs.items() if "/" in name and not process.alive()]
    if ended:
        machine, _, program = ended[0].partition("/")
    return f"{machine}/{program}{' has ended' if ended else ''}; {tail(record.machine(machine).log(program))}"


def _node_ready(api: Api, name: str) -> bool:
    conditions = api.get(f"/api/v1/nodes/{name}")["status"]["conditions"]
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def _spawn(
    record: Record, machine: Machine, program: str, command: Sequence[str], env: dict[str, str] | None = None
) -> None:
    record.programs[f"{machine.name}/{program}"] = machine.spawn(program, command, env)
