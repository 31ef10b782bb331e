"""Label selectors against Kubernetes' own (`k8s.io/apimachinery`, `metav1.LabelSelectorAsSelector`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from auditor.cluster.decode_policy import decode_selector
from auditor.cluster.fields import FieldError
from tests.builders import Raw
from tests.upstream import Program, program

KEYS = ("app", "tier", "example.com/role", "kubernetes.io/metadata.name")
VALUES = ("a", "b", "a-b.c_D", "0", "")
LABELS = st.dictionaries(st.sampled_from(KEYS), st.sampled_from(VALUES), max_size=4)

_value = st.sampled_from(VALUES)
_sound: st.SearchStrategy[Raw] = st.one_of(
    st.fixed_dictionaries(
        {
            "key": st.sampled_from(KEYS),
            "operator": st.sampled_from(("In", "NotIn")),
            "values": st.lists(_value, min_size=1, max_size=3),
        }
    ),
    st.fixed_dictionaries(
        {"key": st.sampled_from(KEYS), "operator": st.sampled_from(("Exists", "DoesNotExist"))},
        optional={"values": st.sampled_from(([], None))},
    ),
)
_odd: st.SearchStrategy[Raw] = st.fixed_dictionaries(
    {},
    optional={
        "key": st.sampled_from((*KEYS, "", 5, None)),
        "operator": st.sampled_from(("In", "NotIn", "Exists", "DoesNotExist", "in", "Gt", "", 5, None)),
        "values": st.one_of(st.lists(_value, max_size=2), st.sampled_from(("a", [5], {}, None))),
    },
)


def selectors(expression: st.SearchStrategy[Any]) -> st.SearchStrategy[Raw]:
    return st.fixed_dictionaries(
        {},
        optional={
            "matchLabels": st.one_of(LABELS, st.none()),
            "matchExpressions": st.one_of(st.lists(expression, max_size=3), st.none()),
        },
    )


@pytest.fixture(scope="module")
def apimachinery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    with program("selectors", tmp_path_factory.mktemp("go")) as found:
        yield found


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(selector={"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["a"]}]}, several=[{}])
@example(selector={"matchLabels": {"tier": ""}}, several=[{}, {"tier": ""}, {"tier": "a"}])
@given(selector=selectors(_sound), several=st.lists(LABELS, min_size=1, max_size=5))
def test_selectors_mean_what_kubernetes_says(
    apimachinery: Program, selector: Raw, several: list[dict[str, str]]
) -> None:
    said = apimachinery.ask({"selector": selector, "labels": several})
    found = decode_selector(selector)

    assert said["error"] == ""
    assert said["matches"] == [found.matches(labels) for labels in several]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(selector=selectors(st.one_of(_sound, _odd)), several=st.lists(LABELS, min_size=1, max_size=3))
def test_selectors_are_refused_where_kubernetes_refuses(
    apimachinery: Program, selector: Raw, several: list[dict[str, str]]
) -> None:
    said = apimachinery.ask({"selector": selector, "labels": several})

    if said["error"]:
        with pytest.raises(FieldError):
            decode_selector(selector)
    else:
        assert said["matches"] == [decode_selector(selector).matches(labels) for labels in several]
