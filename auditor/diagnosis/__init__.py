"""From judged flows to findings; one file for each rule."""

from __future__ import annotations

from collections.abc import Callable

from auditor.diagnosis import blockage, enforcement, expectation, handshake, late, leak, service
from auditor.diagnosis.case import Case
from auditor.model.finding import Finding

RULES: dict[str, Callable[[Case], tuple[Finding, ...]]] = {
    "leak": leak.find,
    "blockage": blockage.find,
    "late": late.find,
    "expectation": expectation.find,
    "handshake": handshake.find,
    "enforcement": enforcement.find,
    "service": service.find,
}


def diagnose(case: Case) -> tuple[Finding, ...]:
    """All findings, worst first, then by id."""
    found = [finding for rule in RULES.values() for finding in rule(case)]
    return tuple(sorted(found, key=lambda item: (-item.severity.rank, item.rule, item.title, item.id)))
