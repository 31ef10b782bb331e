"""What each mode has no use for is refused, with what, why and try."""

from __future__ import annotations

import pytest

from auditor.errors import UsageError
from auditor.model.options import Mode, Options, Targets
from tests.unit.test_flags import options


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ("--mode inplace", "marks no pods of a whole cluster"),
        ("--mode inplace -n shop --expect flows.yaml", "tells nothing of --expect"),
        ("--mode inplace -n shop --resume last", "nothing to go on from"),
        ("--mode inplace -n shop --transport logs", "cannot work by --transport logs"),
        ("--mode sentinel --transport logs", "--mode sentinel does not work by --transport logs"),
        ("--mode shadow --transport logs", "--mode shadow does not work by --transport logs"),
        ("--targets service --transport logs", "--targets service does not work by --transport logs"),
        ("--mode sentinel -n shop", "audits no workloads"),
        ("--mode shadow --resume last", "nothing to go on from"),
        ("--mode shadow --expect flows.yaml", "tells nothing of --expect"),
    ],
)
def test_what_makes_no_sense_in_a_mode_is_refused(words: str, what: str) -> None:
    with pytest.raises(UsageError, match=what) as found:
        options(*words.split())

    assert found.value.why
    assert found.value.attempt


@pytest.mark.parametrize(
    "words", ["-n shop", "-l app=web", "-n shop --targets real", "-n shop --external 203.0.113.7:443=deny"]
)
def test_real_pods_are_marked_by_name_or_by_label(words: str) -> None:
    made: Options = options("--mode", "inplace", *words.split())

    assert made.mode is Mode.INPLACE
    assert (made.targets is Targets.REAL) == ("real" in words)
