"""A backend for hypothesis whose every example is drawn anew.

Its own spends a tenth of the examples on the smallest ones and then varies each new one about five times; of 500
clusters that leaves some eighty that differ in more than a label.  Failing examples are made small as ever.
"""

from __future__ import annotations

from hypothesis.internal.conjecture.providers import AVAILABLE_PROVIDERS, HypothesisProvider

FRESH = "fresh"


class FreshProvider(HypothesisProvider):
    """Values drawn as hypothesis draws them; only the engine treats a backend that is not its own in another way."""


AVAILABLE_PROVIDERS[FRESH] = f"{__name__}.{FreshProvider.__name__}"
