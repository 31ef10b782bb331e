"""Reports to stdout and to files."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from auditor.errors import UsageError
from auditor.flags import Output

T = TypeVar("T")


def check_files(outputs: Sequence[Output]) -> None:
    """Raise UsageError for a report that could not be written, before anything is done for it."""
    for output in outputs:
        if output.file is None:
            continue
        file = Path(output.file)
        if file.is_dir() or not os.access(file if file.exists() else file.parent, os.W_OK):
            raise _unwritable(output.file, "it is a folder, or its folder is missing or not yours")


def _unwritable(file: str, why: str) -> UsageError:
    return UsageError(f"cannot write the report to {file}", why=why, attempt="another file or folder with -o")


def write(report: T, outputs: Sequence[Output], formats: Mapping[str, Callable[[T], str]]) -> None:
    """Write every output; one that fails does not cost the others."""
    failed: UsageError | None = None
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal that cannot show a glyph still gets the words.
        sys.stdout.reconfigure(errors="replace")
    for output in outputs:
        text = formats[output.format](report)
        if output.file is None:
            sys.stdout.write(text if text.endswith("\n") else f"{text}\n")
            continue
        try:
            Path(output.file).write_text(text, encoding="utf-8")
        except OSError as error:
            failed = _unwritable(output.file, str(error))
    sys.stdout.flush()
    if failed is not None:
        raise failed
