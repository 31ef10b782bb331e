"""The published JSON Schema is the one that the dataclasses give, and reports keep to it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given

import reports
from auditor.model.report import SCHEMA, AuditReport
from reports import as_json, schema
from tests.unit.reports import strategies
from tests.unit.reports.samples import SAMPLES, clean

PUBLISHED = Path(reports.__file__).parent / "assets" / "report.schema.json"


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json.loads(schema.render()))


def test_published_file_is_what_is_generated() -> None:
    if os.environ.get("NETAUDIT_WRITE_CASES"):
        PUBLISHED.write_text(schema.render())

    assert schema.render() == PUBLISHED.read_text()


def test_schema_is_valid_itself() -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(schema.render()))


@pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)
def test_samples_are_valid(validator: jsonschema.Draft202012Validator, sample: AuditReport) -> None:
    validator.validate(json.loads(as_json.render(sample)))


@given(report=strategies.reports)
def test_generated_reports_are_valid(validator: jsonschema.Draft202012Validator, report: AuditReport) -> None:
    validator.validate(json.loads(as_json.render(report)))


def test_another_schema_name_is_not_valid(validator: jsonschema.Draft202012Validator) -> None:
    document = json.loads(as_json.render(clean())) | {"schema": "netaudit.report/2"}

    with pytest.raises(jsonschema.ValidationError, match=SCHEMA):
        validator.validate(document)


def test_missing_number_is_not_valid(validator: jsonschema.Draft202012Validator) -> None:
    document = json.loads(as_json.render(clean()))
    del document["summary"]["leaks"]

    with pytest.raises(jsonschema.ValidationError, match="leaks"):
        validator.validate(document)


def test_field_of_a_later_version_is_valid(validator: jsonschema.Draft202012Validator) -> None:
    validator.validate(json.loads(as_json.render(clean())) | {"score": 10})
