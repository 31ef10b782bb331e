"""From timelines of new connections to how soon a policy held."""

from __future__ import annotations

from dataclasses import replace

import pytest

from auditor.model.flow import Direction
from auditor.model.probe import Outcome
from auditor.model.timing import Change, Figure, Pace, Path, Trace
from auditor.timing import NOT_DENIED, NOT_TALKING, UNTRIED, figure, figures, is_settled, is_talking
from tests.timelines import (
    ANSWERED,
    ASKED,
    LIMIT,
    STEP,
    allowed_from,
    always,
    denied_from,
    fresh,
    timing,
    trace,
    turning,
)

REACHED, SILENT, FAULT, REFUSED = Outcome.REACHED, Outcome.SILENT, Outcome.FAULT, Outcome.REFUSED
NEW, REMOVED = Change.NEW_POLICY, Change.POLICY_REMOVED


def judged(seen: Trace, direction: Direction = Direction.INGRESS) -> Figure:
    return figure(seen, direction, LIMIT)


def assert_holds(found: Figure, seconds: float) -> None:
    """The true time lies within what is said, and that is no wider than a step and a little."""
    assert found.milliseconds - found.resolution - 1 <= seconds * 1000 <= found.milliseconds + 1
    assert found.resolution <= (STEP + 0.05) * 1000


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("after", [0.05, 0.117, 0.9, 4.0, 12.0])
def test_a_new_policy_is_timed_from_the_answer(after: float, direction: Direction) -> None:
    found = judged(trace(NEW, denied_from(ANSWERED + after)), direction)

    assert found.pace is (Pace.AFTER if after > STEP else Pace.AT_ONCE)
    assert_holds(found, after)


def test_a_policy_that_holds_before_the_answer_comes_holds_at_once() -> None:
    found = judged(trace(NEW, denied_from(ASKED + 0.001)))

    assert found.pace is Pace.AT_ONCE
    assert found.milliseconds <= STEP * 1000


@pytest.mark.parametrize("refusal", [SILENT, REFUSED])
def test_both_ways_of_denying_count(refusal: Outcome) -> None:
    assert_holds(judged(trace(NEW, turning(ANSWERED + 1, REACHED, refusal))), 1.0)


def test_what_gets_through_until_the_limit_never_held() -> None:
    found = judged(trace(NEW, always(REACHED)))

    assert found.pace is Pace.NEVER
    assert found.milliseconds >= LIMIT * 1000
    assert judged(trace(NEW, always(REACHED), until=20)).pace is Pace.INCONCLUSIVE


def test_a_nonce_needs_no_other_proof_a_denial_does() -> None:
    dead = always(SILENT)

    assert judged(trace(NEW, always(REACHED), twin=dead, itself=dead)).pace is Pace.NEVER
    assert judged(trace(NEW, denied_from(11), twin=dead)).pace is Pace.INCONCLUSIVE
    assert judged(trace(NEW, denied_from(11), itself=dead)).pace is Pace.INCONCLUSIVE


@pytest.mark.parametrize(("path", "words"), [("twin", "the unpoliced twin"), ("itself", "the pod's own listener")])
@pytest.mark.parametrize("spoilt", [SILENT, FAULT, REFUSED])
def test_a_control_that_fails_once_is_named(path: str, words: str, spoilt: Outcome) -> None:
    def hiccup(begun: float) -> Outcome:
        return spoilt if 12 <= begun < 12 + STEP else REACHED

    found = judged(trace(NEW, denied_from(11), 50.0, 5.0, **{path: hiccup}))

    assert found.pace is Pace.INCONCLUSIVE
    assert words in found.reason


@pytest.mark.parametrize("path", [Path.TWIN, Path.ITSELF])
def test_a_control_that_was_not_tried_to_the_end_is_named(path: Path) -> None:
    seen = trace(NEW, denied_from(11))
    cut = replace(seen, samples={**seen.samples, path: tuple(s for s in seen.samples[path] if s.sent < 11)})

    assert judged(cut).pace is Pace.INCONCLUSIVE
    assert "to the end" in judged(cut).reason


def test_what_did_not_get_through_before_shows_no_policy() -> None:
    """An admin's or a stranger's policy denies it: that it goes on is no work of the new one."""
    found = judged(trace(NEW, always(SILENT)))

    assert (found.pace, found.reason) == (Pace.INCONCLUSIVE, NOT_TALKING)


def test_one_that_wavers_neither_held_nor_did_not() -> None:
    def wavers(begun: float) -> Outcome:
        return SILENT if begun > ANSWERED and int(begun) % 2 else REACHED

    assert judged(trace(NEW, wavers)).pace is Pace.INCONCLUSIVE


def test_it_counts_from_the_last_time_that_something_got_through() -> None:
    def gap(begun: float) -> Outcome:
        return REACHED if begun < 10.5 or 11 <= begun < 11.1 else SILENT

    assert_holds(judged(trace(NEW, gap)), 11.1 - ANSWERED)


def test_a_try_that_failed_may_have_got_through() -> None:
    """Connected and silent is a fault: what is denied is denied after it as well."""

    def odd(begun: float) -> Outcome:
        return REACHED if begun < 10.5 else FAULT if begun < 12 else SILENT

    found = judged(trace(NEW, odd))

    assert found.milliseconds >= (12 - ANSWERED) * 1000
    assert judged(trace(NEW, turning(10.5, REACHED, FAULT))).pace is Pace.INCONCLUSIVE


def test_a_fresh_pod_that_is_denied_from_its_first_try_on() -> None:
    """The time is that before the first try that counts, which nobody saw."""
    seen = fresh(always(SILENT))
    ways = {direction: judged(seen, direction) for direction in Direction}

    assert {found.pace for found in ways.values()} == {Pace.AT_ONCE}
    assert 500 <= ways[Direction.EGRESS].milliseconds <= 520
    assert 500 <= ways[Direction.INGRESS].milliseconds <= 520 + 2 * STEP * 1000
    assert ways[Direction.EGRESS].milliseconds == ways[Direction.EGRESS].resolution


def test_a_fresh_pod_that_is_open_for_a_while() -> None:
    found = judged(fresh(denied_from(13)))

    assert found.pace is Pace.AFTER
    assert found.milliseconds - found.resolution - 1 <= 2000 <= found.milliseconds


def test_a_fresh_pod_that_does_not_listen_yet_is_not_denied() -> None:
    found = judged(fresh(always(SILENT), up=14.0))

    assert found.milliseconds >= 3000
    assert judged(fresh(always(SILENT), up=99.0)).pace is Pace.INCONCLUSIVE


def test_a_fresh_pod_proves_nothing_where_the_older_one_never_talked() -> None:
    planned = timing("n1")
    mute, talking = trace(NEW, always(SILENT)), trace(NEW, denied_from(11))
    by_change = {
        name: {item.change: item for item in figures([first, fresh(always(SILENT))], planned)}
        for name, first in (("mute", mute), ("talking", talking))
    }

    assert by_change["mute"][Change.FRESH_POD].reason == NOT_TALKING
    assert by_change["talking"][Change.FRESH_POD].pace is Pace.AT_ONCE
    alone = {item.change: item for item in figures([fresh(always(SILENT))], planned)}
    assert alone[Change.FRESH_POD].pace is Pace.INCONCLUSIVE


@pytest.mark.parametrize("after", [0.3, 3.0])
def test_a_removed_policy_is_timed_until_it_gets_through_again(after: float) -> None:
    found = judged(trace(REMOVED, allowed_from(ANSWERED + after)))

    assert found.pace is Pace.AFTER
    assert_holds(found, after)


def test_a_removed_policy_may_go_on_or_may_never_have_held() -> None:
    assert judged(trace(REMOVED, always(SILENT))).pace is Pace.NEVER
    assert judged(trace(REMOVED, always(SILENT), twin=always(SILENT))).pace is Pace.INCONCLUSIVE
    assert judged(trace(REMOVED, always(REACHED))).reason == NOT_DENIED
    assert judged(trace(REMOVED, allowed_from(ASKED))).pace is Pace.AT_ONCE


def test_what_was_not_tried_is_said_for_each_node_change_and_direction() -> None:
    found = figures([replace(trace(NEW, denied_from(11)), fault="the exec failed")], timing("n1", "n2"))

    assert len(found) == 2 * len(Change) * 2
    assert {item.pace for item in found} == {Pace.INCONCLUSIVE}
    assert {item.reason for item in found} == {"the exec failed", UNTRIED}


@pytest.mark.parametrize(
    ("seen", "settled"),
    [
        (trace(NEW, denied_from(10.5), until=13.3), False),
        (trace(NEW, denied_from(10.5), until=14.2), True),
        (trace(NEW, always(REACHED), until=20), False),
        (trace(NEW, always(REACHED), until=ANSWERED + LIMIT), True),
        (trace(NEW, always(SILENT), until=12), True),
        (replace(trace(NEW, always(REACHED), until=11), fault="broken"), True),
        (replace(trace(NEW, always(REACHED), until=11), zero=None), False),
        (trace(REMOVED, allowed_from(10.5), until=13), True),
    ],
)
def test_nobody_looks_longer_than_it_takes(seen: Trace, settled: bool) -> None:
    assert is_settled(seen, LIMIT) is settled


def test_pods_talk_once_all_paths_were_reached_some_times() -> None:
    assert is_talking(trace(NEW, always(REACHED), until=6))
    assert not is_talking(trace(NEW, always(REACHED), until=5.2))
    assert not is_talking(trace(NEW, always(REACHED), until=6, twin=always(SILENT)))
