"""What is odd about a manifest is kept, and what is not odd is not."""

from __future__ import annotations

import pytest

from auditor.cluster.decode_policy import LAST_APPLIED, decode_network_policy
from auditor.model.policy import Oddity, Remark
from tests.builders import Raw, a_policy, allow, block, namespaces, pods, policy, tcp


def decoded(spec: Raw) -> tuple[Remark, ...]:
    metadata = {"namespace": "shop", "name": "p"}
    return decode_network_policy({"metadata": metadata, "spec": {"podSelector": {}, **spec}}).remarks


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        (block("10.0.0.0/8"), ()),
        (block("10.0.0.0/8", "10.1.0.0/16"), ()),
        (block("10.0.0.5/32"), ()),
        (block("fd00::/8"), ()),
        (block("10.1.2.3/8"), (("spec.ingress[0].from[0].ipBlock.cidr", "10.1.2.3/8"),)),
        (block("fd00::1/8"), (("spec.ingress[0].from[0].ipBlock.cidr", "fd00::1/8"),)),
        (
            block("10.0.0.0/8", "10.1.0.0/16", "10.2.0.9/16"),
            (("spec.ingress[0].from[0].ipBlock.except[1]", "10.2.0.9/16"),),
        ),
    ],
)
def test_bits_beyond_the_mask(peer: Raw, expected: tuple[tuple[str, str], ...]) -> None:
    found = a_policy("shop/p", ingress=[allow(peer)])

    assert found.remarks == tuple(Remark(Oddity.HOST_BITS, *item) for item in expected)


@pytest.mark.parametrize(
    ("rule", "paths"),
    [
        ({}, ()),
        ({"from": None, "ports": None}, ()),
        ({"from": [pods(app="web")], "ports": [tcp(80)]}, ()),
        ({"from": []}, ("spec.ingress[1].from",)),
        ({"from": [namespaces()], "ports": []}, ("spec.ingress[1].ports",)),
    ],
)
def test_empty_lists(rule: Raw, paths: tuple[str, ...]) -> None:
    assert decoded({"ingress": [{}, rule]}) == tuple(Remark(Oddity.EMPTY_LIST, path) for path in paths)


@pytest.mark.parametrize(
    ("spec", "odd"),
    [
        ({"egress": []}, True),
        ({"egress": [], "policyTypes": []}, True),
        ({"egress": [], "policyTypes": ["Ingress"]}, False),
        ({"egress": [], "policyTypes": ["Egress"]}, False),
        ({"egress": None}, False),
        ({"egress": [{}]}, False),
        ({}, False),
    ],
)
def test_egress_that_does_not_isolate(spec: Raw, odd: bool) -> None:
    assert [item.oddity for item in decoded(spec)] == [Oddity.UNTYPED_EGRESS] * odd


def test_verdicts_do_not_depend_on_remarks() -> None:
    """Two policies that mean the same are equal, however they are written."""
    tidy, odd = (a_policy("shop/p", ingress=[allow(block(cidr))]) for cidr in ("10.0.0.0/8", "10.1.2.3/8"))

    assert tidy == odd
    assert tidy.remarks != odd.remarks


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [({LAST_APPLIED: "{}"}, "{}"), ({LAST_APPLIED: 7}, ""), ({"other": "{}"}, ""), (["odd"], ""), (None, "")],
)
def test_what_was_applied_is_kept_where_it_is_text(annotations: object, expected: str) -> None:
    raw = policy("shop/p")
    raw["metadata"]["annotations"] = annotations

    assert decode_network_policy(raw).applied == expected
