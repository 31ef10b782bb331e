"""ResourceQuotas, and the quantities that they are written in.

Pure.
"""

from __future__ import annotations

import re
from fractions import Fraction

from auditor.cluster import fields
from auditor.cluster.fields import FieldError, Raw
from auditor.model.cluster import Quota

QUANTITY = re.compile(r"([+-]?(?:[0-9]+(?:[.][0-9]*)?|[.][0-9]+))(?:[eE]([+-]?[0-9]{1,2})|([numkMGTPE]|[KMGTPE]i)?)")
DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
OF_OTHERS = frozenset({"NotTerminating", "BestEffort", "CrossNamespacePodAffinity"})
"""Scopes that a probe pod is not in: it has a deadline, requests, and no affinity."""


def quantity(value: object) -> Fraction | None:
    """A `resource.Quantity` in its base unit; None where there is none.  Raises FieldError for what is no quantity."""
    if value is None:
        return None
    match = QUANTITY.fullmatch(str(value)) if isinstance(value, str | int | float) else None
    if match is None:
        raise FieldError(f"expected a quantity, found {str(value)[:40]!r}")
    number, exponent, suffix = match.groups()
    if suffix in BINARY:
        return Fraction(number) * (1 << 10 * BINARY[suffix])
    power: int = int(exponent) if exponent else DECIMAL[suffix or ""]
    return Fraction(number) * (Fraction(10**power) if power >= 0 else Fraction(1, 10**-power))


def decode_quota(raw: Raw) -> Quota:
    """A `corev1.ResourceQuota`; what it says nothing about, or about other pods than ours, is left out."""
    metadata, spec, status = (fields.mapping(raw, key) for key in ("metadata", "spec", "status"))
    # What is enforced is `status.hard`; before the controller has seen the object there is only what is wanted.
    hard, used = fields.mapping(status, "hard") or fields.mapping(spec, "hard"), fields.mapping(status, "used")
    free = {}
    for name, limit in hard.items() if not _of_others(spec) else ():
        total = quantity(limit)
        if total is not None:
            free[str(name)] = total - (quantity(used.get(name)) or 0)
    return Quota(
        fields.text(metadata, "namespace", "default"), fields.text(metadata, "name"), tuple(sorted(free.items()))
    )


def _of_others(spec: Raw) -> bool:
    scopes = set(fields.words(spec, "scopes"))
    for item in fields.objects(fields.mapping(spec, "scopeSelector"), "matchExpressions"):
        if fields.text(item, "operator") == "Exists":
            scopes.add(fields.text(item, "scopeName"))
    return bool(scopes & OF_OTHERS)
