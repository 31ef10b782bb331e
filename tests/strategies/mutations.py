"""Anything that JSON can hold, and manifests with one thing wrong."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

junk = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-2, 70_000),
        st.text(max_size=3),
        st.floats(allow_nan=False, allow_infinity=False),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=3), inner, max_size=2)),
    max_leaves=3,
)
"""Anything that JSON can hold."""


@st.composite
def mutated(draw: st.DrawFn, value: Any) -> Any:
    """The value with one place of it, however deep, deleted, nulled or replaced by something of another type."""
    if not isinstance(value, dict | list) or not value or draw(st.integers(0, 4)) == 0:
        return draw(junk)
    if isinstance(value, list):
        place = draw(st.integers(0, len(value) - 1))
        return [draw(mutated(item)) if number == place else item for number, item in enumerate(value)]
    key = draw(st.sampled_from(sorted(value)))
    if draw(st.booleans()):
        return {name: item for name, item in value.items() if name != key}
    return {name: draw(mutated(item)) if name == key else item for name, item in value.items()}
