"""Policies that are written down and not in force."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.cluster.decode import decode
from auditor.model.lint import LintFinding, ObjectRef
from auditor.ports import RawSnapshot
from tests.builders import named
from tests.unit.lint.linting import found_in


def staged(spec: Any) -> LintFinding:
    raw = RawSnapshot({"stagednetworkpolicies.crd.projectcalico.org": [{**named("", "shop/s"), "spec": spec}]})
    (finding,) = found_in("policy-staged", decode(raw))
    return finding


@pytest.mark.parametrize("spec", [{}, {"stagedAction": "Set"}, None, []], ids=repr)
def test_staged_policy(spec: Any) -> None:
    finding = staged(spec)

    assert finding.object == ObjectRef("StagedNetworkPolicy (Calico)", "shop", "s")
    assert finding.message == "is staged: it has no effect on traffic"


def test_staged_end_of_a_policy() -> None:
    assert staged({"stagedAction": "Delete"}).message == "stages the end of a policy, which is in force still"


def test_policies_in_force() -> None:
    raw = RawSnapshot({"networkpolicies.crd.projectcalico.org": [{**named("", "shop/s"), "spec": {}}]})

    assert found_in("policy-staged", decode(raw)) == ()
