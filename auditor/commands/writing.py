"""Reports to stdout and to files."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from auditor.errors import OutputRefused, UsageError
from auditor.flags import Output

T = TypeVar("T")


def check_files(outputs: Sequence[Output]) -> None:
    """Raise NetauditError for a report that could not be written, before anything is done for it."""
    for output in outputs:
        if output.file is None:
            if not sys.stdout.writable():
                raise OutputRefused("it is closed")
            continue
        file = Path(output.file)
        if file.is_dir() or not os.access(file if file.exists() else file.parent, os.W_OK):
            raise _unwritable(output.file, "it is a folder, or its folder is missing or not yours")


def _unwritable(file: str, why: str) -> UsageError:
    return UsageError(f"cannot write the report to {file}", why=why, attempt="another file or folder with -o")


def write(report: T, outputs: Sequence[Output], formats: Mapping[str, Callable[[T], str]]) -> None:
    """Write every output; one that fails does not cost the others."""
    failed: Exception | None = None
    for output in outputs:
        text = formats[output.format](report)
        try:
            if output.file is None:
                sys.stdout.write(text if text.endswith("\n") else f"{text}\n")
                sys.stdout.flush()
            else:
                Path(output.file).write_text(text, encoding="utf-8")
        except OutputRefused as error:
            failed = error
        except OSError as error:
            # A reader that has gone is no fault of ours, and told as such.
            failed = error if output.file is None else _unwritable(output.file, str(error))
    if failed is not None:
        raise failed
