"""What the user asked for, with the defaults of the command."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from auditor.model.expectation import Expectation
from auditor.model.finding import Severity
from auditor.model.handshake import External
from auditor.model.labels import LabelSelector

NEVER_PORTS = (515, 3306, 9100)
"""Where a connection without a word may do something: printers take it for a job (LPD, raw printing), and MySQL counts
it against the client's address, which it blocks after `max_connect_errors` of them, 100 by default."""


class Kind(enum.Enum):
    """The kinds of hazards that keep probe pods away from workloads; `--allow KIND` overrules one."""

    SERVICE = "service"
    HPA = "hpa"
    VPA = "vpa"
    PODMONITOR = "podmonitor"
    TOPOLOGY = "topology"
    AFFINITY = "affinity"
    QUOTA = "quota"
    OPERATOR = "operator"


class Mode(enum.Enum):
    """Where probes stand."""

    CLONE = "clone"
    """Beside workloads, with their policy-relevant labels."""
    SENTINEL = "sentinel"
    """In netaudit's own namespaces alone, under policies of its own: what the engine does, not what the users' do."""
    SHADOW = "shadow"
    """In netaudit's own namespaces, with the labels of workloads and under copies of their policies."""
    INPLACE = "inplace"
    """Inside real pods, in ephemeral containers that stay until the pods are replaced."""


class Targets(enum.Enum):
    """What probe pods connect to."""

    POD = "pod"
    """Each other alone."""
    REAL = "real"
    """The workloads' own pods as well, by handshake."""
    SERVICE = "service"
    """Pods of netaudit's own as well, through Services of netaudit's own."""


class Transport(enum.Enum):
    """How work gets to the agents, and what they found back."""

    EXEC = "exec"
    """By exec into the probe pods, on stdin and stdout."""
    LOGS = "logs"
    """By an annotation of the probe pods and their logs, where nobody may exec."""


class Coverage(enum.Enum):
    """How many of the flows that could be tried are."""

    SMOKE = "smoke"
    """A denial and an allowed flow for each node and direction."""
    RULES = "rules"
    """Enough for each policy direction, rule, node and identity, and a sample of the other denials."""
    FULL = "full"
    """Every pair of identities on every port."""


@dataclass(frozen=True, slots=True)
class Options:
    """Everything that decides about an audit but the cluster itself.

    Times are in seconds.  `namespaces` empty means all but system ones.
    """

    mode: Mode = Mode.CLONE
    namespaces: tuple[str, ...] = ()
    selector: LabelSelector | None = None
    image: str = "busybox:1.37"
    agent: str = "auto"
    """What runs in the probe pods: shell, python, or auto, by the image's name."""
    transport: Transport = Transport.EXEC
    max_pods: int = 200
    max_flows: int = 200_000
    rate: int = 20
    """API requests a second."""
    budget: int = 600
    settle: float = 45.0
    start_timeout: float = 60.0
    """How long probe pods may take to run before they are given up; it begins anew when one of them does."""
    connect_timeout: float = 1.0
    tries: int = 3
    min_coverage: float = 0.9
    fail_on: Severity = Severity.HIGH
    allow: tuple[str, ...] = ()
    """Values of `Kind` whose hazards the user takes."""
    coverage: Coverage = Coverage.RULES
    sample: int = 1000
    """Denied flows that `--coverage rules` draws beyond those that it needs."""
    seed: int = 0
    """By which they are drawn."""
    enforce_time: bool = False
    """Whether it is timed how soon policies hold, with a policy and two pods for each node of netaudit's own."""
    ping: bool = False
    """Whether probe pods ask each other for ICMP echoes as well: a diagnostic, and never a verdict."""
    expectations: tuple[Expectation, ...] = ()
    """What the user says must work and must not."""
    externals: tuple[External, ...] = ()
    """Addresses outside the cluster with which handshakes are tried."""
    targets: Targets = Targets.POD
    never_ports: tuple[int, ...] = NEVER_PORTS
    """Ports of real pods that are left alone, sorted."""

    sandbox: bool = False
    """Whether manifests are audited that run on this machine, and no cluster."""
    fault: str = ""
    """The name of the fault that the sandbox's engine has; empty for none."""

    @property
    def overlay(self) -> str:
        """The folder of deploy/kustomize that has the rights of such a run."""
        if self.targets is Targets.SERVICE:
            return f"{self.mode.value}-services"
        logs = self.mode is Mode.CLONE and self.transport is Transport.LOGS
        return f"{self.mode.value}-logs" if logs else self.mode.value
