"""Peers of NetworkPolicies that mean nobody, and lists that mean OR where AND was most likely meant."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.lint.case import Case, Hit, Lint
from auditor.lint.hints import listed, text
from auditor.lint.views import PeerView, RuleView, is_choosy
from auditor.model.cluster import Namespace
from auditor.model.labels import EVERYTHING, LabelSelector, Operator
from auditor.model.lint import LintSeverity
from auditor.model.policy import Peer
from auditor.model.words import plural

NAME = "kubernetes.io/metadata.name"


def unknown_namespace_labels(case: Case) -> Iterator[Hit]:
    """A namespaceSelector that no namespace meets."""
    if "namespaces" in case.snapshot.unreadable:
        return
    for rule, view in _peers(case):
        selector = view.peer.namespace_selector
        if selector is None or view.pods or _homes(case, selector) or _is_elsewhere(case, selector):
            continue
        meant = _meant(case, selector)
        why = (*case.namespace_labels.why_nothing(selector, "namespace"), *meant)
        message = f"no namespace is selected by {text(selector)}"
        remedy = "correct the labels, or put them on the namespaces that are meant: kubectl label namespace NAME ..."
        yield Hit(
            rule.of.object,
            f"{view.path}.namespaceSelector",
            message,
            (*why, *_consequence(rule), *_limits(case)),
            remedy,
            _about(rule, view),
            # Beside manifests others may lie, unless it is plain which of these namespaces is meant.
            None if case.whole or meant else LintSeverity.INFO,
        )


def dead_rules(case: Case) -> Iterator[Hit]:
    """A rule none of whose peers means anybody."""
    for rule in _dead(case):
        reasons = [_why_dead(case, rule, view) for view in rule.peers]
        if all(reasons) and not any(_lacks_namespace(case, view.peer) for view in rule.peers):
            yield Hit(
                rule.of.object,
                rule.path,
                "none of its peers is a pod that exists: the rule allows nothing",
                tuple(f"{view.path}: {reason}" for view, reason in zip(rule.peers, reasons, strict=True)),
                _REMEDY,
                "|".join(_about(rule, view) for view in rule.peers),
            )
    yield from _dead_elsewhere(case)


def _dead_elsewhere(case: Case) -> Iterator[Hit]:
    """The same of other kinds of policy, in a cluster of which all pods were read."""
    for policy in case.policies if case.whole else ():
        for rule in policy.rules if policy.policy is None else ():
            if rule.subject and not rule.pods and not rule.beyond and is_choosy(rule.clause.peer):
                action = rule.clause.action.value
                yield Hit(
                    rule.of.object,
                    rule.path,
                    f"none of its peers is a pod that exists: there is nothing for it to {action}",
                    (f"none of the {plural(case.labels.total, 'pod')} that were read meets its selectors",),
                    _REMEDY,
                    rule.path,
                )


def dead_peers(case: Case) -> Iterator[Hit]:
    """A peer that means nobody, in a rule that has others."""
    dead = {id(rule) for rule in _dead(case) if not any(_lacks_namespace(case, view.peer) for view in rule.peers)}
    for rule, view in _peers(case):
        if id(rule) in dead or view.pods or view.peer.ip_block is not None or _lacks_namespace(case, view.peer):
            continue
        reason = _why_dead(case, rule, view)
        if reason:
            yield Hit(rule.of.object, view.path, "means no pod", (reason,), _REMEDY, _about(rule, view))


_REMEDY = "correct the labels, or delete what is no longer needed"


def _peers(case: Case) -> Iterator[tuple[RuleView, PeerView]]:
    """The peers of all rules of NetworkPolicies in force; a policy that selects nothing is odd enough."""
    for policy in case.network_policies:
        for rule in policy.rules if policy.subject else ():
            for view in rule.peers:
                yield rule, view


def _dead(case: Case) -> Iterator[RuleView]:
    for policy in case.network_policies:
        for rule in policy.rules if policy.subject else ():
            if rule.peers and not rule.beyond and not rule.pods:
                yield rule


def _homes(case: Case, selector: LabelSelector) -> list[Namespace]:
    return case.namespaces_meeting(selector)


def _lacks_namespace(case: Case, peer: Peer) -> bool:
    return peer.namespace_selector is not None and not _homes(case, peer.namespace_selector)


def _meant(case: Case, selector: LabelSelector) -> tuple[str, ...]:
    """The namespaces that a selector seems to call by their names, as if a label of that value came by itself."""
    values = {value for item in selector.requirements for value in item.values} & case.namespaces.keys()
    return (f"{listed(values)} has no such label: only {NAME} comes by itself",) if values else ()


def _is_elsewhere(case: Case, selector: LabelSelector) -> bool:
    """Whether manifests name a namespace that they do not hold: it may well exist in the cluster."""
    return not case.whole and NAME in selector.keys


def _consequence(rule: RuleView) -> tuple[str, ...]:
    return ("no other peer of the rule means anybody, so it allows nothing",) if not (rule.pods or rule.beyond) else ()


def _limits(case: Case) -> tuple[str, ...]:
    return () if case.whole else ("only the namespaces of these manifests were looked at",)


def _why_dead(case: Case, rule: RuleView, view: PeerView) -> str:
    """Why a peer means no pod; empty where pods may come that it means, or that were not read."""
    peer = view.peer
    selector = peer.pod_selector or EVERYTHING
    if not _all_known(case, peer):
        return ""
    if peer.namespace_selector is None:
        homes = [rule.of.namespace]
    else:
        homes = [item.name for item in _homes(case, peer.namespace_selector)]
    if not homes or not all(case.can_tell(name) for name in homes):
        return ""
    hosted = case.absent.hosted_in(homes, selector)
    if hosted:
        names = listed(f"{pod.namespace}/{pod.name}" for pod in hosted)
        return (
            f"only pods on the host's network meet it ({names}), and their traffic is their node's: name it by ipBlock"
        )
    if not selector.requirements or any(case.absent.explain(name, selector) for name in homes):
        return ""
    return _why_no_pod(case, peer, selector, homes)


def _all_known(case: Case, peer: Peer) -> bool:
    """Whether all pods that a peer may mean were read: of manifests, if it is bound to namespaces that they hold."""
    if case.whole or peer.namespace_selector is None:
        return True
    named = [item for item in peer.namespace_selector.requirements if item.key == NAME and item.operator is Operator.IN]
    return any(item.values <= case.namespaces.keys() for item in named)


def _why_no_pod(case: Case, peer: Peer, selector: LabelSelector, homes: list[str]) -> str:
    what = f"pod of {homes[0]}" if len(homes) == 1 else f"pod of {plural(len(homes), 'namespace')}"
    tally = case.tally(homes[0]) if len(homes) == 1 else case.labels
    reason = "; ".join(tally.why_nothing(selector, what)) if tally.total else f"{homes[0]} has no pods"
    elsewhere = case.namespaces_with(selector) if peer.namespace_selector is None else set()
    if elsewhere:
        reason += f"; pods with {text(selector)} are in {listed(elsewhere)}, which needs a namespaceSelector beside it"
    return reason


def _about(rule: RuleView, view: PeerView) -> str:
    peer = view.peer
    namespaces = "" if peer.namespace_selector is None else text(peer.namespace_selector)
    own = "" if peer.pod_selector is None else text(peer.pod_selector)
    return f"{rule.direction.value}:{namespaces}/{own}"


def split_selectors(case: Case) -> Iterator[Hit]:
    """Two items, one with a namespaceSelector and one with a podSelector, whose pods show that one item was meant.

    Both items together are OR, and often meant so.  What tells is one of these: the pods that the podSelector names are
    not in the policy's namespace but in one that the other item selects; or the other item selects the policy's
    namespace as well, all of whose pods are let in by it, so that the podSelector adds nothing.
    """
    for policy in case.network_policies:
        for rule in policy.rules if policy.subject else ():
            alone = [view for view in rule.peers if _only_pods(view.peer)]
            spaces = [view for view in rule.peers if _only_namespaces(view.peer)]
            for view in alone:
                found = next((hit for other in spaces if (hit := _split(case, rule, view, other))), None)
                if found:
                    yield found


def _only_pods(peer: Peer) -> bool:
    return peer.namespace_selector is None and bool(peer.pod_selector and peer.pod_selector.requirements)


def _only_namespaces(peer: Peer) -> bool:
    return peer.pod_selector is None and peer.namespace_selector is not None


def _split(case: Case, rule: RuleView, view: PeerView, other: PeerView) -> Hit | None:
    own, namespaces = view.peer.pod_selector, other.peer.namespace_selector
    if own is None or namespaces is None:
        return None
    there = case.meeting(own) & other.pods
    home = case.crowd.in_namespace(rule.of.namespace)
    if not view.pods and there:
        reason = (
            f"{view.path}: no pod of {rule.of.namespace} has {text(own)}, "
            f"and the namespaces that {other.path} selects hold {plural(case.crowd.count(there), 'pod')} with it"
        )
    elif home and home & ~other.pods == 0:
        reason = f"{other.path} lets every pod of {rule.of.namespace} in as well, so {view.path} adds nothing to it"
    else:
        return None
    strangers = case.crowd.count(other.pods & ~there)
    return Hit(
        rule.of.object,
        rule.path,
        "lists a namespaceSelector and a podSelector as two peers: OR, where AND looks intended",
        (reason, f"as it stands, {plural(strangers, 'pod')} without {text(own)} of those namespaces are meant too"),
        "write both selectors into one item of the list: without the dash before the second one",
        f"{rule.direction.value}:{text(namespaces)}/{text(own)}",
    )


UNKNOWN_NAMESPACE_LABEL = Lint(
    "namespace-label-unknown",
    "a namespaceSelector that no namespace meets",
    LintSeverity.WARNING,
    unknown_namespace_labels,
)
DEAD_RULE = Lint("rule-matches-nothing", "a rule that allows nothing", LintSeverity.WARNING, dead_rules)
DEAD_PEER = Lint("peer-matches-nothing", "a peer that means no pod", LintSeverity.INFO, dead_peers)
SPLIT_SELECTORS = Lint(
    "selectors-or-not-and", "two peers where one looks intended", LintSeverity.WARNING, split_selectors
)
