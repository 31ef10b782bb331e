"""DOT and Mermaid: the grammar holds whatever the names, labels say what they should, arrows are the open flows."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.errors import UsageError
from auditor.model.flow import Verdict
from auditor.model.prediction import Prediction
from reports.plain import plain
from reports.prediction import as_dot, as_mermaid, graph
from reports.prediction.graph import Arrow
from tests.builders import allow, block, pod, policy, port, selector, tcp
from tests.unit.reports.prediction.asking import cells
from tests.unit.reports.prediction.samples import SAMPLES, foreseen, hostile_names, namespaces, open_questions, shop
from tests.unit.reports.prediction.strategies import predictions, texts

# Quoted texts without anything that could end them or begin an escape.
DOT_TEXT = r'"(?:[^"\\<>&\n]|&#\d+;)*"'
DOT_LINE = re.compile(
    rf"digraph netaudit \{{|  label={DOT_TEXT};|  rankdir=LR;|  node \[shape=box\];"
    rf"|  (?P<open>subgraph cluster_b\d+ \{{)|    label={DOT_TEXT};|    n\d+ \[label={DOT_TEXT}\];|  (?P<close>\}})"
    rf"|  n\d+ -> n\d+ \[label={DOT_TEXT}(?:, style=dashed)?\];|\}}"
)
MERMAID_TEXT = r'"(?:[A-Za-z0-9 ,\-./_():]|#\d+;)*"'
MERMAID_LINE = re.compile(
    rf"flowchart LR|  %% [^{{}}]*|  (?P<open>subgraph b\d+\[{MERMAID_TEXT}\])|    n\d+\[{MERMAID_TEXT}\]"
    rf"|  (?P<close>end)|  n\d+ (?:-->|-\.->)\|{MERMAID_TEXT}\| n\d+"
)


def keeps_to(text: str, grammar: re.Pattern[str]) -> bool:
    """Whether each line is a statement, and boxes are opened and closed in turn."""
    found = [grammar.fullmatch(line) for line in text.splitlines()]
    boxes = [match.lastgroup for match in found if match and match.lastgroup]
    return all(found) and boxes == ["open", "close"] * (len(boxes) // 2)


def unquoted_dot(text: str) -> str:
    return html.unescape(text[1:-1])


def unquoted_mermaid(text: str) -> str:
    return re.sub(r"#(\d+);", lambda match: chr(int(match[1])), text[1:-1])


@given(predictions())
def test_every_line_is_a_statement_of_the_language(prediction: Prediction) -> None:
    assert keeps_to(as_dot.render(prediction), DOT_LINE)
    assert keeps_to(as_mermaid.render(prediction), MERMAID_LINE)


@pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)
def test_samples_keep_to_the_languages(sample: Prediction) -> None:
    assert keeps_to(as_dot.render(sample), DOT_LINE)
    assert keeps_to(as_mermaid.render(sample), MERMAID_LINE)


@given(st.one_of(texts, st.text()))
def test_quoted_text_is_shown_as_it_is(text: str) -> None:
    shown = plain(text)

    assert shown == unquoted_dot(as_dot.quoted(shown))
    assert shown == unquoted_mermaid(as_mermaid.quoted(shown))


@given(st.from_regex(r"\A\s?(\d+[.)]|[-*+]) ?.?\Z"))
def test_what_looks_like_a_list_is_none_for_mermaid(text: str) -> None:
    assert not re.match(r'"\s*(?:\d+[.)]|[-*+])(?:\s|"|$)', as_mermaid.quoted(plain(text)))


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
@pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)
def test_graphviz_draws_it(sample: Prediction) -> None:
    done = subprocess.run(
        ["dot", "-Tsvg"], input=as_dot.render(sample), capture_output=True, text=True, check=False, timeout=60
    )

    assert (0, "") == (done.returncode, done.stderr)


@given(predictions())
def test_arrows_are_the_flows_that_are_not_denied(prediction: Prediction) -> None:
    expected = {
        (f"n{item.source + 1}", f"n{item.destination + 1}", item.verdict is Verdict.ALLOWED)
        for item in cells(prediction)
        if item.verdict is not Verdict.DENIED
        and (item.source != item.destination or not prediction.matrix.identities[item.source].alone)
    }

    found = graph.graph(prediction).arrows

    assert expected == {(arrow.source, arrow.destination, arrow.certain) for arrow in found}
    assert len(expected) == len(found)


def test_ports_of_a_pair_are_on_one_arrow() -> None:
    found = graph.graph(open_questions())

    assert Arrow("n1", "n2", "53/UDP IPv4, 5432/TCP IPv4, any other TCP port IPv4", certain=False) in found.arrows
    assert Arrow("n2", "n3", "any other TCP port IPv4", certain=True) in found.arrows


def test_arrows_stand_in_order_those_that_are_certain_first() -> None:
    both = policy(
        "shop/p", selector(app="db"), ingress=[allow(block("10.0.0.0/8"), ports=[tcp(80)]), allow(ports=[tcp(81)])]
    )
    found = graph.graph(foreseen(pod("shop/a", at=["10.0.0.1"]), pod("shop/b", app="db", at=["10.0.0.2"]), both))

    assert [("n1", "n2", True, "81/TCP"), ("n1", "n2", False, "80/TCP"), ("n2", "n1", True, "any other TCP port")] == [
        (it.source, it.destination, it.certain, it.text) for it in found.arrows
    ]


def test_arrow_with_very_many_ports_counts_some_of_them() -> None:
    first = pod("shop/a", ports=[port(8000 + number) for number in range(11)])
    found = graph.graph(foreseen(first, pod("shop/b")))

    assert (
        "8000/TCP, 8001/TCP, 8002/TCP, 8003/TCP, 8004/TCP, 8005/TCP, 8006/TCP, 8007/TCP, 4 more"
        == found.arrows[-1].text
    )


def test_uncertain_arrows_are_dashed() -> None:
    assert '  n1 -> n2 [label="53/UDP IPv4, 5432/TCP IPv4, any other TCP port IPv4", style=dashed];\n' in as_dot.render(
        open_questions()
    )
    assert '  n1 -.->|"53/UDP IPv4, 5432/TCP IPv4, any other TCP port IPv4"| n2\n' in as_mermaid.render(
        open_questions()
    )


def test_identities_stand_in_boxes_for_their_namespaces() -> None:
    found = graph.graph(shop())

    assert [("ops", ["console"]), ("shop", ["api", "db", "web"])] == [
        (box.title, [node.name for node in box.nodes]) for box in found.boxes
    ]
    assert ["1 pod", "1 pod", "2 pods", "3 pods"] == [node.note for box in found.boxes for node in box.nodes]


def test_identities_that_share_a_title_are_told_apart() -> None:
    first, *others = shop().matrix.identities
    twins = tuple(replace(item, pods=first.pods, namespace=first.namespace) for item in others)
    twins = (*twins[:2], replace(twins[2], labels=twins[1].labels))

    found = graph.graph(replace(shop(), matrix=replace(shop().matrix, identities=(first, *twins))))

    names = [node.name for box in found.boxes for node in box.nodes]
    assert [
        "console",
        "console (app=api)",
        f"console (app=db) #{twins[1].id}",
        f"console (app=db) #{twins[2].id}",
    ] == names


def test_namespaces_are_drawn_where_identities_are_too_many() -> None:
    found = graph.graph(namespaces())

    (box,) = found.boxes
    names = {node.id: node.name for node in box.nodes}
    texts = {(names[it.source], names[it.destination]): it.text for it in found.arrows}
    assert [f"team-{number}" for number in range(8)] == list(names.values())
    assert {"any other TCP port", "any other TCP port (some)"} == set(texts.values())
    assert "any other TCP port (some)" == texts["team-1", "team-7"]
    assert ("team-1", "team-2") not in texts


def test_more_namespaces_than_anybody_can_read_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "MOST_NAMESPACES", 7)

    for render in _RENDERERS:
        with pytest.raises(UsageError, match="too many namespaces for a graph: 8"):
            render(namespaces())


_RENDERERS: tuple[Callable[[Prediction], str], ...] = (as_dot.render, as_mermaid.render)


def test_mermaid_is_told_of_more_arrows_than_it_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "maxEdges" not in as_mermaid.render(hostile_names())
    monkeypatch.setattr(as_mermaid, "MOST_ARROWS", 19)

    assert "  %% 20 arrows: raise maxEdges" in as_mermaid.render(hostile_names())


def test_namespace_of_a_single_pod_does_not_talk_to_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "MOST_IDENTITIES", 1)

    found = graph.graph(foreseen(pod("a/one"), pod("b/one"), pod("b/two")))

    assert [("n1", "n2"), ("n2", "n1"), ("n2", "n2")] == [(arrow.source, arrow.destination) for arrow in found.arrows]
