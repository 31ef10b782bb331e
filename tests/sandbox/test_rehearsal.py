"""Audits in the embedded sandbox: with an engine that does what the API says, and with each fault, audited blind."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from auditor import guides
from auditor.model.finding import Agreement
from auditor.verdict import Material
from probes.backends.netns.faults import FAULTS, START_WINDOW, Command
from tests.sandbox.rehearsing import rehearse_all

SHOWN = [name for name, fault in FAULTS.items() if fault.command is Command.RUN]
TELLING = ("", "nothing-enforced", "node-without-agent", "reject-reset", "always-deny", "endport-ignored")
"""What every change is held against; all others take their turn in the long run."""

BESIDE: Mapping[Agreement | None, set[Agreement]] = {
    # Where nothing that is allowed gets through, a path may be dead, and its denials are not proven.
    Agreement.BLOCKAGE: {Agreement.INCONCLUSIVE},
    # Where packets get lost, some that are allowed do so too, and get through in a later round.
    Agreement.INCONCLUSIVE: {Agreement.LATE},
}


def settle(fault: str) -> float:
    """Seconds of patience: a start window has to be over before the end."""
    return START_WINDOW + 10 if fault == "late-start" else 2


@pytest.fixture(scope="module")
def audits(request: pytest.FixtureRequest) -> dict[str, Material]:
    """All audits that a test asks for, made together."""
    mine = [item for item in request.session.items if item.path == request.path and isinstance(item, pytest.Function)]
    asked = {str(item.callspec.params["fault"]) for item in mine}
    return rehearse_all(guides.BEYOND, ((fault, settle(fault)) for fault in sorted(asked)))


@pytest.mark.parametrize(
    "fault", [name if name in TELLING else pytest.param(name, marks=pytest.mark.long) for name in ("", *SHOWN)]
)
def test_an_audit_finds_what_the_table_says_and_nothing_else(audits: dict[str, Material], fault: str) -> None:
    found = {item.agreement for item in audits[fault].comparison.judgements}
    finds = FAULTS[fault].finds if fault else None
    assert Agreement.AS_EXPECTED in found
    assert found - BESIDE.get(finds, set()) - {Agreement.AS_EXPECTED} == ({finds} if finds else set())
    assert {item.rule for item in audits[fault].findings} <= {item.value for item in found}
    assert finds is Agreement.INCONCLUSIVE or bool(audits[fault].findings) is bool(finds)
