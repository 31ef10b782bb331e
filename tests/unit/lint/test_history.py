"""What once meant something, and what was applied and never arrived."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from auditor.cluster.history import default_deny
from auditor.model.lint import LintSeverity, ObjectRef
from tests.builders import Raw, deny_all, namespace, policy
from tests.unit.lint.linting import SHOP, found, one

ANNOTATION, DROPPED = "isolation-by-annotation", "field-dropped"
KEY = "net.beta.kubernetes.io/network-policy"
LAST = "kubectl.kubernetes.io/last-applied-configuration"
DENY = '{"ingress": {"isolation": "DefaultDeny"}}'


def annotated(value: str) -> Raw:
    made = namespace("shop")
    made["metadata"]["annotations"] = {KEY: value, "note": "x"}
    return made


def test_isolation_by_annotation() -> None:
    """Guide 002: it has no effect today, and the policy that says the same is given."""
    finding = one(ANNOTATION, *SHOP, annotated(DENY))

    assert finding.object == ObjectRef("Namespace", "", "shop")
    assert finding.path == f"metadata.annotations[{KEY}]"
    assert finding.message == "asks for isolation in a way that has no effect today"
    assert yaml.safe_load(finding.remedy.partition("apply ")[2]) == yaml.safe_load(default_deny("shop"))
    assert "\n" not in finding.remedy
    assert len(finding.why) == 1


def test_isolation_that_is_there_by_policy_as_well() -> None:
    assert one(ANNOTATION, *SHOP, annotated(DENY), deny_all("shop/closed")).why[1] == (
        "shop/closed isolates all pods of the namespace today"
    )
    assert len(one(ANNOTATION, *SHOP, annotated(DENY), deny_all("shop/closed", app="web")).why) == 1


@pytest.mark.parametrize("value", ["", "{}", "[]", '{"ingress": 7}', '{"ingress": {"isolation": "x"}}', "[" * 100_000])
def test_annotation_that_isolated_nothing(value: str) -> None:
    finding = one(ANNOTATION, *SHOP, annotated(value))

    assert finding.message == "speaks of isolation in a way that has no effect today"
    assert finding.remedy == "remove the annotation"


def test_namespaces_of_today() -> None:
    assert found(ANNOTATION, *SHOP, namespace("shop", note="x")) == ()


def applied(spec: Any) -> Raw:
    made = policy("shop/p")
    made["metadata"]["annotations"] = {LAST: spec if isinstance(spec, str) else json.dumps({"spec": spec})}
    return made


@pytest.mark.parametrize(
    ("spec", "path", "remedy"),
    [
        ({"podSelectors": {}}, "spec.podSelectors", "write podSelector for podSelectors, "),
        ({"policyType": ["Egress"]}, "spec.policyType", "write policyTypes for policyType, "),
        ({"ingress": [{}, {"form": []}]}, "spec.ingress[1].form", "write from for form, "),
        ({"egress": [{"to": [{"podSelecter": {}}]}]}, "spec.egress[0].to[0].podSelecter", "write podSelector for "),
        ({"ingress": [{"ports": [{"endport": 9}]}]}, "spec.ingress[0].ports[0].endport", "write endPort for endport, "),
        ({"podSelector": {"app": "web"}}, "spec.podSelector.app", "correct the manifest, "),
    ],
)
def test_fields_that_the_api_did_not_keep(spec: Raw, path: str, remedy: str) -> None:
    finding = one(DROPPED, *SHOP, applied(spec))

    assert (finding.path, finding.severity) == (path, LintSeverity.ERROR)
    assert finding.remedy.startswith(remedy)


@pytest.mark.parametrize(
    "spec",
    [
        {"podSelector": {"matchLabels": {"any": "key"}, "matchExpressions": [{"key": "a", "operator": "Exists"}]}},
        {"ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": []}}], "ports": [{"port": 80}]}]},
        {"egress": None},
        "not JSON",
        "[]",
        "[" * 100_000,
        "{}",
    ],
    ids=["selector", "rule", "null", "text", "list", "deep", "empty"],
)
def test_manifests_that_were_kept_or_cannot_be_read(spec: Any) -> None:
    assert found(DROPPED, *SHOP, applied(spec)) == ()


def test_policies_that_nobody_applied() -> None:
    assert found(DROPPED, *SHOP, policy("shop/p")) == ()
