"""Real pods that stay marked by an ephemeral container, in words.

Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

from auditor.model.probe import Mark
from auditor.model.report import MarkEntry
from reports.plain import plain
from reports.words import plural

HOW = "cannot be removed before these pods are replaced"
HOW_ONE = "cannot be removed before the pod is replaced"


def marked_text(marks: Sequence[Mark]) -> str:
    """What a run, or a clean-up, says on a stream of what it cannot remove; empty where there is nothing."""
    if not marks:
        return ""
    many = f"{plural(len(marks), 'real pod')} stay marked by ephemeral containers, which {HOW}:"
    one = f"1 real pod stays marked by an ephemeral container, which {HOW_ONE}:"
    lines = [one if len(marks) == 1 else many]
    lines += [f"  pod {item.namespace}/{item.pod}, container {item.container}: {item.state}" for item in marks]
    return "".join(f"{plain(line)}\n" for line in lines)


def marked_rows(entries: Sequence[MarkEntry]) -> tuple[str, ...]:
    """Each pod of a report, with what makes its next one."""
    return tuple(
        f"pod {item.namespace}/{item.pod} of {item.owner} holds the ephemeral container {item.container}: {item.state}"
        for item in entries
    )


def sentence(entries: Sequence[MarkEntry]) -> str:
    """How many there are, one at least, and that nobody can help it."""
    if len(entries) == 1:
        return f"1 real pod holds an ephemeral container of this run, which {HOW_ONE}."
    return f"{plural(len(entries), 'real pod')} hold an ephemeral container of this run, which {HOW}."
