"""What Calico's policies are translated into: tiers, ranks, directions, the pods that they apply to."""

from __future__ import annotations

import math
from typing import Any

import pytest

from auditor.cluster.fields import FieldError
from auditor.model.flow import Direction, PolicyRef
from auditor.model.labels import equals
from auditor.model.rules import (
    ADMIN,
    BASELINE,
    EVERYTHING_AT_ALL,
    MIDDLE,
    MIDDLE_RANK,
    AccountLabels,
    Action,
    AllOf,
    InNamespace,
    NamespaceLabels,
    PodLabels,
    Section,
    Tier,
)
from auditor.policy.calico import WITHOUT_ORDER
from tests import builders
from tests.builders import Raw
from tests.calico import V1, made, network_set, only_section, policy, rule, tier, translated

INTO, OUT = Direction.INGRESS, Direction.EGRESS


def test_policy_of_a_namespace() -> None:
    item = policy("red/p", selector="app == 'db'", order=5, ingress=[rule("Deny")])

    ref = PolicyRef("red", "p", "NetworkPolicy (Calico)")
    subject = AllOf((InNamespace("red"), PodLabels(equals({"app": "db"}))))
    section = only_section(item)
    assert Section(ref, INTO, MIDDLE, (5.0, "p"), subject, section.clauses) == section
    assert [(Action.DENY, "ingress[0]")] == [(clause.action, clause.path) for clause in section.clauses]


def test_policy_of_the_whole_cluster() -> None:
    section = only_section(policy("g", egress=[rule()]))

    assert PolicyRef("", "g", "GlobalNetworkPolicy (Calico)") == section.ref
    assert (OUT, MIDDLE, (math.inf, "g"), EVERYTHING_AT_ALL) == (
        section.direction,
        section.tier,
        section.rank,
        section.subject,
    )


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"selector": "all()"}, EVERYTHING_AT_ALL),
        ({"selector": ""}, EVERYTHING_AT_ALL),
        ({"namespaceSelector": "all()"}, EVERYTHING_AT_ALL),
        ({"namespaceSelector": "env == 'x'"}, NamespaceLabels(equals({"env": "x"}))),
        ({"namespaceSelector": "projectcalico.org/name == 'red'"}, InNamespace("red")),
        ({"serviceAccountSelector": "role == 'x'"}, AccountLabels(equals({"role": "x"}))),
        (
            {"serviceAccountSelector": "role == 'x'", "selector": "app == 'db'", "namespaceSelector": "env == 'x'"},
            AllOf(
                (
                    NamespaceLabels(equals({"env": "x"})),
                    AccountLabels(equals({"role": "x"})),
                    PodLabels(equals({"app": "db"})),
                )
            ),
        ),
    ],
)
def test_subject_of_a_global_policy(said: Raw, expected: object) -> None:
    assert expected == only_section(policy("g", **said)).subject


def test_accounts_narrow_a_policy_of_a_namespace() -> None:
    found = only_section(policy("red/p", serviceAccountSelector="role == 'x'")).subject

    assert AllOf((InNamespace("red"), AccountLabels(equals({"role": "x"})))) == found


RULES = [rule()]


@pytest.mark.parametrize(
    ("spec", "ways"),
    [
        ({}, [INTO]),
        ({"ingress": []}, [INTO]),
        ({"egress": []}, [INTO]),
        ({"ingress": [], "egress": None}, [INTO]),
        ({"ingress": RULES}, [INTO]),
        ({"egress": RULES}, [OUT]),
        ({"ingress": [], "egress": RULES}, [OUT]),
        ({"ingress": RULES, "egress": RULES}, [INTO, OUT]),
        ({"types": [], "egress": RULES}, [OUT]),
        ({"types": None, "egress": RULES}, [OUT]),
        ({"types": ["Ingress"], "egress": RULES}, [INTO]),
        ({"types": ["Egress"], "ingress": RULES}, [OUT]),
        ({"types": ["Egress", "Ingress", "Egress"]}, [INTO, OUT]),
    ],
)
@pytest.mark.parametrize("where", ["red/p", "g"])
def test_types(spec: Raw, ways: list[Direction], where: str) -> None:
    assert ways == [section.direction for section in translated(policy(where, **spec)).sections]


def test_rules_of_another_direction_are_inert() -> None:
    assert () == only_section(policy("red/p", types=["Ingress"], egress=RULES)).clauses


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (None, MIDDLE),
        ("", MIDDLE),
        ("default", MIDDLE),
        ("kube-admin", ADMIN),
        ("adminnetworkpolicy", ADMIN),
        ("kube-baseline", BASELINE),
        ("baselineadminnetworkpolicy", BASELINE),
        ("early", Tier(10.0, "early", Action.DENY)),
        ("passing", Tier(-2.5, "passing", Action.PASS)),
        ("strict", Tier(10.0, "strict", Action.DENY)),
        ("last", Tier(WITHOUT_ORDER, "last", Action.DENY)),
        ("missing", Tier(math.inf, "missing", Action.DENY)),
    ],
)
def test_tier(name: str | None, expected: Tier) -> None:
    tiers = (
        tier("early", order=10),
        tier("passing", order=-2.5, defaultAction="Pass"),
        tier("strict", order=10, defaultAction="Deny"),
        tier("last", order=None, defaultAction=None),
        tier("default", order=3, defaultAction="Pass"),  # fixed whatever a file says
    )
    found = translated(policy("g", tier=name), *tiers)

    assert [expected] == [section.tier for section in found.sections]
    assert (name == "missing") is bool(found.notes)


def test_tiers_without_order_come_last_and_missing_ones_later_still() -> None:
    tiers = (tier("zero", order=10_000_001), tier("a"), tier("b"))
    found = [only_section(policy("g", tier=name), *tiers).tier for name in ("gone", "b", "kube-baseline", "a", "zero")]

    assert ["Baseline", "zero", "a", "b", "gone"] == [item.name for item in sorted(found)]


def test_missing_tier_is_told() -> None:
    notes = translated(policy("red/p", tier="gone")).notes

    assert ("NetworkPolicy (Calico) red/p: there is no Tier gone: taken as the last one, which denies",) == notes


@pytest.mark.parametrize(
    "spec",
    [{"order": "1"}, {"order": math.nan}, {"order": 10**400}, {"defaultAction": "Allow"}, {"future": 1}, [], "x"],
)
def test_tier_that_cannot_be_read_is_unknown_with_its_policies_alone(spec: Any) -> None:
    broken = made("Tier", "broken", spec)
    found = translated(broken)

    assert () == found.sections
    assert found.notes[0].startswith(
        "Tier (Calico) broken: cannot be read, so that what depends on it is unknown: spec"
    )
    with pytest.raises(FieldError, match="spec: tier: Tier broken cannot be read: spec"):
        translated(policy("g", tier="broken"), broken)
    assert translated(policy("g"), broken).sections


@pytest.mark.parametrize("spec", [None, {}, {"order": 7}, {"order": 7.5, "defaultAction": "Pass"}])
def test_tier_alone_says_nothing(spec: Any) -> None:
    found = translated(made("Tier", "t", spec))

    assert ((), ()) == (found.sections, found.notes)


def test_order_then_name() -> None:
    items = [
        policy("red/b", order=2),
        policy("a"),
        policy("red/c", order=-1.5),
        policy("default.b", version=V1),
        policy("z", order=2),
        policy("default.a", order=2, version=V1),
    ]
    found = sorted(only_section(item).rank for item in items)

    assert [(-1.5, "c"), (2.0, "a"), (2.0, "b"), (2.0, "z"), (math.inf, "a"), (math.inf, "b")] == found


@pytest.mark.parametrize(
    ("where", "spec", "shared"),
    [
        ("red/p", {"order": 1000}, True),
        ("red/p", {"order": 1000.0}, True),
        ("g", {"order": 1000}, True),
        ("blue/p", {"order": 1000}, False),
        ("red/p", {"order": 999.9}, False),
        ("red/p", {}, False),
        ("g", {"order": 1000, "tier": "t"}, False),
    ],
)
def test_order_of_networkpolicies_is_shared_with_them(where: str, spec: Raw, shared: bool) -> None:
    others = (builders.policy("red/v1"), tier("t", order=1))
    found = translated(policy(where, **spec), *others)

    assert shared is (found.sections[0].rank == MIDDLE_RANK)
    assert shared is ("which comes first" in "".join(found.notes))


def test_order_of_networkpolicies_is_one_like_others_without_them() -> None:
    assert (1000.0, "g") == only_section(policy("g", order=1000)).rank


def test_runs_of_rules_become_sections_in_their_order() -> None:
    own = {"selector": "app == 'db'"}
    rules = [
        rule("Allow"),
        rule("Log"),
        rule("Deny"),
        rule("Allow", destination=own),
        rule("Pass", destination=own),
        rule("Deny"),
    ]
    sections = translated(policy("red/p", order=1, ingress=rules), policy("red/p-q", order=1)).sections

    paths = [[clause.path for clause in section.clauses] for section in sections]
    assert [[], ["ingress[0]", "ingress[2]"], ["ingress[3]", "ingress[4]"], ["ingress[5]"]] == paths
    assert [True, False, False, False] == [section.isolates for section in sections]
    assert [InNamespace("red")] * 2 == [sections[place].subject for place in (0, 1)]
    ranks = [section.rank for section in sections]
    assert sorted(ranks) == ranks
    assert 4 == len(set(ranks))
    # Another policy's name may go on where this one's ends.
    assert only_section(policy("red/p-q", order=1)).rank > ranks[-1]


def test_thousands_of_rules_keep_their_order() -> None:
    rules = [rule("Allow", destination={"selector": f"app == '{number % 2}'"}) for number in range(1_200)]
    ranks = [section.rank for section in translated(policy("red/p", ingress=rules)).sections]

    assert sorted(ranks) == ranks
    assert 1_201 == len(set(ranks))


def test_hints_change_nothing() -> None:
    hinted = translated(policy("red/p", performanceHints=["AssumeNeededOnEveryNode"], ingress=RULES))

    assert translated(policy("red/p", ingress=RULES)) == hinted


@pytest.mark.parametrize("key", ["doNotTrack", "preDNAT"])
def test_policies_for_hosts_alone_say_nothing_of_pods(key: str) -> None:
    spec: Raw = {key: True, "applyOnForward": True, "selector": "all()", "ingress": [rule("Deny")]}
    found = translated(policy("g", **spec))

    assert () == found.sections
    assert (
        f"GlobalNetworkPolicy (Calico) g: {key} policies apply to hosts' own interfaces only, never to pods",
    ) == found.notes


def test_forwarding_changes_nothing_for_pods() -> None:
    found = translated(policy("g", applyOnForward=True, ingress=[rule("Deny")]))

    assert translated(policy("g", ingress=[rule("Deny")])).sections == found.sections
    assert "applyOnForward" in found.notes[0]


@pytest.mark.parametrize("kind", ["StagedNetworkPolicy", "StagedGlobalNetworkPolicy", "StagedKubernetesNetworkPolicy"])
def test_staged_policies_are_told_and_never_enforced(kind: str) -> None:
    where = "s" if "Global" in kind else "red/s"
    found = translated(made(kind, where, {"stagedAction": "Set", "ingress": "whatever"}))

    assert () == found.sections
    assert (f"{kind} (Calico) {where}: intended but staged: it is never enforced",) == found.notes


def test_network_sets_alone_say_nothing() -> None:
    for item in (network_set("red/s", "10.0.0.0/8"), network_set("g")):
        assert ((), ()) == (translated(item).sections, translated(item).notes)
    assert "cannot be read" in translated(network_set("g", "x")).notes[0]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"order": True}, "spec: order: expected a number, found true"),
        ({"order": "5"}, "spec: order: expected a number, found a string"),
        ({"order": math.inf}, "spec: order: inf is not a number to sort by"),
        ({"order": 10**400}, "spec: order: not a number that Calico can hold"),
        ({"tier": 1}, "spec: tier: expected a string, found the number 1"),
        ({"types": "Ingress"}, "spec: types: expected a list, found a string"),
        ({"types": ["ingress"]}, "spec: types: 'ingress' is neither Ingress nor Egress"),
        ({"selector": "app = 'x'"}, "spec: selector: position 5: expected a comparison"),
        (
            {"selector": "global()"},
            "spec: selector: global\\(\\) has a meaning in the namespaceSelector of a rule only",
        ),
        ({"serviceAccountSelector": "("}, "spec: serviceAccountSelector: position 2"),
        ({"podSelector": {}}, "spec: podSelector: a field that this version does not know"),
        ({"selector": {"app": "x"}}, "spec: selector: expected a string"),
    ],
)
@pytest.mark.parametrize("where", ["red/p", "g"])
def test_spec_that_cannot_be_read(spec: Raw, message: str, where: str) -> None:
    with pytest.raises(FieldError, match=message):
        translated(policy(where, **spec))


@pytest.mark.parametrize("key", ["namespaceSelector", "applyOnForward", "doNotTrack", "preDNAT"])
def test_fields_of_global_policies_are_strange_in_a_namespace(key: str) -> None:
    with pytest.raises(FieldError, match=f"spec: {key}: a field that this version does not know"):
        translated(policy("red/p", **{key: "x"}))


def test_global_has_no_meaning_for_the_subject() -> None:
    with pytest.raises(FieldError, match="spec: namespaceSelector: global"):
        translated(policy("g", namespaceSelector="global()"))


@pytest.mark.parametrize("spec", [None, "x", [], 3])
def test_spec_of_any_type(spec: Any) -> None:
    item = made("NetworkPolicy", "red/p", spec)
    if spec is None:
        assert [INTO] == [section.direction for section in translated(item).sections]
    else:
        with pytest.raises(FieldError, match="spec: expected an object"):
            translated(item)
