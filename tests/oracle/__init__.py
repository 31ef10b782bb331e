"""A second reading of the policy APIs, from raw manifests: slow, obvious, and independent of netaudit's own.

Written from the APIs' text (`networking.k8s.io/v1` types, the Network Policies page, `policy.networking.k8s.io`) alone.
It imports nothing of the model that it is compared with, and answers in words: allowed, denied, undefined, unknown.
"""

from tests.oracle.ends import Flow, NotAnEnd
from tests.oracle.manifests import Raw, chosen, home, home_and_name, tags
from tests.oracle.networkpolicy import types
from tests.oracle.verdicts import fitting_verdicts, one_side, verdict

__all__ = [
    "Flow",
    "NotAnEnd",
    "Raw",
    "chosen",
    "fitting_verdicts",
    "home",
    "home_and_name",
    "one_side",
    "tags",
    "types",
    "verdict",
]
