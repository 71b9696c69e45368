"""What can be made from the archives at hand: a missing archive takes away what needs it, and nothing else.

This module needs neither torch nor pandas, because the workflow reads it before any job starts.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from zfnet.settings import Archives

# What is prepared from archives, and the fields of settings.Archives that it takes.
ARCHIVES_OF = {
    "imagenet-train": ("imagenet_train", "imagenet_devkit"),
    "imagenet-val": ("imagenet_val", "imagenet_devkit"),
    "imagenet-test": ("imagenet_test", "imagenet_devkit"),
    "caltech101": ("caltech101",),
    "caltech256": ("caltech256",),
    "voc2012": ("voc2012",),
    "voc2012-test": ("voc2012_test",),
    "cifar10-train": ("cifar10",),
    "cifar10-test": ("cifar10",),
}
PARTS = ("parts_images", "parts_keypoints")  # read as they are
CALTECH = ("caltech101", "caltech256")
NETS = ("imagenet-train", "imagenet-val")  # what every trained net takes
NOT_RUN = "settings/not-run.json"  # items that cannot be made: {name: archives to set}
NEEDS = (  # files below results/PRESET, and what they are made from; the first line that fits counts
    (r"visualize/[^/]+/correspondence", (*NETS, "parts")),
    (r"(runs|visualize)/", NETS),
    (r"transfer/scratch/(?P<set>[\w-]+)", ("{set}",)),
    (r"transfer/heads/(?P<set>[\w-]+)", (*NETS, "{set}")),
    (r"transfer/voc/test/", (*NETS, "voc2012", "voc2012-test")),
    (r"transfer/voc/", (*NETS, "voc2012")),
    (r"transfer/duplicates", ("imagenet-train", "caltech")),
    (r"submission/", (*NETS, "imagenet-test")),
)


@dataclass(frozen=True)
class Availability:
    """The data sets at hand; `parts` stands for the frontal animals, `caltech` for any of the two Caltech sets."""

    sets: frozenset[str]

    @classmethod
    def of(cls, archives: Archives, is_prepared: Callable[[str], bool] = lambda name: False) -> Self:
        """Return what is at hand: sets whose archives are named, or whose shards are prepared already."""

        def named(keys: Iterable[str]) -> bool:
            return all(getattr(archives, key) is not None for key in keys)

        sets = {name for name, keys in ARCHIVES_OF.items() if named(keys) or is_prepared(name)}
        sets |= {"parts"} if named(PARTS) else set()
        sets |= {"caltech"} if sets & set(CALTECH) else set()
        return cls(frozenset(sets))

    def lacking(self, path: str) -> list[str]:
        """Return the archives that are missing for a file below results/PRESET; none if it can be made."""
        missing = [name for name in needs(path) if name not in self.sets]
        keys = {"parts": PARTS, "caltech": CALTECH} | ARCHIVES_OF
        return list(dict.fromkeys(key for name in missing for key in keys[name]))

    def makeable(self, paths: Iterable[str]) -> list[str]:
        """Return those of the files that can be made."""
        return [path for path in paths if not self.lacking(path)]

    def not_run(self, inputs: Mapping[str, Sequence[str]], partial: Iterable[str]) -> dict[str, list[str]]:
        """Return the items that cannot be made, and the archives that each of them is missing.

        Parameters
        ----------
        inputs : the files that each item is made from.
        partial : items that show what there is (tables): they are left out only if none of their inputs can be made.
        """
        found = {}
        for name, paths in inputs.items():
            lacking = [self.lacking(path) for path in paths]
            if (all if name in partial else any)(lacking):
                found[name] = list(dict.fromkeys(key for keys in lacking for key in keys))
        return found


def needs(path: str) -> tuple[str, ...]:
    """Return what a file below results/PRESET is made from.

    Raises
    ------
    LookupError
        `NEEDS` has no line for it.
    """
    for pattern, sets in NEEDS:
        if match := re.match(pattern, path):
            return tuple(name.format(**match.groupdict()) for name in sets)
    raise LookupError(path)
