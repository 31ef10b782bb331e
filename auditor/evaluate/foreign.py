"""Objects of every policy kind but NetworkPolicy v1, translated; what cannot be becomes a blind spot.

Pure.
"""

from __future__ import annotations

from itertools import groupby

from auditor.cluster.fields import FieldError
from auditor.cluster.resources import FOREIGN_POLICIES
from auditor.model.cluster import BlindSpot, PolicyObject, Snapshot
from auditor.model.dialect import Dialect
from auditor.model.rules import Section, Translation
from auditor.policy import POLICY_APIS, Translator

LONGEST_REASON = 300


def translate(
    snapshot: Snapshot, dialect: Dialect
) -> tuple[tuple[Section, ...], tuple[BlindSpot, ...], tuple[str, ...]]:
    """Translate a snapshot's objects: what they say, where nothing can be said, and what a user should know."""
    spots: list[BlindSpot] = []
    found: list[Translation] = []
    objects = sorted(snapshot.objects, key=lambda item: (item.resource, item.namespace, item.name))
    for resource, members in groupby(objects, key=lambda item: item.resource):
        if resource in POLICY_APIS:
            translator = POLICY_APIS[resource](snapshot, dialect)
            for item in members:
                one = _translate(translator, item)
                if isinstance(one, BlindSpot):
                    spots.append(one)
                else:
                    found.append(one)
        elif resource in FOREIGN_POLICIES and FOREIGN_POLICIES[resource].decides:
            spots += [_spot(item, "is not modelled") for item in members]
    notes = {note for one in found for note in one.notes}
    return tuple(section for one in found for section in one.sections), tuple(spots), tuple(sorted(notes))


def _translate(translator: Translator, item: PolicyObject) -> Translation | BlindSpot:
    version = item.version.rpartition("/")[2]
    if version not in FOREIGN_POLICIES[item.resource].versions:
        return _spot(item, f"is of version {version}, which is not modelled")
    try:
        return translator(item)
    except (FieldError, AttributeError, TypeError, ValueError) as error:
        return _spot(item, f"cannot be read: {str(error)[:LONGEST_REASON]}")


def _spot(item: PolicyObject, what: str) -> BlindSpot:
    name = f"{item.namespace}/{item.name}" if item.namespace else item.name
    return BlindSpot(item.namespace or None, f"{item.kind} {name} {what}")
