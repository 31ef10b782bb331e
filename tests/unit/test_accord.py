"""User, model and packets: each row of the tables, against a second reading that is made of their meaning."""

from __future__ import annotations

from itertools import product

import pytest

from auditor.accord import MEANINGS, MEASURED, PREDICTED
from auditor.model.expectation import BROKEN, Accord, Wish
from auditor.model.finding import Agreement
from auditor.model.flow import Verdict

KNOWN = {Verdict.ALLOWED: True, Verdict.DENIED: False}
RIGHT = frozenset({Agreement.AS_EXPECTED, Agreement.LATE})


def got_through(verdict: Verdict, agreement: Agreement) -> bool | None:
    """Whether packets get through for good; None where that is not shown, or cannot be."""
    if verdict not in KNOWN:
        return None
    if agreement in RIGHT:
        return KNOWN[verdict]
    wrong = {Verdict.DENIED: Agreement.LEAK, Verdict.ALLOWED: Agreement.BLOCKAGE}[verdict]
    return not KNOWN[verdict] if agreement is wrong else None


def by_meaning(wish: Wish, verdict: Verdict, agreement: Agreement) -> Accord:
    through = got_through(verdict, agreement)
    if through is None:
        return Accord.INCONCLUSIVE
    wanted = wish is Wish.ALLOWED
    if through is wanted:
        if KNOWN[verdict] is not wanted:
            return Accord.AGAINST_POLICIES
        return Accord.LATE if agreement is Agreement.LATE else Accord.KEPT
    if KNOWN[verdict] is wanted:
        return Accord.LEAK if through else Accord.BLOCKAGE
    return Accord.POLICIES_ALLOW if through else Accord.POLICIES_FORBID


@pytest.mark.parametrize(("wish", "verdict", "agreement"), list(product(Wish, Verdict, Agreement)))
def test_row_of_what_was_measured(wish: Wish, verdict: Verdict, agreement: Agreement) -> None:
    assert MEASURED[wish, verdict, agreement] is by_meaning(wish, verdict, agreement)


@pytest.mark.parametrize(("wish", "verdict"), list(product(Wish, Verdict)))
def test_row_of_what_was_predicted(wish: Wish, verdict: Verdict) -> None:
    """The model alone says what packets that do as it says would have said."""
    assert PREDICTED[wish, verdict] is by_meaning(wish, verdict, Agreement.AS_EXPECTED)


def test_tables_hold_nothing_else() -> None:
    assert set(MEASURED) == set(product(Wish, Verdict, Agreement))
    assert set(PREDICTED) == set(product(Wish, Verdict))


def test_each_case_can_come_of_packets_and_has_a_meaning() -> None:
    assert set(MEASURED.values()) == set(Accord) == set(MEANINGS)
    assert len(set(MEANINGS.values())) == len(Accord)


def test_broken_is_what_packets_do_against_the_user() -> None:
    """Just the cases in which packets were shown to do what the user does not expect."""
    against = {
        accord
        for (wish, verdict, agreement), accord in MEASURED.items()
        if got_through(verdict, agreement) is (wish is Wish.DENIED)
    }

    assert against == BROKEN
    assert [accord.rank for accord in Accord] == list(range(len(Accord)))
