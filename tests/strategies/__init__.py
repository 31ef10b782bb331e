"""Random clusters for hypothesis, biased towards what implementations get wrong.

Few label keys, values and port numbers, so that selectors and rules meet pods often; every optional field is absent,
null, empty and full in turn.
"""

from tests.strategies.mutations import junk, mutated
from tests.strategies.objects import clusters, policies
from tests.strategies.ordered import ordered_policies
from tests.strategies.parts import NAMES, OUTSIDE, PORTS
from tests.strategies.rules import policy_specs

__all__ = [
    "NAMES",
    "OUTSIDE",
    "PORTS",
    "clusters",
    "junk",
    "mutated",
    "ordered_policies",
    "policies",
    "policy_specs",
]
