"""Each result has a glyph and a word of its own, and words of later versions are never taken for good news."""

from __future__ import annotations

from dataclasses import replace

import pytest

from auditor.model.finding import Agreement, Proof, Severity
from auditor.model.flow import Verdict
from auditor.model.probe import Outcome
from reports import words
from reports.words import Sign
from tests.unit.reports.builders import report

FLOW = report().flows[0]


@pytest.mark.parametrize(
    ("table", "values"),
    [
        (words.AGREEMENTS, {member.value for member in Agreement}),
        (words.PROOFS, {member.value for member in Proof}),
        (words.STATUSES, {"clean", "findings", "incomplete"}),
    ],
    ids=["agreements", "proofs", "statuses"],
)
def test_every_value_has_a_sign_of_its_own(table: dict[str, Sign], values: set[str]) -> None:
    assert values == set(table)
    assert len(values) == len({sign.word for sign in table.values()}) == len({sign.glyph for sign in table.values()})


def test_signs_of_cells_can_be_told_apart_without_colour() -> None:
    assert len(words.CELL_SIGNS) == len({sign.glyph for sign in words.CELL_SIGNS})
    assert len(words.CELL_SIGNS) == len({sign.word for sign in words.CELL_SIGNS})
    assert list(words.CELL_SIGNS) == sorted(words.CELL_SIGNS, key=lambda sign: sign.rank)


@pytest.mark.parametrize(("value", "word"), [("of-a-later-version", "of-a-later-version"), ("", "unknown")])
def test_value_of_a_later_version_keeps_its_word_and_gets_the_sign_of_doubt(value: str, word: str) -> None:
    sign = words.sign_of(words.AGREEMENTS, value)

    assert (words.INCONCLUSIVE.key, word) == (sign.key, sign.word)


@pytest.mark.parametrize(
    ("agreement", "outcome", "sign"),
    [
        ("as-expected", "reached", words.REACHED),
        ("as-expected", "silent", words.NOT_REACHED),
        ("as-expected", "refused", words.NOT_REACHED),
        ("leak", "reached", words.LEAK),
        ("blockage", "silent", words.BLOCKAGE),
        ("late", "reached", words.LATE),
        ("inconclusive", "fault", words.INCONCLUSIVE),
    ],
)
def test_cell_says_what_was_measured_only_where_it_is_as_expected(agreement: str, outcome: str, sign: Sign) -> None:
    assert sign == words.cell_sign_of(replace(FLOW, agreement=agreement, outcome=outcome))


def test_severities_rank_as_the_model_does() -> None:
    assert sorted(Severity, key=lambda severity: -severity.rank) == sorted(
        Severity, key=lambda severity: words.severity_rank(severity.value)
    )
    assert words.severity_rank("of-a-later-version") > words.severity_rank("info")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (words.plural(0, "flow"), "0 flows"),
        (words.plural(1, "flow"), "1 flow"),
        (words.plural(1234, "flow"), "1,234 flows"),
        (words.plural(1, "policy", "policies"), "1 policy"),
        (words.plural(2, "policy", "policies"), "2 policies"),
    ],
)
def test_numbers_and_nouns_agree(text: str, expected: str) -> None:
    assert expected == text


def test_predicted_and_measured_share_no_word() -> None:
    """The vocabulary of the model, which the reports show as it is."""
    assert not {member.value for member in Verdict} & {member.value for member in Outcome}
