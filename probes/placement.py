"""Stand-ins into manifests: the probe pod, its holder, and netaudit's own namespaces.

Pure.  Each field of the pod is there so that nothing real reacts to it: it is never ready, owned by a Deployment that
never scales, bound to a node that runs a replica, and as restricted as PodSecurity can ask.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from auditor.errors import NetauditError
from auditor.model.flow import Direction
from auditor.model.labels import LabelSelector
from auditor.model.policy import NetworkPolicy, Peer, PolicyPort, Rule
from auditor.model.probe import MEBI, Resources, StandIn
from probes.wire import listener_word

CONTAINER = "probe"
GATE = "netaudit/never-ready"
WORK = "netaudit/work"
"""The annotation that holds a batch of work where nobody may exec; the courier reads it in /netaudit/work."""
COMMANDS: Mapping[str, tuple[str, ...]] = {
    "shell": ("sh", "-c", 'eval "$NETAUDIT_AGENT"', "netaudit"),
    # Isolated and without site packages: nothing of the image has a say in what the agent imports.
    "python": ("python3", "-IS", "-c", 'import os; exec(os.environ["NETAUDIT_AGENT"])'),
}
"""By agent, what runs its text in a probe pod; `serve` or `probe` follows."""
STOPS: Mapping[str, tuple[str, ...]] = {"shell": ("sh", "-c"), "python": ("python3", "-IS", "-c")}
READING: Mapping[str, tuple[str, ...]] = {
    "shell": ("sh", "-c", 'read -r text; eval "$(printf %b "$text")"', "netaudit"),
    "python": ("python3", "-IS", "-c", "import sys; exec(eval(sys.stdin.readline()))"),
}
"""By agent, what runs a text that is the first line of its input: too long for the words of an exec."""
OWN_IMAGE = re.compile(r"(?:.*/)?netaudit(?::[^/]*)?(?:@[^/]*)?")
"""netaudit's own image, whatever registry and folder it was copied to."""
NEVER = 100_000
"""Seconds before the first readiness check: longer than any run."""
NOBODY = 65534
POLICED = re.compile(r"netaudit-(ctl|conf)-[0-9]+")
"""Namespaces of netaudit's own in which policies may stand; the one of the Lease may hold a user's pods."""
MANAGED_BY = {"app.kubernetes.io/managed-by": "netaudit"}
Manifest = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Marks:
    """What every object of a run carries as annotations."""

    run: str
    """Lower-case letters and digits: it becomes part of names."""
    version: str
    expires: str
    """RFC 3339; when the run is over at the latest, for people who wonder what the object is."""

    def annotations(self) -> dict[str, str]:
        """The marks as annotations."""
        return {"netaudit/run": self.run, "netaudit/version": self.version, "netaudit/expires": self.expires}

    @property
    def holder(self) -> str:
        """The name of the run's holder Deployment, in each namespace."""
        return f"netaudit-{self.run}"

    def pod(self, stand_in: StandIn) -> str:
        """The name of a stand-in's pod: some engines key pods by the part before the last hyphen, so that is unique."""
        return f"netaudit-{self.run}-{stand_in.key}-0"


@dataclass(frozen=True, slots=True)
class AgentSpec:
    """What runs in a probe pod and for how long."""

    image: str
    script: str
    seconds: int
    """Life time: after it the agent ends by itself, and the kubelet ends the pod."""
    name: str = "shell"
    """Which of the agents it is; the pace depends on it."""
    courier: str = ""
    """What hands it its work from the pod's annotations; empty where execs do."""
    stopper: str = ""
    """The program that ends it from inside a pod that stays."""
    resolver: str = ""
    """What looks names up in a pod that runs already; it needs an exec."""
    echoer: str = ""
    """What sends ICMP echo requests from there, in the same way."""

    @property
    def stop(self) -> tuple[str, ...]:
        """The words that end an agent in a real pod."""
        return (*STOPS[self.name], self.stopper)

    @property
    def first(self) -> tuple[str, ...]:
        """The words that start what runs in a probe pod: the courier, which starts the listeners, or the listeners."""
        if not self.courier:
            return self.command("serve")
        return tuple(word.replace("NETAUDIT_AGENT", "NETAUDIT_COURIER") for word in COMMANDS[self.name])

    def command(self, half: str) -> tuple[str, ...]:
        """The words that start one half of the agent, `serve` or `probe`, in a pod that has its text."""
        return (*COMMANDS[self.name], half)

    @property
    def reading(self) -> tuple[str, ...]:
        """The words that start a program which comes as the first line of its input."""
        return READING[self.name]

    def first_line(self, text: str) -> bytes:
        """A program as that line."""
        if self.name == "python":
            return f"{text!r}\n".encode("ascii", "backslashreplace")
        return text.replace("\\", "\\\\").replace("\n", "\\n").encode("ascii") + b"\n"


def choose_agent(wanted: str, image: str) -> str:
    """The agent that is wanted; with `auto` the one that an image of this name has the tools for."""
    if wanted != "auto":
        return wanted
    return "python" if OWN_IMAGE.fullmatch(image) else "shell"


def namespace_manifest(name: str, labels: Mapping[str, str], marks: Marks) -> Manifest:
    """One of netaudit's own namespaces."""
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": dict(labels), "annotations": marks.annotations()},
    }


def holder_labels(run: str) -> dict[str, str]:
    """What a run's holders select: labels that nothing wears."""
    return {"netaudit/holder": run}


def holder_manifest(namespace: str, marks: Marks) -> Manifest:
    """The controller owner of the probe pods: a paused Deployment of 0 replicas, which selects none of them.

    An owner with a scale subresource keeps PodDisruptionBudgets in order: their controller adds a scale of 0.
    """
    chosen = holder_labels(marks.run)
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": marks.holder,
            "namespace": namespace,
            "labels": MANAGED_BY,
            "annotations": marks.annotations(),
        },
        "spec": {
            "replicas": 0,
            # Paused: the deployment controller does not even make a ReplicaSet for it.
            "paused": True,
            "selector": {"matchLabels": chosen},
            "template": {
                "metadata": {"labels": chosen},
                "spec": {
                    "securityContext": _pod_security(),
                    "containers": [
                        {
                            "name": "none",
                            "image": "none",
                            "resources": _resources(Resources()),
                            "securityContext": container_security(),
                        }
                    ],
                },
            },
        },
    }


def policies_path(namespace: str) -> str:
    """Where the NetworkPolicies of one of netaudit's own namespaces stand; raises NetauditError for any other.

    Every request that makes or removes a policy gets its path here (design.md, law 2).
    """
    if not POLICED.fullmatch(namespace):
        raise NetauditError(
            f"netaudit makes and removes no policy in {namespace}",
            why="it does so only in its own namespaces, which hold nobody's workloads",
            attempt="report this: it is a fault of netaudit",
        )
    return f"/apis/networking.k8s.io/v1/namespaces/{namespace}/networkpolicies"


def policy_manifest(policy: NetworkPolicy, marks: Marks) -> Manifest:
    """One of netaudit's own policies; read back it is the same value (`decode_network_policy`)."""
    rules = {Direction.INGRESS: "from", Direction.EGRESS: "to"}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {
            "name": policy.name,
            "namespace": policy.namespace,
            "labels": MANAGED_BY,
            "annotations": marks.annotations(),
        },
        "spec": {
            "podSelector": _selector(policy.pod_selector),
            "policyTypes": sorted(direction.value for direction in policy.isolates),
            **{
                direction.value.lower(): [_rule(rule, peers) for rule in policy.rules(direction)]
                for direction, peers in rules.items()
                if policy.rules(direction)
            },
        },
    }


def _rule(rule: Rule, peers: str) -> Manifest:
    said = {peers: [_peer(peer) for peer in rule.peers], "ports": [_port(port) for port in rule.ports]}
    return {key: items for key, items in said.items() if items}


def _peer(peer: Peer) -> Manifest:
    selectors = {"podSelector": peer.pod_selector, "namespaceSelector": peer.namespace_selector}
    said: Manifest = {key: _selector(item) for key, item in selectors.items() if item is not None}
    if peer.ip_block is not None:
        block = {"cidr": str(peer.ip_block.cidr), "except": [str(item) for item in peer.ip_block.excepts]}
        said["ipBlock"] = {key: value for key, value in block.items() if value}
    return said


def _port(port: PolicyPort) -> Manifest:
    said = {"protocol": port.protocol.value, "port": port.port, "endPort": port.end_port}
    return {key: value for key, value in said.items() if value is not None}


def _selector(selector: LabelSelector) -> Manifest:
    expressions = [
        {"key": item.key, "operator": item.operator.value, **({"values": sorted(item.values)} if item.values else {})}
        for item in selector.requirements
    ]
    return {"matchExpressions": expressions} if expressions else {}


def pod_manifest(stand_in: StandIn, marks: Marks, agent: AgentSpec, nonce: str, holder_uid: str) -> Manifest:
    """The probe pod of a stand-in; `holder_uid` is that of the holder in its namespace."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": marks.pod(stand_in),
            "namespace": stand_in.namespace,
            "labels": dict(stand_in.labels),
            "annotations": {
                **dict(stand_in.annotations),
                **marks.annotations(),
                "cluster-autoscaler.kubernetes.io/safe-to-evict": "true",
            },
            "ownerReferences": [
                {
                    "apiVersion": "apps/v1",
                    "kind": "Deployment",
                    "name": marks.holder,
                    "uid": holder_uid,
                    "controller": True,
                    "blockOwnerDeletion": False,
                }
            ],
        },
        "spec": _pod_spec(stand_in, marks, agent, nonce),
    }


def _pod_spec(stand_in: StandIn, marks: Marks, agent: AgentSpec, nonce: str) -> Manifest:
    by_log = bool(agent.courier)
    return {
        "nodeName": stand_in.node,
        "restartPolicy": "Never",
        "activeDeadlineSeconds": agent.seconds,
        "terminationGracePeriodSeconds": 1,
        **({"serviceAccountName": stand_in.account} if stand_in.account else {}),
        # Policies see whose account it is; the account's rights are nothing that a probe needs.
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": _pod_security(),
        # Never ready in both senses: the pod's Ready by the gate, its containers' by a check that never starts.
        "readinessGates": [{"conditionType": GATE}],
        # The node was chosen because a replica runs there, so its taints are no reason to stay away.
        "tolerations": [{"operator": "Exists"}],
        "containers": [
            {
                "name": CONTAINER,
                "image": agent.image,
                "imagePullPolicy": "IfNotPresent",
                "command": list(agent.first),
                "env": [*agent_env(stand_in, marks, agent, nonce), *_courier_env(agent)],
                **({"volumeMounts": [{"name": "work", "mountPath": "/netaudit", "readOnly": True}]} if by_log else {}),
                "ports": [
                    {"name": port.name, "containerPort": port.number, "protocol": port.protocol.value}
                    for port in stand_in.named_ports
                ],
                "resources": _resources(stand_in.resources),
                "readinessProbe": {"exec": {"command": ["true"]}, "initialDelaySeconds": NEVER},
                "securityContext": container_security(),
            }
        ],
        # The kubelet writes it anew as soon as the annotation changes.
        **({"volumes": [{"name": "work", "downwardAPI": {"items": [_WORK_FILE]}}]} if by_log else {}),
    }


_WORK_FILE = {"path": "work", "fieldRef": {"fieldPath": f"metadata.annotations['{WORK}']"}}


def agent_env(stand_in: StandIn, marks: Marks, agent: AgentSpec, nonce: str) -> list[Manifest]:
    """What an agent is told, its own text included."""
    said = {
        "NETAUDIT_AGENT": escaped(agent.script),
        "NETAUDIT_NONCE": nonce,
        "NETAUDIT_RUN": marks.run,
        "NETAUDIT_PORTS": " ".join(map(listener_word, stand_in.listens)),
        "NETAUDIT_DEADLINE": str(agent.seconds),
    }
    return [{"name": name, "value": value} for name, value in said.items()]


def _courier_env(agent: AgentSpec) -> list[Manifest]:
    if not agent.courier:
        return []
    said = {"NETAUDIT_COURIER": escaped(agent.courier), "NETAUDIT_LINGER": "no"}
    return [{"name": name, "value": value} for name, value in said.items()]


def escaped(script: str) -> str:
    """A text as the kubelet gives it on unchanged: it expands $(NAME) in env and commands, and reads $$ as one $."""
    return script.replace("$", "$$")


def _resources(wanted: Resources) -> Manifest:
    # Requests and limits are there because quotas and autoscalers' arithmetic fail on containers without them.
    storage = {"ephemeral-storage": str(wanted.storage)} if wanted.storage else {}
    return {
        "requests": {"cpu": f"{wanted.cpu}m", "memory": _memory(wanted.memory)} | storage,
        "limits": {"cpu": f"{wanted.cpu_limit}m", "memory": _memory(wanted.memory_limit)} | storage,
    }


def _memory(size: int) -> str:
    return str(size) if size % MEBI else f"{size // MEBI}Mi"


def _pod_security() -> Manifest:
    return {
        "runAsNonRoot": True,
        "runAsUser": NOBODY,
        "runAsGroup": NOBODY,
        "seccompProfile": {"type": "RuntimeDefault"},
        # On PodSecurity's list of safe sysctls; lets the agent listen on the ports that policies name.
        "sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}],
    }


def container_security() -> Manifest:
    """What no container of ours may do."""
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
