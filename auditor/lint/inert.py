"""What a manifest says in vain, or says more of than its author may think."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.lint.case import Case, Hit, Lint
from auditor.lint.views import RuleView
from auditor.model.flow import Direction
from auditor.model.lint import LintSeverity
from auditor.model.policy import Oddity, Remark
from auditor.model.words import plural

OF_LIST = {"from": "peer", "to": "peer", "ports": "port"}


def inert_rules(case: Case) -> Iterator[Hit]:
    """Rules of a direction that `policyTypes` leaves out."""
    for view in case.network_policies:
        for direction in Direction:
            if view.policy is None or direction in view.policy.isolates or not view.policy.rules(direction):
                continue
            word, count = direction.value.lower(), len(view.policy.rules(direction))
            yield Hit(
                view.object,
                f"spec.{word}",
                f"has {plural(count, f'{word} rule')} without effect: policyTypes does not list {direction.value}",
                (f"a policy without {direction.value} in policyTypes leaves {word} as it is, whatever its rules say",),
                f"add {direction.value} to spec.policyTypes, or delete the rules",
                f"inert:{word}",
            )


def untyped_egress(case: Case) -> Iterator[Hit]:
    """An empty list of egress rules that closes nothing."""
    for view in case.network_policies:
        for _ in _remarks(view.policy.remarks if view.policy else (), Oddity.UNTYPED_EGRESS):
            yield Hit(
                view.object,
                "spec.egress",
                "does not close egress: an empty list without policyTypes leaves it open",
                ("where policyTypes is left out, Egress is added only if there is an egress rule",),
                "set spec.policyTypes: [Ingress, Egress]",
                "untyped-egress",
            )


def empty_lists(case: Case) -> Iterator[Hit]:
    """An empty list that means any, and looks like none."""
    for view in case.network_policies:
        for remark in _remarks(view.policy.remarks if view.policy else (), Oddity.EMPTY_LIST):
            key = remark.path.rpartition(".")[2]
            item = OF_LIST[key]
            yield Hit(
                view.object,
                remark.path,
                f"an empty list here means any {item}, not none",
                (f"{key}: [] and no {key} at all are the same (NetworkPolicyIngressRule, NetworkPolicyEgressRule)",),
                f"delete the rule if nothing is meant, or the list if every {item} is",
                remark.path,
            )


def _remarks(remarks: tuple[Remark, ...], oddity: Oddity) -> list[Remark]:
    return [remark for remark in remarks if remark.oddity is oddity]


def open_to_anyone(case: Case) -> Iterator[Hit]:
    """Rules that let in, or out, whoever there is: outside included."""
    for rule in case.rules:
        whom = _whom(rule)
        if whom and rule.subject and rule.rule is not None:
            ends = "from" if rule.direction is Direction.INGRESS else "to"
            ports = "on some ports" if rule.clause.ports else "on all ports"
            yield Hit(
                rule.of.object,
                rule.path,
                f"allows traffic {ends} anywhere, the world outside included, {ports}",
                (whom, f"it applies to {plural(case.crowd.count(rule.subject), 'pod')}"),
                "nothing, if that is meant; else name the peers",
                f"{rule.direction.value}:open",
            )


def _whom(rule: RuleView) -> str:
    if not rule.peers:
        return "the rule has no peers, which means any"
    for view in rule.peers:
        block = view.peer.ip_block
        if block is not None and block.cidr.prefixlen == 0 and not block.excepts:
            return f"{view.path} is {block.cidr}"
    return ""


INERT = Lint("inert-rules", "rules of a direction that is not listed", LintSeverity.WARNING, inert_rules)
UNTYPED = Lint(
    "egress-left-open", "an empty list of egress rules that closes nothing", LintSeverity.WARNING, untyped_egress
)
EMPTY_LIST = Lint("empty-list-means-any", "an empty list that means any", LintSeverity.INFO, empty_lists)
OPEN = Lint("open-to-anyone", "a rule without limits", LintSeverity.INFO, open_to_anyone)
