"""Where an element of one frame stands: in its own functional groups, in the shared ones, or in the data set itself."""

from __future__ import annotations

from dataclasses import dataclass

from pydicom.dataset import Dataset

from huatuo_server.images.dicom.elements import item


@dataclass(frozen=True, slots=True)
class FunctionalGroups:
    """The groups of one frame of an enhanced multi-frame object (PS3.3 C.7.6.16), its own first; else none."""

    dataset: Dataset
    groups: tuple[Dataset, ...]

    def macro(self, sequence: str) -> Dataset:
        """The item of a functional group macro's sequence; the data set itself where no group has it."""
        found = (item(group, sequence) for group in self.groups)
        return next((macro for macro in found if macro is not None), self.dataset)


def functional_groups(dataset: Dataset, index: int) -> FunctionalGroups:
    """Of the frame at `index`, counted from 0."""
    groups = item(dataset, "PerFrameFunctionalGroupsSequence", index), item(dataset, "SharedFunctionalGroupsSequence")
    return FunctionalGroups(dataset, tuple(group for group in groups if group is not None))
