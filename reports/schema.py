"""The JSON Schema of report.json, made from the dataclasses of `auditor.model.report`.

It is published as `assets/report.schema.json`; a test compares the two.  Unknown fields are valid, because later
versions of schema 1 add some.
"""

from __future__ import annotations

import json

import msgspec

from auditor.model.report import SCHEMA, AuditReport


def render() -> str:
    """Write the schema; the same dataclasses give the same bytes."""
    schema = msgspec.json.schema(AuditReport)
    definition = schema["$defs"]["AuditReport"]
    definition["properties"]["schema"] = {"const": SCHEMA}
    named = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "netaudit report", **schema}
    return json.dumps(named, indent=2, sort_keys=True) + "\n"
