"""Faults of the kind that policy models are known for, planted into single functions of ours for a while.

A mutant is a piece of a function's source and what stands in its place.  A piece that is no longer there is an error,
so that no mutant is lost when code moves.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable
from types import FunctionType
from typing import Any, NamedTuple

from auditor.cluster import decode_pod, decode_policy
from auditor.evaluate import ends, match, model, walk
from auditor.model import cluster, labels
from auditor.model.dialect import Dialect
from auditor.model.policy import IPBlock, Peer
from auditor.model.rules import EVERYTHING_AT_ALL, AllOf, InBlock, Not, Predicate, any_of
from auditor.policy import networkpolicy, ordered


class Mutant(NamedTuple):
    """A fault, the function that it is planted into, and the piece of its source that becomes another."""

    title: str
    function: Callable[..., Any]
    old: str
    new: str


def getter(holder: type, name: str) -> Callable[..., Any]:
    """The function behind a property."""
    found = vars(holder)[name].fget
    assert isinstance(found, FunctionType)
    return found


def mutated(mutant: Mutant) -> Any:
    """The code of the function with the fault in it."""
    function = mutant.function
    source = textwrap.dedent(inspect.getsource(function)).removeprefix("@property\n")
    assert source.count(mutant.old) == 1, f"{mutant.title}: {mutant.old!r} is not in {function.__qualname__} once"
    names: dict[str, Any] = {}
    # The annotations are not evaluated, as in the modules themselves.
    code = compile("from __future__ import annotations\n" + source.replace(mutant.old, mutant.new), "mutant", "exec")
    exec(code, function.__globals__, names)  # noqa: S102  # our own source, changed by the tests
    return names[function.__name__].__code__


def holes_for_all(namespace: str, peers: tuple[Peer, ...], dialect: Dialect) -> Predicate:
    """What a rule's peers mean to who takes every except from all of them."""
    if not peers:
        return EVERYTHING_AT_ALL
    holes = {hole for peer in peers if peer.ip_block for hole in peer.ip_block.excepts}
    anyone = any_of(networkpolicy.peer_predicate(namespace, peer, dialect) for peer in peers)
    return AllOf((anyone, *(Not(InBlock(IPBlock(hole))) for hole in holes)))


_requirement, _isolates, _ports_of = labels.Requirement.matches, decode_policy._isolates, decode_pod._container_ports
_peer, _port, _rules = networkpolicy.peer_predicate, networkpolicy.port_term, networkpolicy._clause

MUTANTS = (
    Mutant("NotIn needs the key", _requirement, "self.key not in labels or labels", "self.key in labels and labels"),
    Mutant(
        "an absent label is an empty one",
        _requirement,
        "self.key in labels and labels[self.key] in",
        'labels.get(self.key, "") in',
    ),
    Mutant("Exists wants a value", _requirement, "return self.key in labels\n", "return bool(labels.get(self.key))\n"),
    Mutant(
        "only the first requirement counts",
        labels.LabelSelector.matches,
        "in self.requirements:",
        "in self.requirements[:1]:",
    ),
    Mutant("egress rules do not make an egress type", _isolates, "if has_egress else", "if False else"),
    Mutant("an egress type without egress rules", _isolates, "if has_egress else", "if True else"),
    Mutant(
        "rules of a direction that is not listed count",
        networkpolicy.sections,
        "if direction in policy.isolates",
        "if direction in policy.isolates or policy.rules(direction)",
    ),
    Mutant("endPort is exclusive", _port, "port.end_port or port.port", "(port.end_port or port.port + 1) - 1"),
    Mutant("endPort is ignored", _port, "port.end_port or port.port", "port.port"),
    Mutant("a name opens the whole protocol", _port, "name=port.port", ""),
    Mutant("a name fits any protocol's port", match._term, " and declared.protocol is traffic.protocol", ""),
    Mutant("a name is any number of the pod", match._term, " and declared.number == traffic.port", ""),
    Mutant("protocols are not told apart", match._term, "if term.protocol is not None and", "if term.name and"),
    Mutant("ports of sidecars do not count", _ports_of, ", *sidecars)", ",)"),
    Mutant(
        "ports of all init containers count",
        _ports_of,
        'if item.get("restartPolicy") == "Always"',
        "",
    ),
    Mutant(
        "a podSelector alone reaches everywhere",
        _peer,
        "pods(namespace, selector=peer.pod_selector) if",
        "pods(selector=peer.pod_selector) if",
    ),
    Mutant(
        "selectors of one peer are ORed",
        _peer,
        "return pods(namespaces=peer.namespace_selector, selector=peer.pod_selector)",
        "return any_of((pods(namespaces=peer.namespace_selector), pods(selector=peer.pod_selector)))",
    ),
    Mutant("excepts are ignored", match.holds, "return not any(", "return True or not any("),
    Mutant(
        "an except takes away from the whole rule",
        networkpolicy._peers,
        "any_of(peer_predicate(namespace, peer, dialect) for peer in peers) if peers else EVERYTHING_AT_ALL",
        '__import__("tests.properties.mutants", fromlist="x").holes_for_all(namespace, peers, dialect)',
    ),
    Mutant("blocks hold no nodes", _peer, "nodes=Match.YES", "nodes=Match.NO"),
    Mutant("blocks hold pods for sure", _peer, "pods=dialect.block_holds_pods", "pods=Match.YES"),
    Mutant("blocks never hold pods", _peer, "pods=dialect.block_holds_pods", "pods=Match.NO"),
    Mutant("no peers means no pods outside", networkpolicy._peers, "else EVERYTHING_AT_ALL", "else pods()"),
    Mutant("no ports means TCP", networkpolicy._ports, "if terms else ()", "if terms else (Ports((PortTerm(),)),)"),
    Mutant(
        "finished pods keep their address",
        getter(cluster.Pod, "finished"),
        "return self.phase in",
        "return self.phase == 1 and",
    ),
    Mutant("own node is like any other", match.is_own_node, "end.node_name == subject.node_name", "False"),
    Mutant("one end that allows is enough", model.combine, "for end in (egress, ingress)", "for end in (egress,)"),
    Mutant(
        "what is open beats what is denied",
        model.combine,
        "(Verdict.DENIED, Verdict.UNKNOWN, Verdict.UNDEFINED)",
        "(Verdict.UNKNOWN, Verdict.UNDEFINED, Verdict.DENIED)",
    ),
    Mutant("a pod is subject to itself", model._same_pod, "return (one.namespace", "return False and (one.namespace"),
    Mutant("host pods are ordinary", ends.Finder.pod_ends, "if not pod.host_network:", "if True:"),
    Mutant("unread labels are none", match.selects, "if known or", "if True or"),
    Mutant("a rule that is not understood is left out", ordered._closed, "if action is Action.ALLOW", "if True"),
    Mutant(
        "a pass is an allow",
        walk.walk,
        "passed = passed or Action.PASS in actions",
        "course.outcomes |= {Action.ALLOW} & ({Action.ALLOW} if Action.PASS in actions else set())",
    ),
    Mutant("priorities are upside down", ordered.translate, '(priority, "")', '(-priority, "")'),
    Mutant("equal priorities go by name", ordered.translate, '(priority, "")', "(priority, policy.name)"),
    Mutant(
        "networks hold no pods",
        ordered._networks,
        "InBlock(IPBlock(decode_network(text)))",
        "InBlock(IPBlock(decode_network(text)), pods=Match.NO)",
    ),
    Mutant("host pods are peers of tiers", ordered.of_pods, ", Not(ON_NODES_ADDRESS)", ""),
    Mutant("the last rule that matches decides", walk._section, "section.clauses:", "reversed(section.clauses):"),
    Mutant(
        "baseline comes before NetworkPolicies",
        walk.walk,
        "in selection.tiers:",
        "in sorted(selection.tiers, key=lambda it: -it[0].order):",
    ),
)
"""Titles say the fault, not the rule."""
