"""Manifests that nothing real reacts to, and that the strictest admission lets in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from auditor.cluster.decode_pod import decode_pod
from auditor.cluster.decode_policy import decode_selector
from auditor.model.cluster import ContainerPort
from auditor.model.flow import Protocol
from auditor.model.probe import Role, StandIn
from auditor.plan import own_namespaces
from auditor.pod_flags import AGENTS
from probes import agents
from probes.agents import COURIERS, ECHOERS, PARTS, RESOLVERS, STOPPERS
from probes.pace import BOUNDS
from probes.placement import (
    COMMANDS,
    STOPS,
    WORK,
    AgentSpec,
    Manifest,
    Marks,
    choose_agent,
    holder_manifest,
    namespace_manifest,
    pod_manifest,
)
from probes.wire import MAX_WINDOW

MARKS = Marks("ab12cd", "0.1.0", "2026-01-01T00:10:00Z")
AGENT = AgentSpec("busybox:1.37", 'echo "$NETAUDIT_RUN" $(date)', 600)
WEB = ((Protocol.TCP, 80),)
CLONE = StandIn(
    "i7x",
    Role.CLONE,
    "shop",
    "n1",
    (("app", "web"), ("tier", "")),
    ((Protocol.TCP, 80), (Protocol.TCP, 8080), (Protocol.UDP, 53), (Protocol.SCTP, 9899)),
    (ContainerPort("http", 8080), ContainerPort("dns", 53, Protocol.UDP)),
    "id",
)
CONTROL = StandIn("c0a", Role.CONTROL, "netaudit-ctl-1", "n1", (), WEB)
SAFE_SYSCTLS = {
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
}


def made(item: StandIn = CLONE) -> Manifest:
    return pod_manifest(item, MARKS, AGENT, "nonce123", "holder-uid")


def containers(spec: Manifest) -> Iterator[Manifest]:
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        yield from spec.get(kind, ())


def drops_all(container: Manifest) -> bool:
    capabilities = container["securityContext"]["capabilities"]
    return "ALL" in capabilities["drop"] and set(capabilities.get("add", ())) <= {"NET_BIND_SERVICE"}


RESTRICTED: dict[str, Callable[[Manifest], bool]] = {
    "runs as somebody": lambda spec: spec["securityContext"]["runAsNonRoot"] is True,
    "not as root": lambda spec: spec["securityContext"].get("runAsUser") != 0,
    "seccomp": lambda spec: spec["securityContext"]["seccompProfile"]["type"] in {"RuntimeDefault", "Localhost"},
    "no escalation": lambda spec: all(
        item["securityContext"]["allowPrivilegeEscalation"] is False for item in containers(spec)
    ),
    "no capabilities": lambda spec: all(drops_all(item) for item in containers(spec)),
    "not privileged": lambda spec: not any(item["securityContext"].get("privileged") for item in containers(spec)),
    "no host namespaces": lambda spec: not any(spec.get(f"host{name}") for name in ("Network", "PID", "IPC")),
    "no host ports": lambda spec: not any("hostPort" in p for item in containers(spec) for p in item.get("ports", ())),
    "no volumes": lambda spec: not spec.get("volumes"),
    "safe sysctls": lambda spec: {item["name"] for item in spec["securityContext"].get("sysctls", ())} <= SAFE_SYSCTLS,
    "no host in probes": lambda spec: '"host"' not in repr([item.get("readinessProbe") for item in containers(spec)]),
    "default proc mount": lambda spec: not any("procMount" in item["securityContext"] for item in containers(spec)),
}


@pytest.mark.parametrize("rule", RESTRICTED)
@pytest.mark.parametrize("item", [CLONE, CONTROL], ids=["clone", "control"])
def test_probe_pod_passes_the_restricted_level(rule: str, item: StandIn) -> None:
    """PodSecurity's strictest level admits it."""
    assert RESTRICTED[rule](made(item)["spec"])


@pytest.mark.parametrize("name", COURIERS)
def test_where_nobody_may_exec_work_comes_from_the_pods_own_annotation(name: str) -> None:
    """A courier starts the listeners; its one volume is of a kind that the strictest level admits, and read-only."""
    agent = AgentSpec("i", "text", 60, name, "courier $1")
    spec = pod_manifest(CLONE, MARKS, agent, "n", "u")["spec"]
    [container] = spec["containers"]
    env = {item["name"]: item["value"] for item in container["env"]}

    assert all(holds(spec) for rule, holds in RESTRICTED.items() if rule != "no volumes")
    assert [set(volume) for volume in spec["volumes"]] == [{"name", "downwardAPI"}]
    assert f"metadata.annotations['{WORK}']" in repr(spec["volumes"])
    assert [mount["readOnly"] for mount in container["volumeMounts"]] == [True]
    assert container["command"] == [word.replace("AGENT", "COURIER") for word in COMMANDS[name]]
    assert (env["NETAUDIT_AGENT"], env["NETAUDIT_COURIER"], env["NETAUDIT_LINGER"]) == ("text", "courier $$1", "no")
    assert WORK not in made()["metadata"]["annotations"]


@pytest.mark.parametrize("rule", RESTRICTED)
def test_template_of_the_holder_passes_it_too(rule: str) -> None:
    """Admission may look at pod templates as well."""
    assert RESTRICTED[rule](holder_manifest("shop", MARKS)["spec"]["template"]["spec"])


def test_labels_are_exactly_those_of_the_stand_in() -> None:
    """Nothing more, not even our own mark, so that no selector sees more than the identity's."""
    assert made()["metadata"]["labels"] == {"app": "web", "tier": ""}
    assert made(CONTROL)["metadata"]["labels"] == {}


def test_holder_owns_its_pods_and_selects_none() -> None:
    """The controller owner is a Deployment that never scales and whose selector no probe pod matches."""
    holder = holder_manifest("shop", MARKS)
    (owner,) = made()["metadata"]["ownerReferences"]
    chooses = decode_selector(holder["spec"]["selector"])

    assert (holder["spec"]["replicas"], holder["spec"]["paused"]) == (0, True)
    assert (owner["kind"], owner["name"], owner["uid"]) == ("Deployment", holder["metadata"]["name"], "holder-uid")
    assert owner["controller"] is True
    for item in (CLONE, CONTROL):
        assert not chooses.matches(made(item)["metadata"]["labels"])
    assert chooses.matches(holder["spec"]["template"]["metadata"]["labels"])
    assert holder["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "netaudit"}


def test_pod_never_becomes_ready() -> None:
    """A gate that nobody opens, and a check that does not start while any run lasts."""
    spec = made()["spec"]

    assert spec["readinessGates"]
    assert spec["containers"][0]["readinessProbe"]["initialDelaySeconds"] > AGENT.seconds * 10


def test_pod_ends_by_itself() -> None:
    """The agent has its deadline, the kubelet one of its own, and nothing restarts it."""
    spec = made()["spec"]
    env = {item["name"]: item["value"] for item in spec["containers"][0]["env"]}

    assert spec["restartPolicy"] == "Never"
    assert spec["activeDeadlineSeconds"] == AGENT.seconds == int(env["NETAUDIT_DEADLINE"])


def test_pod_stands_where_it_was_planned() -> None:
    """Node, namespace and what it tolerates; no scheduler, no priority, no token."""
    spec = made()["spec"]

    assert (made()["metadata"]["namespace"], spec["nodeName"]) == ("shop", "n1")
    assert spec["tolerations"] == [{"operator": "Exists"}]
    assert spec["automountServiceAccountToken"] is False
    assert not {"priorityClassName", "serviceAccountName", "affinity"} & set(spec)


def test_only_named_ports_are_declared() -> None:
    """Ports that policies call by name are container ports; the others are only listened on."""
    (container,) = made()["spec"]["containers"]
    env = {item["name"]: item["value"] for item in container["env"]}

    assert container["ports"] == [
        {"name": "http", "containerPort": 8080, "protocol": "TCP"},
        {"name": "dns", "containerPort": 53, "protocol": "UDP"},
    ]
    assert env["NETAUDIT_PORTS"] == "80 8080 53/udp 9899/sctp"
    assert decode_pod(made()).ports == tuple(sorted(CLONE.named_ports, key=lambda port: port.name))


def test_script_reaches_the_agent_unchanged() -> None:
    """The kubelet expands $(NAME) in values and reads $$ as $, so every dollar is doubled."""
    env = {item["name"]: item["value"] for item in made()["spec"]["containers"][0]["env"]}

    assert "$(" not in env["NETAUDIT_AGENT"].replace("$$", "")
    assert env["NETAUDIT_AGENT"].replace("$$", "$") == AGENT.script


def test_command_holds_no_text_of_the_cluster() -> None:
    """Hostile names and nonces are data, never shell words."""
    hostile = StandIn("i0", Role.CLONE, "shop", "n1", (("app", "$(reboot)"),), WEB)
    manifest = pod_manifest(hostile, MARKS, AGENT, "nonce", "uid")

    assert manifest["spec"]["containers"][0]["command"] == made()["spec"]["containers"][0]["command"]
    assert "reboot" not in repr(manifest["spec"])


@pytest.mark.parametrize(
    ("image", "agent"),
    [
        ("busybox:1.37", "shell"),
        ("nicolaka/netshoot", "shell"),
        ("python:3.12-slim", "shell"),
        ("netaudit", "python"),
        ("netaudit/netaudit:latest", "python"),
        ("ghcr.io/netaudit/netaudit:0.1.0", "python"),
        ("registry.example:5000/mirror/netaudit@sha256:0123", "python"),
        ("registry.example:5000/netaudit/busybox:1", "shell"),
        ("netaudit:5000/busybox", "shell"),
        ("example/not-netaudit:1", "shell"),
        ("netaudit-tools", "shell"),
    ],
)
def test_agent_goes_by_the_images_name_unless_it_is_said(image: str, agent: str) -> None:
    """Netaudit's own image has Python, wherever it was copied to; of others only a shell is expected."""
    assert choose_agent("auto", image) == agent
    assert [choose_agent(wanted, image) for wanted in ("shell", "python")] == ["shell", "python"]


def test_each_agent_has_its_text_and_its_words() -> None:
    """The text of every agent is there, and no command depends on anything but its name."""
    folder = Path(agents.__file__).parent

    assert set(PARTS) == set(STOPPERS) == set(STOPS) == set(COMMANDS) == set(AGENTS) - {"auto"} == set(BOUNDS)
    assert {path.name for path in folder.iterdir() if path.is_file()} == {
        *chain(*PARTS.values(), COURIERS.values(), ECHOERS.values(), STOPPERS.values(), RESOLVERS.values()),
        "__init__.py",
    }
    assert max(bound.window for bound in BOUNDS.values()) == MAX_WINDOW
    for name, words in COMMANDS.items():
        spec = pod_manifest(CLONE, MARKS, AgentSpec("i", "t", 60, name), "n", "u")["spec"]
        assert spec["containers"][0]["command"] == [*words, "serve"]


def test_names() -> None:
    """Names are short enough and legal, the part before the last hyphen is the pod's alone, and all bear the run."""
    one, other = made()["metadata"]["name"], made(CONTROL)["metadata"]["name"]

    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", one)
    assert len(one) <= 63
    assert one.rpartition("-")[0] != other.rpartition("-")[0]
    assert one.startswith(f"{MARKS.holder}-")


def test_everything_bears_run_version_and_expiry() -> None:
    """Whatever is found later can be told to be ours, and when it may go."""
    (first, *_) = own_namespaces()
    objects: list[dict[str, Any]] = [
        made(),
        holder_manifest("shop", MARKS),
        namespace_manifest(first.name, first.labels, MARKS),
    ]
    for item in objects:
        assert MARKS.annotations().items() <= item["metadata"]["annotations"].items()


def test_resources_are_said() -> None:
    """Quotas and autoscalers fail on containers without requests and limits."""
    for spec in (made()["spec"], holder_manifest("shop", MARKS)["spec"]["template"]["spec"]):
        for container in containers(spec):
            assert set(container["resources"]["requests"]) == set(container["resources"]["limits"]) == {"cpu", "memory"}
