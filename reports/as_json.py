"""`-o json`: the report itself, and the way back from a saved one.

The text is pure ASCII: what a terminal or an editor could act upon stands as a JSON escape, and nothing is lost.
"""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

from auditor.errors import NetauditError
from auditor.model.report import SCHEMA, AuditReport
from reports.plain import plain

_FAMILY, _VERSION = SCHEMA.rsplit("/", 1)
_NOT_ASCII = re.compile(r"[^\x20-\x7e\n]")


def render(report: AuditReport) -> str:
    """Write the report; fields in the order of the schema, labels sorted."""
    try:
        text = msgspec.json.encode(report, order="deterministic").decode()
    except UnicodeEncodeError:
        text = _without_surrogates(report)
    return _NOT_ASCII.sub(_escape, msgspec.json.format(text, indent=1)) + "\n"


def parse(text: str) -> AuditReport:
    """Read what `render` wrote, with this or an older version.  Raises NetauditError on anything else."""
    _check_schema(_decode_any(text))
    try:
        return msgspec.json.decode(text, type=AuditReport)
    except (msgspec.DecodeError, RecursionError) as error:
        raise NetauditError(
            "cannot read the report",
            why=f"it says {SCHEMA} and does not keep to it: {plain(str(error))}",
            attempt="write it again with netaudit run -o json, and do not edit it",
        ) from error


def _decode_any(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
        raise NetauditError(
            "cannot read the report",
            why=f"it is not valid JSON: {plain(str(error))}",
            attempt="give a file that netaudit run -o json=FILE wrote to its end",
        ) from error


def _check_schema(document: Any) -> None:
    """Raise unless the document says that it is a report of a version that is understood here."""
    named = document.get("schema") if isinstance(document, dict) else None
    if named == SCHEMA:
        return
    if not isinstance(named, str):
        raise _foreign("it names no schema, so it is not a report of netaudit")
    family, _, version = named.partition("/")
    if family != _FAMILY:
        raise _foreign(f"its schema is {plain(named, 100)}, and a report has {SCHEMA}")
    if version.isdecimal() and int(version[:9]) > int(_VERSION):
        raise NetauditError(
            "cannot read the report",
            why=f"its schema is {plain(named, 100)}, and this netaudit knows versions up to {SCHEMA}",
            attempt="use the version of netaudit that wrote it, or a newer one",
        )
    raise _foreign(f"its schema is {plain(named, 100)}, which no version of netaudit writes")


def _foreign(why: str) -> NetauditError:
    return NetauditError("cannot read the report", why=why, attempt="give a file that netaudit run -o json=FILE wrote")


def _without_surrogates(report: AuditReport) -> str:
    """Encode a report that holds half characters, which UTF-8 has no form for, with `?` in their place."""
    builtins = msgspec.to_builtins(report, order="deterministic")
    return json.dumps(builtins, ensure_ascii=False).encode("utf-8", "replace").decode()


def _escape(match: re.Match[str]) -> str:
    return json.dumps(match[0])[1:-1]
