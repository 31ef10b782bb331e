"""Labels and the selectors that match them (apimachinery `metav1.LabelSelector`)."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

Labels = Mapping[str, str]


class Operator(enum.Enum):
    """The operators of `metav1.LabelSelectorRequirement`."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on one label key; `values` is empty for Exists and DoesNotExist."""

    key: str
    operator: Operator
    values: frozenset[str] = frozenset()

    def matches(self, labels: Labels) -> bool:
        """Tell whether `labels` meet this condition (apimachinery `labels.Requirement.Matches`)."""
        if self.operator is Operator.EXISTS:
            return self.key in labels
        if self.operator is Operator.DOES_NOT_EXIST:
            return self.key not in labels
        if self.operator is Operator.IN:
            return self.key in labels and labels[self.key] in self.values
        # NotIn is also true of an object that lacks the key.
        return self.key not in labels or labels[self.key] not in self.values


@dataclass(frozen=True, slots=True)
class LabelSelector:
    """All requirements together; none at all matches everything."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Labels) -> bool:
        """Tell whether every requirement holds."""
        # A loop, because this is asked more often than anything else.
        for requirement in self.requirements:  # noqa: SIM110
            if not requirement.matches(labels):
                return False
        return True

    @property
    def keys(self) -> frozenset[str]:
        """The label keys that can change this selector's answer."""
        return frozenset(requirement.key for requirement in self.requirements)


EVERYTHING = LabelSelector()


def equals(labels: Labels) -> LabelSelector:
    """Make the selector that `matchLabels` stands for."""
    return LabelSelector(
        tuple(Requirement(key, Operator.IN, frozenset({value})) for key, value in sorted(labels.items()))
    )
