"""The registry, and what holds for every format: hostile text stays text, and the same report gives the same bytes."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import reports
from auditor.model.report import AuditReport
from reports import FORMATS
from tests.unit.reports.samples import SAMPLES, every_agreement

FOLDER = Path(reports.__file__).parent
CASES = Path(__file__).parents[2] / "cases" / "reports"


def test_each_file_is_registered_under_the_name_that_users_type() -> None:
    files = {path.stem.removeprefix("as_") for path in FOLDER.glob("as_*.py")}

    assert files == set(FORMATS)


@pytest.mark.parametrize("name", FORMATS)
def test_same_report_gives_same_bytes_in_another_process(name: str) -> None:
    """Nothing depends on hash seeds, clocks or the order in which sets are walked."""
    source = CASES / "every-agreement" / "report.json"
    program = (
        "import sys; from reports import FORMATS, as_json; "
        f"sys.stdout.buffer.write(FORMATS[{name!r}](as_json.parse(open(sys.argv[1]).read())).encode())"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, str(source)], cwd=FOLDER.parent, capture_output=True, check=True
    )

    assert FORMATS[name](every_agreement()) == run.stdout.decode()


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)
def test_no_control_or_bidi_character_leaves_any_format(name: str, sample: AuditReport) -> None:
    text = FORMATS[name](sample)

    assert [] == sorted({char for char in text if not char.isprintable() and char != "\n"})


@pytest.mark.parametrize("name", sorted(set(FORMATS) - {"json"}))
def test_order_of_lists_in_a_report_changes_no_view(name: str) -> None:
    """Views sort for themselves, so a report from elsewhere reads the same; JSON keeps the document as it is."""
    whole = every_agreement()
    turned = replace(
        whole,
        findings=whole.findings[::-1],
        identities=whole.identities[::-1],
        stand_ins=whole.stand_ins[::-1],
        flows=whole.flows[::-1],
        policies=whole.policies[::-1],
        nodes=whole.nodes[::-1],
        skipped=whole.skipped[::-1],
    )

    assert FORMATS[name](whole) == FORMATS[name](turned)
