"""Each known mistake of other engines and models is caught by the golden cases that are meant for it."""

from __future__ import annotations

import pytest

from tests import mistakes
from tests.mistakes import Mistake, mistake
from tests.model_cases import read_cases
from tests.oracle import ends, manifests, networkpolicy, ordered, verdicts
from tests.oracle.manifests import NO, YES
from tests.unit.test_model_cases import read_otherwise

CASES = {case.name: case for case in read_cases()}

MISTAKES = (
    mistake(
        "NotIn needs the key",
        manifests,
        "holds",
        mistakes.needs_the_key,
        "selectors/on-peers:not-in-holds-for-an-absent-key",
        "selectors/on-subjects:not-in-selects-pods-without-the-label",
        "peers/namespace-expressions:not-in",
    ),
    mistake(
        'matchLabels "" matches an absent key',
        networkpolicy,
        "chosen",
        mistakes.absent_is_empty,
        "selectors/on-peers:empty-value-is-not-an-absent-key",
        "selectors/on-subjects:empty-value-leaves-pods-without-the-label-alone",
    ),
    mistake(
        "matchExpressions are ignored", networkpolicy, "chosen", mistakes.labels_alone, "selectors/on-peers:exists"
    ),
    mistake(
        "keys that are missing match",
        networkpolicy,
        "chosen",
        mistakes.missing_keys_match,
        "selectors/on-peers:in",
        "selectors/on-peers:exists",
    ),
    mistake(
        "a podSelector alone means all namespaces",
        networkpolicy,
        "peer_fits",
        mistakes.with_peer(mistakes.anywhere),
        "peers/pod-selector-means-own-namespace",
        "peers/empty-pod-selector-is-the-own-namespace",
        "families/one-peer",
    ),
    mistake(
        "a null selector is an empty one",
        networkpolicy,
        "peer_fits",
        mistakes.with_peer(mistakes.set_selectors),
        "peers/null-selector-is-not-set:null-namespace-selector-means-own-namespace",
    ),
    mistake(
        "the labels of a namespaceSelector are ignored",
        networkpolicy,
        "peer_fits",
        mistakes.with_peer(mistakes.without_namespaces),
        "peers/namespace-selector-is-every-pod-there",
        "guides/001-isolate-namespace-without-its-label",
    ),
    mistake(
        "two selectors of one peer are alternatives",
        networkpolicy,
        "peer_fits",
        mistakes.either_selector,
        "peers/both-selectors-in-one-item-are-and",
        "guides/000-specific-access:and",
        "guides/004-and-or:and",
    ),
    mistake(
        "an empty namespaceSelector means any address",
        networkpolicy,
        "peer_fits",
        mistakes.addresses_too,
        "peers/empty-namespace-selector-is-all-pods-but-no-address",
    ),
    mistake(
        "a namespace is matched by its name",
        networkpolicy,
        "namespace_chosen",
        mistakes.labels_of_pods_too,
        "peers/namespace-labels-decide-not-its-name",
    ),
    mistake(
        "labels of a namespace that nobody read are taken for none",
        networkpolicy,
        "namespace_chosen",
        mistakes.labels_are_guessed,
        "pods/labels-of-an-unread-namespace",
    ),
    mistake(
        "a block never means pods",
        networkpolicy,
        "peer_fits",
        mistakes.blocks_of_pods(NO),
        "blocks/pods-in-a-block-are-undefined",
        "families/conflicts:address-in-a-block-of-a-pod-that-is-not-selected",
    ),
    mistake(
        "a block means pods",
        networkpolicy,
        "peer_fits",
        mistakes.blocks_of_pods(YES),
        "blocks/pods-in-a-block-are-undefined",
        "families/two-peers",
    ),
    mistake("IPv6 blocks are ignored", networkpolicy, "inside", mistakes.without_ipv6, "blocks/the-whole-of-a-family"),
    mistake("excepts are ignored", networkpolicy, "inside", mistakes.without_holes, "blocks/except-cuts-a-hole"),
    mistake(
        "an except takes from other rules",
        verdicts,
        "lets_through",
        mistakes.holes_of_all,
        "blocks/except-cuts-its-own-block-alone",
        "families/conflicts:excepted-address-of-a-pod-that-is-selected",
    ),
    mistake(
        "policyTypes default to Ingress alone",
        networkpolicy,
        "types",
        lambda spec: spec.get("policyTypes") or ["Ingress"],
        "isolation/missing-types-are-filled-in:egress-rule-adds-egress",
    ),
    mistake(
        "policyTypes default to both",
        networkpolicy,
        "types",
        lambda spec: spec.get("policyTypes") or ["Ingress", "Egress"],
        "isolation/missing-types-are-filled-in:no-rules-at-all",
    ),
    mistake(
        "an empty egress list adds Egress",
        networkpolicy,
        "types",
        mistakes.egress_where_it_is_written,
        "isolation/missing-types-are-filled-in:empty-egress-list-adds-nothing",
        "isolation/missing-types-are-filled-in:null-egress-list-adds-nothing",
    ),
    mistake(
        "policyTypes follow the rules",
        networkpolicy,
        "types",
        mistakes.as_far_as_rules_go,
        "isolation/egress-rules-under-ingress-alone-are-inert",
        "isolation/ingress-rules-under-egress-alone-are-inert",
    ),
    mistake(
        "an empty list of rules restricts nothing",
        verdicts,
        "lets_through",
        mistakes.empty_list_is_all(YES),
        "isolation/no-rules-deny-alike:empty",
        "families/conflicts:closed-by-null-closed-by-empty-then-opened",
    ),
    mistake(
        "a denial takes precedence",
        verdicts,
        "lets_through",
        mistakes.every_policy_must_allow,
        "isolation/allow-all-beside-deny-all-is-allow-all",
        "isolation/stacked-policies-per-port",
        "guides/000-exercise-1-deny-all-with-exceptions",
    ),
    mistake(
        "rules lend each other ports",
        verdicts,
        "lets_through",
        mistakes.rules_lend_ports,
        "ports/rules-do-not-lend-each-other-ports",
        "isolation/rules-and-policies-add-up",
    ),
    mistake(
        "policies select in every namespace",
        verdicts,
        "isolating",
        mistakes.of_every_namespace,
        "isolation/policy-elsewhere-never-selects",
    ),
    mistake(
        "one end's permission is enough",
        verdicts,
        "prospect",
        mistakes.ingress_alone,
        "isolation/both-ends-must-allow",
        "families/conflicts:egress-closed-ingress-open",
    ),
    mistake(
        "a missing protocol is any",
        networkpolicy,
        "port_fits",
        mistakes.any_protocol,
        "ports/missing-protocol-is-tcp:absent",
        "ports/missing-protocol-is-tcp:null",
        "families/ports",
    ),
    mistake(
        "without a port the protocol does not count",
        networkpolicy,
        "port_fits",
        mistakes.no_port_is_no_protocol,
        "ports/protocol-alone-is-all-its-ports",
    ),
    mistake("endPort is ignored", networkpolicy, "port_fits", mistakes.first_port_alone, "ports/end-port-is-inclusive"),
    mistake(
        "endPort is exclusive", networkpolicy, "port_fits", mistakes.without_the_last, "ports/end-port-is-inclusive"
    ),
    mistake(
        "a named port is port 0, which is all",
        networkpolicy,
        "port_fits",
        mistakes.names_are_zero,
        "ports/unknown-name-matches-nothing",
        "ports/name-is-the-servers-at-ingress",
    ),
    mistake(
        "a port name is one for all protocols",
        networkpolicy,
        "port_fits",
        mistakes.names_of_any_protocol,
        "ports/name-needs-the-protocol-too",
        "ports/same-name-for-two-protocols",
    ),
    mistake(
        "a named port is the selected pod's",
        networkpolicy,
        "port_fits",
        mistakes.names_of_the_subject,
        "ports/name-is-the-peers-at-egress",
        "ports/name-missing-on-the-subject-of-egress",
    ),
    mistake(
        "sidecars have no ports", networkpolicy, "declared", mistakes.containers_alone, "ports/names-of-sidecars-count"
    ),
    mistake(
        "all init containers have ports",
        networkpolicy,
        "declared",
        mistakes.all_init_containers,
        "ports/names-of-sidecars-count",
    ),
    mistake(
        "a container has one port",
        networkpolicy,
        "declared",
        mistakes.first_declared,
        "ports/name-is-the-peers-at-egress",
        "ports/several-entries-are-or",
    ),
    mistake("finished pods stay", ends, "finished", lambda _: False, "pods/finished-pods-gave-their-address-back"),
    mistake(
        "pods on the host's network are ordinary pods",
        verdicts,
        "on_host",
        lambda _: False,
        "pods/host-network-as-subject",
        "pods/host-network-as-peer",
        "pods/towards-host-network",
    ),
    mistake("the own node is no exception", verdicts, "by_node", lambda answer, _: answer, "pods/own-node-is-let-in"),
    mistake("every node is an exception", verdicts, "by_node", lambda *_: verdicts.ALLOWED, "pods/own-node-is-let-in"),
    mistake(
        "the test for the own node is inverted", verdicts, "by_node", mistakes.inverted_node, "pods/own-node-is-let-in"
    ),
    mistake("a pod may be kept from itself", verdicts, "same", lambda *_: False, "pods/a-pod-reaches-itself"),
    mistake(
        "pods of one workload reach each other",
        verdicts,
        "same",
        mistakes.workload_mates_are_one,
        "pods/another-replica-is-another-pod",
    ),
    mistake(
        "a policy for egress keeps the Baseline tier away",
        verdicts,
        "middle",
        mistakes.skipping_baseline,
        "ordered/baseline-counts-per-direction:baselineadminnetworkpolicy",
        "ordered/baseline-counts-per-direction:clusternetworkpolicy",
    ),
    mistake(
        "ordered policies isolate",
        verdicts,
        "middle",
        mistakes.ordered_isolates,
        "ordered/selecting-isolates-nobody",
        "ordered/pass-leaves-the-tier:to-nothing",
    ),
    mistake(
        "equal priorities go by name",
        ordered,
        "orders",
        mistakes.by_name,
        "ordered/equal-priorities:that-disagree",
        "ordered/equal-priorities:whose-pass-meets-a-denial",
        "ordered/equal-priorities:in-the-baseline",
    ),
    mistake(
        "priorities are compared as words",
        ordered,
        "orders",
        mistakes.by_words,
        "ordered/lower-priority-number-first:numbers-are-no-words",
    ),
    mistake(
        "Pass goes on with the next rule",
        ordered,
        "matches",
        mistakes.pass_is_no_match,
        "ordered/pass-leaves-the-tier:to-nothing",
        "ordered/pass-leaves-the-tier:to-a-later-rule-of-the-same-policy-never",
        "ordered/several-baselines",
    ),
    mistake(
        "networks hold no pods",
        ordered,
        "peer_fits",
        mistakes.networks_are_outside,
        "ordered/networks-hold-pods:adminnetworkpolicy",
    ),
    mistake(
        "unknown peers are skipped",
        ordered,
        "match",
        mistakes.unknown_peers_are_skipped,
        "ordered/unknown-peer-fails-closed:deny",
        "ordered/unknown-peer-fails-closed:pass",
    ),
)
CATCHES = [(item, name) for item in MISTAKES for name in item.cases]


@pytest.mark.parametrize(("made", "name"), CATCHES, ids=[f"{item.what}-{name}" for item, name in CATCHES])
def test_case_catches_mistake(monkeypatch: pytest.MonkeyPatch, made: Mistake, name: str) -> None:
    case = CASES[name]
    cells = [cell for cell in case.cells if not cell.engine]
    assert all(read_otherwise(case.accepted, cell) == cell.verdict for cell in cells[:1])

    monkeypatch.setattr(made.module, made.function, made.instead)

    assert any(read_otherwise(case.accepted, cell) != cell.verdict for cell in cells)
