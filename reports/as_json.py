"""`-o json`: the report itself, and the way back from a saved one.

The text is pure ASCII: what a terminal or an editor could act upon stands as a JSON escape, and nothing is lost.
"""

from __future__ import annotations

from typing import Any

import msgspec

from auditor.errors import NetauditError
from auditor.model.report import SCHEMA, AuditReport
from reports.json_text import encode
from reports.plain import plain

_FAMILY, _VERSION = SCHEMA.rsplit("/", 1)


def render(report: AuditReport) -> str:
    """Write the report; fields in the order of the schema, labels sorted."""
    return encode(report)


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
