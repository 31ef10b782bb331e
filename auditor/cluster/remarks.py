"""What a NetworkPolicy's manifest says in a way that its value no longer shows.

Pure.  Asked of manifests that decode without an error; none of it changes a verdict.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from ipaddress import ip_network

from auditor.cluster.fields import Raw
from auditor.model.policy import Oddity, Remark


def remarks(spec: Raw) -> tuple[Remark, ...]:
    """Everything odd about a spec, in its order."""
    found = [
        remark
        for rules_key, peers_key in (("ingress", "from"), ("egress", "to"))
        for position, rule in enumerate(spec.get(rules_key) or ())
        for remark in _rule(rule, peers_key, f"spec.{rules_key}[{position}]")
    ]
    if spec.get("egress") == [] and not spec.get("policyTypes"):
        found.append(Remark(Oddity.UNTYPED_EGRESS, "spec.egress"))
    return tuple(found)


def _rule(rule: Raw, peers_key: str, path: str) -> Iterator[Remark]:
    for key in (peers_key, "ports"):
        if rule.get(key) == []:
            yield Remark(Oddity.EMPTY_LIST, f"{path}.{key}")
    for position, peer in enumerate(rule.get(peers_key) or ()):
        block = peer.get("ipBlock")
        if block is not None:
            yield from _block(block, f"{path}.{peers_key}[{position}].ipBlock")


def _block(block: Raw, path: str) -> Iterator[Remark]:
    if _has_host_bits(block["cidr"]):
        yield Remark(Oddity.HOST_BITS, f"{path}.cidr", block["cidr"])
    for position, text in enumerate(block.get("except") or ()):
        if _has_host_bits(text):
            yield Remark(Oddity.HOST_BITS, f"{path}.except[{position}]", text)


@lru_cache(maxsize=4096)
def _has_host_bits(text: str) -> bool:
    try:
        ip_network(text)
    except ValueError:
        return True
    return False
