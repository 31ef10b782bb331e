"""`make bench` prints what it can and fails only for what does not run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest

from auditor.cluster.decode import decode
from auditor.model.flow import Verdict
from auditor.model.matrix import CODES, NOT_ASKED
from auditor.predict import predict
from tests.bench import BENCHES, __main__, figures
from tests.bench.clusters import cluster
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


def test_made_up_cluster_is_understood_and_denies_and_allows() -> None:
    snapshot = decode(cluster(60, 3))
    matrix = predict(snapshot, lambda _: True)

    assert snapshot.warnings == ()
    assert (60, 3, 15) == (len(snapshot.pods), len(snapshot.namespaces), len(snapshot.policies))
    assert len(matrix.identities) == 15
    assert {Verdict.ALLOWED, Verdict.DENIED} == {CODES[cell] for cell in matrix.cells if cell != NOT_ASKED}
