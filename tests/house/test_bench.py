"""`make bench` prints what it can and fails only for what does not run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest

from tests.bench import BENCHES, NOT_EVERYWHERE, __main__, figures
from tests.bench.figures import Figure


def well() -> Iterable[Figure]:
    return [Figure("a long wait", 3600.0, "s", 99_999.0), Figure("size", 12.0, "kB")]


def badly() -> Iterator[Figure]:
    yield Figure("half", 1.0, "s", 2.0)
    raise ValueError("no such thing")


@pytest.fixture(autouse=True)
def benches(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(BENCHES):
        monkeypatch.delitem(BENCHES, name)
    monkeypatch.setitem(BENCHES, "well", well)
    monkeypatch.setitem(BENCHES, "badly", badly)
    monkeypatch.setitem(NOT_EVERYWHERE, "badly", lambda: "")


def test_slow_figures_do_not_fail(capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main(["well"]) == 0

    out, err = capsys.readouterr()
    assert "a long wait" in out
    assert "kB" in out
    assert err == ""


def test_broken_bench_fails_and_hides_no_figure(capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main([]) == 1

    out, err = capsys.readouterr()
    assert [name for name in ("a long wait", "half") if name in out] == ["a long wait", "half"]
    assert "error: bench badly: ValueError('no such thing')" in err


def test_unknown_bench_is_a_usage_error() -> None:
    with pytest.raises(SystemExit) as stopped:
        __main__.main(["wel"])

    assert stopped.value.code == 2


def test_time_stands_beside_the_yardstick() -> None:
    figure = figures.timed("nothing", lambda: None)

    assert figure.ratio is not None
    assert figure.ratio < 0.1


def test_value_stands_beside_its_target_and_the_naive_reading(capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.row(Figure("half", 1.0, "s", 2.0, target=4.0, naive=31_000)) == (
        *("half", 1.0, "s", 4.0, 0.25, None, 2.0),
        "31,000 x",
    )
    assert __main__.row(Figure("none", 1.0, "MB"))[3:] == (None, None, None, None, "")


def test_what_a_machine_cannot_bear_is_named_and_left_out_unless_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(NOT_EVERYWHERE, "badly", lambda: "it needs root")

    assert __main__.main([]) == 0
    assert "left out: badly: it needs root" in capsys.readouterr().err
    assert __main__.main(["badly"]) == 1
