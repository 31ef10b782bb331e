"""The files that `--expect` names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from auditor.errors import UsageError
from auditor.expectation_file import check_consistent, read_expectations
from auditor.model.expectation import Expectation


def expectations_from(files: Sequence[str]) -> tuple[Expectation, ...]:
    """Read the files in their order; raises UsageError for one that cannot be read or is not understood."""
    found: list[Expectation] = []
    for file in files:
        try:
            data = Path(file).read_bytes()
        except OSError as error:
            raise UsageError(f"cannot read {file}", why=str(error), attempt="--expect with a file") from error
        found += read_expectations(file, data)
    check_consistent(found)
    return tuple(found)
