"""Which runs are tried with the roles of deploy/kustomize, which rights each lacks in turn, and which it may lack."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from auditor.sentinel import POLICED
from tests.cluster.tests.audit import rights_site
from tests.cluster.tests.audit.rights import HOME, Right, rights

CONTROLS = "netaudit-ctl-1"
UNSERVED = "projectcalico.org"
SLOW = "a probe pod that is slow to go is waited for by looking at it"
KEPT = {
    "get pods": SLOW,
    "get configmaps cilium-config in kube-system": "switches that are not the default answer what the API leaves open, "
    "and are told",
    "update leases.coordination.k8s.io in netaudit": "a run of more than half a minute has to renew its Lease",
}
"""Rights that a short run, where all is as usual, may do without, and why they are given all the same."""


class Case(NamedTuple):
    """A run, and the rights that are taken from it."""

    overlay: str
    words: tuple[str, ...]
    homes: frozenset[str] = frozenset({HOME})
    """Namespaces that an administrator made, and that stay."""
    base: str = ""
    """The overlay whose rights are tried with a run of their own, and not once more here."""
    kept: Mapping[str, str] = {}
    """As `KEPT`, for this run alone."""

    @property
    def sentinel(self) -> bool:
        """Whether it looks at netaudit's own namespaces alone."""
        return "sentinel" in self.words

    @property
    def marks(self) -> bool:
        """Whether real pods keep containers of it."""
        return "inplace" in self.words

    def lacked(self) -> list[Right]:
        """The rights that are taken away in turn, those of this run alone first; of several names the first."""
        known = set(rights(self.base)) if self.base else set()
        found = [right for right in rights(self.overlay) if right not in known and right.group != UNSERVED]
        firsts = {right._replace(name=""): right for right in reversed(found)}
        reads = set(rights("read-only"))
        return sorted((right for right in found if right in firsts.values()), key=lambda right: right in reads)

    def may_lack(self, right: Right) -> bool:
        """Whether a run without it may be as one with it."""
        return str(right) in {*KEPT, *self.kept}


SOON = ("--settle", "0")
BESIDE = ("run", *SOON, "-n", rights_site.SHOP)
WITHIN = ("run", *SOON, "--mode", "sentinel")
OWN = frozenset({HOME, CONTROLS, POLICED})
STAYS = {f"get pods in {home}": SLOW for home in (CONTROLS, POLICED)}
WHOLE = dict.fromkeys(
    ("delete pods", "get deployments.apps", "delete deployments.apps"),
    "where its namespaces stay, because somebody made them, pods and holders go one by one: shown in shadow mode",
)
COUNTED = {
    "get rollouts/scale.argoproj.io": "only pods beside workloads could be counted by these; what reads is one role "
    "for all modes that look at workloads",
}
CASES = {
    case.overlay: case
    for case in (
        Case("clone", BESIDE),
        Case("sentinel", WITHIN, OWN, kept=STAYS),
        Case("clone-logs", (*BESIDE, "--transport", "logs"), base="clone"),
        # Where Services and policies go with their namespace nobody need remove them one by one.
        Case("clone-services", (*BESIDE, "--targets", "service"), frozenset({HOME, POLICED}), base="clone"),
        Case("sentinel-services", (*WITHIN, "--no-enforce-time", "--targets", "service"), OWN, base="sentinel"),
        # In the namespace that stays pods and holders are removed one by one, and others are made and removed whole.
        Case("shadow", (*BESIDE, "--mode", "shadow"), frozenset({HOME, CONTROLS}), kept=COUNTED),
        Case("inplace", (*BESIDE, "--mode", "inplace"), kept={**WHOLE, **COUNTED}),
    )
}
