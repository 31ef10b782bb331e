"""What lint calls useless is useless: without it no verdict changes.  And whatever a cluster holds, lint bears it."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from auditor.cluster.decode import decode
from auditor.lint import LINTS, lint
from auditor.model.cluster import Snapshot
from auditor.model.lint import LintFinding, ObjectRef
from auditor.ports import RawSnapshot
from tests.builders import RESOURCES, Raw, raw, service, workload
from tests.properties.asking import read, verdicts
from tests.strategies import clusters, junk, mutated

WHOLE = {"policy-selects-nothing", "policy-shadowed", "policy-duplicate"}
PART = {
    *("rule-shadowed", "rule-matches-nothing", "peer-matches-nothing", "namespace-label-unknown"),
    *("named-port-unknown", "inert-rules", "block-is-empty", "deny-overridden"),
}
OTHERS = (service("one/svc", app="a"), workload("Deployment", "one/web", app="a"))


@given(clusters(ordered=True, gaps=True))
def test_findings_are_about_objects_that_are_there(objects: list[Raw]) -> None:
    """Each has an object of the snapshot, a reason, a remedy, and a fingerprint that no other one has."""
    snapshot = read(objects)
    found = lint(snapshot)

    assert {item.object for item in found} <= there(snapshot)
    assert all(item.why and item.remedy and item.message and item.path for item in found)
    assert len({item.fingerprint for item in found}) == len(found)
    assert {item.id for item in found} <= {rule.id for rule in LINTS}
    assert found == lint(read(objects[::-1]))


def there(snapshot: Snapshot) -> set[ObjectRef]:
    policies = {ObjectRef("NetworkPolicy", item.namespace, item.name) for item in snapshot.policies}
    others = {ObjectRef(item.kind, item.namespace, item.name) for item in snapshot.objects}
    settings = {ObjectRef("ConfigMap", *name.split("/")) for name in snapshot.settings}
    return policies | others | settings | {ObjectRef("Namespace", "", item.name) for item in snapshot.namespaces}


@given(clusters(max_pods=4))
def test_without_what_is_useless_no_verdict_changes(objects: list[Raw]) -> None:
    """Pods on the host's network aside, of which the API leaves open what any policy means for them."""
    own = [item for item in objects if not (item["kind"] == "Pod" and item["spec"].get("hostNetwork"))]
    useless = [item for item in lint(read(own)) if item.id in WHOLE | PART]
    before = verdicts(own) if useless else {}

    for item in useless:
        assert before == verdicts(without(own, item)), item


@given(clusters(max_pods=4, max_policies=5))
def test_all_that_others_say_too_may_go_at_once(objects: list[Raw]) -> None:
    """Of two that say the same, one is never a reason to drop the other and the other way round."""
    own = [item for item in objects if not (item["kind"] == "Pod" and item["spec"].get("hostNetwork"))]
    less = own
    # From the end, so that the places of what is still to go stay true.
    for item in sorted(lint(read(own)), key=lambda item: item.path, reverse=True):
        if item.id in {"policy-selects-nothing", "policy-shadowed", "policy-duplicate", "rule-shadowed"}:
            less = without(less, item)

    assert less == own or verdicts(own) == verdicts(less)


def without(objects: Sequence[Raw], finding: LintFinding) -> list[Raw]:
    """The objects less what a finding is about."""
    kept = []
    for item in objects:
        metadata = item["metadata"]
        name = ObjectRef(item["kind"], metadata.get("namespace", ""), metadata["name"])
        if name != finding.object:
            kept.append(item)
        elif finding.id == "deny-overridden":
            kept += leaving_open(item, finding.path.rpartition(".")[2].capitalize())
        elif finding.id not in WHOLE:
            kept.append(less(item, finding.path))
    return kept


def leaving_open(item: Raw, direction: str) -> list[Raw]:
    """A policy that no longer isolates in a direction; none where that was all it did."""
    changed = copy.deepcopy(item)
    changed["spec"]["policyTypes"] = [word for word in types_of(item["spec"]) if word != direction]
    return [changed] if changed["spec"]["policyTypes"] else []


def less(item: Raw, path: str) -> Raw:
    """An object less one place of it; a list of peers or ports that would be empty goes with its rule."""
    changed = copy.deepcopy(item)
    steps = [int(step) if step.isdigit() else step for step in re.findall(r"[^.\[\]]+", path)]
    while not isinstance(steps[-1], int) and steps[-1] not in {"ingress", "egress"}:
        steps.pop()
    holder: Any = changed
    for step in steps[:-1]:
        holder = holder[step]
    if isinstance(holder, list) and len(holder) == 1 and len(steps) > 3:
        return less(item, ".".join(map(str, steps[:3])))
    del holder[steps[-1]]
    if steps[1] in {"ingress", "egress"} and not changed["spec"].get("policyTypes"):
        changed["spec"]["policyTypes"] = types_of(item["spec"])
    return changed


def types_of(spec: Raw) -> list[str]:
    """Written out, so that taking a rule away does not change them."""
    return spec.get("policyTypes") or (["Ingress", "Egress"] if spec.get("egress") else ["Ingress"])


@given(clusters(), st.data())
def test_whatever_is_mutated_is_borne(objects: list[Raw], data: st.DataObject) -> None:
    """Deleted, nulled and swapped fields of any object."""
    everything = [*objects, *OTHERS]
    chosen = data.draw(st.integers(0, len(everything) - 1))
    kind = everything[chosen]["kind"]
    lists = {name: list(items) for name, items in raw(*everything).objects.items()}
    changed = data.draw(mutated({key: value for key, value in everything[chosen].items() if key != "kind"}))
    lists[RESOURCES[kind]] = [changed if item is everything[chosen] else item for item in lists[RESOURCES[kind]]]
    snapshot = decode(RawSnapshot(lists))

    assert {item.object for item in lint(snapshot)} <= there(snapshot)


@given(st.dictionaries(st.sampled_from(sorted(RESOURCES.values())), st.lists(junk, max_size=3)))
def test_lists_of_anything_are_borne(lists: dict[str, list[Any]]) -> None:
    snapshot = decode(RawSnapshot(lists))

    assert {item.object for item in lint(snapshot)} <= there(snapshot)
