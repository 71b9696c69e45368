"""The table of all trainings: which net, which recipe, which random state (ZF Tables 2 and 3, Figures 4 and 6).

A run is described completely by its `RunSpec`. Its canonical text is written to runs/RUN/spec.json; the same text
means the same training, so a run whose spec did not change is never trained again. This module needs no torch,
because the workflow reads it before any job starts.

All variants share the random state of the first seed, so that they are paired: the same order of images, the same
crops and the same initial weights where the shapes agree (PAPER.md 12.1).
"""

from typing import Any

from pydantic import Field

from zfnet.files import canonical_json, text_hash
from zfnet.settings import Recipe, Settings, Strict
from zfnet.training.fingerprint import fingerprint

PAPER_EPOCHS = 70  # the length that settings.training.snapshots refers to
WIDE = {3: 512, 4: 1024, 5: 512}  # ZF Table 2 (b): maps of layers 3, 4, 5
REMOVED = {"no34": (3, 4), "no7": (7,), "no67": (6, 7), "no3467": (3, 4, 6, 7)}  # Table 3
UNITS = (2048, 8192)  # Table 3: units of layers 6 and 7 at full width


class Changes(Strict):
    """How a net differs from the published one; sizes are those at full width."""

    remove: tuple[int, ...] = Field((), description="layers left out (Table 3)")
    units: int | None = Field(None, description="units of layers 6 and 7; None: as published")
    maps: dict[int, int] = Field(default_factory=dict, description="maps of single conv layers, {layer: maps}")

    @property
    def arguments(self) -> dict[str, Any]:
        """The changes as arguments of `zfnet.nets.build`: only what differs from the published net."""
        return self.model_dump(exclude_defaults=True)


class NetSpec(Strict):
    """A net before its classes are known."""

    name: str
    width: float
    crop: int
    norm_alpha: str
    changes: Changes = Changes()


class RunSpec(Strict):
    """Everything that decides the result of one training, besides the data."""

    run: str
    net: NetSpec
    recipe: Recipe
    seed: int
    snapshots: tuple[int, ...] = Field((), description="epochs after which the net is kept")
    exclude_duplicates: bool = Field(False, description="leave out near-duplicates of the transfer sets")
    code: str = Field(description="fingerprint of the code that trains")

    @property
    def text(self) -> str:
        """The spec as canonical JSON."""
        return canonical_json(self.model_dump(mode="json"))

    @property
    def hash(self) -> str:
        """SHA-256 of the text."""
        return text_hash(self.text)


def specs(settings: Settings) -> dict[str, RunSpec]:
    """Give every training of the paper, keyed by its name."""
    runs = [*_zf_runs(settings), *_krizhevsky_runs(settings)]
    return {spec.run: spec for spec in runs}


def scratch_spec(settings: Settings, dataset: str, size: int, fold: int) -> RunSpec:
    """Give the training without pre-training on `size` pictures per class of a transfer set (ZF Tables 4 and 5)."""
    return _spec(settings, f"scratch-{dataset}-{size}-{fold}", "zf", settings.transfer.scratch, seed=fold)


def snapshot_epochs(epochs: int, published: tuple[int, ...]) -> tuple[int, ...]:
    """Move the epochs of Figure 4, `published` out of 70, into a training of `epochs`."""
    moved = {min(epochs, max(1, round(epoch * epochs / PAPER_EPOCHS))) for epoch in published}
    return tuple(sorted(moved))


def _zf_runs(settings: Settings) -> list[RunSpec]:
    recipe = settings.training.zf
    snapshots = snapshot_epochs(recipe.epochs, settings.training.snapshots)
    unclipped = recipe.model_copy(update={"renormalise": None})

    def zf(variant: str, recipe: Recipe = recipe, **more: Any) -> RunSpec:
        return _spec(settings, f"zf-{variant}", "zf", recipe, **more)

    return [
        zf("s1", snapshots=snapshots),
        *(zf(f"s{seed}", seed=seed) for seed in range(2, settings.training.seeds + 1)),
        zf("wide", changes=Changes(maps=WIDE)),
        *(zf(f"fc{units}", changes=Changes(units=units)) for units in UNITS),
        zf("wide-fc8192", changes=Changes(maps=WIDE, units=8192)),
        zf("unclipped", recipe=unclipped),
        zf("clean", exclude_duplicates=True),
    ]


def _krizhevsky_runs(settings: Settings) -> list[RunSpec]:
    changes = {
        "s1": Changes(),
        **{name: Changes(remove=layers) for name, layers in REMOVED.items()},
        **{f"fc{units}": Changes(units=units) for units in UNITS},
    }
    recipe = settings.training.krizhevsky
    return [
        _spec(settings, f"krizhevsky-{variant}", "krizhevsky", recipe, changes=change)
        for variant, change in changes.items()
    ]


def _spec(
    settings: Settings, run: str, name: str, recipe: Recipe, seed: int = 1, changes: Changes | None = None, **more: Any
) -> RunSpec:
    nets = settings.nets
    net = NetSpec(name=name, width=nets.width, crop=nets.crop, norm_alpha=nets.norm_alpha, changes=changes or Changes())
    code = settings.training.accept_code or fingerprint()
    return RunSpec(run=run, net=net, recipe=recipe, seed=seed, code=code, **more)
