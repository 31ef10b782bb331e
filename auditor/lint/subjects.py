"""Policies that select nothing, or nothing that policies apply to."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.lint.case import Case, Hit, Lint
from auditor.lint.hints import listed, text
from auditor.lint.views import PolicyView, is_choosy
from auditor.model.cluster import Pod
from auditor.model.labels import LabelSelector
from auditor.model.lint import LintSeverity
from auditor.model.policy import NetworkPolicy
from auditor.model.words import plural


def selects_nothing(case: Case) -> Iterator[Hit]:
    """A selector that no pod meets, neither a running one nor one that comes and goes."""
    for view in case.policies:
        if view.subject:
            continue
        if view.policy is None:
            yield from _foreign(case, view)
        elif view.policy.pod_selector.requirements and case.can_tell(view.namespace):
            waiting = case.absent.explain(view.namespace, view.policy.pod_selector)
            if not waiting:
                yield _selects_nothing(case, view, view.policy)


def _selects_nothing(case: Case, view: PolicyView, policy: NetworkPolicy) -> Hit:
    home, selector = view.namespace, policy.pod_selector
    count = case.crowd.in_namespace(home)
    why = list(case.tally(home).why_nothing(selector, f"pod of {home}")) if count else [f"{home} has no pods at all"]
    elsewhere = case.namespaces_with(selector) - {home} if count else set()
    remedy = "correct the labels in spec.podSelector, or delete the policy"
    if elsewhere:
        why.append(f"pods with {text(selector)} are in {listed(elsewhere)}")
        remedy = f"create the policy where the pods are: in {listed(elsewhere)}; a policy selects in its own namespace"
    message = f"selects no pod: {text(selector)} matches nothing in {home}"
    return Hit(view.object, "spec.podSelector", message, tuple(why), remedy, text(selector))


def _foreign(case: Case, view: PolicyView) -> Iterator[Hit]:
    """A policy of another kind; one that names no labels is ready for pods to come."""
    if not any(is_choosy(section.subject) for section in view.sections):
        return
    if not (case.whole if not view.namespace else case.can_tell(view.namespace)):
        return
    where = view.namespace or "the cluster"
    why = (f"none of the {plural(case.labels.total, 'pod')} that were read meets its selectors",)
    remedy = "correct the labels by which it selects, or delete it"
    yield Hit(view.object, "spec", f"selects no pod of {where}", why, remedy, "subject")


def selects_host_pods(case: Case) -> Iterator[Hit]:
    """A policy whose selector meets pods on the host's network, of which the API leaves open what it means."""
    for view in case.network_policies:
        if view.policy is None:
            continue
        selector = view.policy.pod_selector
        hosted = [pod for pod in case.absent.on_host(view.namespace) if selector.matches(pod.labels)]
        # Beside pods of its own network a policy for everybody is no mistake.
        if hosted and (selector.requirements or not view.subject):
            yield _on_host(view, selector, hosted)


def _on_host(view: PolicyView, selector: LabelSelector, hosted: list[Pod]) -> Hit:
    names = listed(pod.name for pod in hosted)
    only = "only pods" if not view.subject else "pods"
    message = f"selects {only} on the host's network, which most engines leave out of policies"
    return Hit(
        view.object,
        "spec.podSelector",
        message,
        (f"spec.hostNetwork is true in {names}",),
        "limit such pods by a firewall on their nodes, or take them off the host's network",
        text(selector),
        None if not view.subject else LintSeverity.INFO,
    )


def in_missing_namespace(case: Case) -> Iterator[Hit]:
    """A policy in a namespace that is not there."""
    snapshot = case.snapshot
    if "namespaces" in snapshot.unreadable:
        return
    for view in case.policies:
        lost = ("namespaces", view.namespace) in snapshot.unreadable_in
        if view.namespace and view.namespace not in case.namespaces and not lost:
            yield Hit(
                view.object,
                "metadata.namespace",
                f"is in the namespace {view.namespace}, which is not there",
                (f"the {plural(len(case.namespaces), 'namespace')} that were read have other names",),
                "create the namespace first, or correct the name",
                "namespace",
            )


SELECTS_NOTHING = Lint("policy-selects-nothing", "a policy that selects no pod", LintSeverity.WARNING, selects_nothing)
SELECTS_HOST_PODS = Lint(
    "policy-on-host-network", "a policy for pods on the host's network", LintSeverity.WARNING, selects_host_pods
)
MISSING_NAMESPACE = Lint(
    "policy-namespace-missing", "a policy in a namespace that is not there", LintSeverity.WARNING, in_missing_namespace
)
