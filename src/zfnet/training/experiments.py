"""The table of all trainings: which net, which recipe, which seed (ZF Tables 2 and 3, Figures 4 and 6; K sect. 3-5).

A run is described completely by its `RunSpec`. Its canonical text is written to runs/RUN/spec.json; the same text
means the same training, so a run whose spec did not change is never trained again. This module does not import
torch, because the workflow reads it before any job starts.

Every variant is trained with the seeds 1 … `training.variant_seeds`, so that it is paired with its base net: the same
order of images, the same crops and the same initial weights where the shapes agree (docs/claims.md). Seed 1 has no
suffix (`zf-wide`, `zf-wide-s2` …), except for the two base nets (`zf-s1`, `krizhevsky-s1`): `run_name`.
"""

import re
from typing import Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, field_serializer
from pydantic.dataclasses import dataclass

from zfnet.core.errors import ZfnetError
from zfnet.core.files import canonical_json, text_hash
from zfnet.nets import architecture
from zfnet.settings import Recipe, Settings, Strict
from zfnet.training.fingerprint import fingerprint
from zfnet.training.spec_format import FORMAT

FIRST_CHANGES = ("remove", "units", "maps")  # in every spec
PAPER_EPOCHS = 70  # what settings.training.snapshot_epochs refers to
WIDE = {3: 512, 4: 1024, 5: 512}  # ZF Table 2 (b): feature maps of layers 3, 4, 5
REMOVED = {"no34": (3, 4), "no7": (7,), "no67": (6, 7), "no3467": (3, 4, 6, 7)}  # Table 3
UNITS = (2048, 8192)  # Table 3: units of layers 6 and 7 at full width

# What Krizhevsky et al. say of changes to their net without a table (`paper.krizhevsky`), as the 2012 code made them:
# of the column of half width neither conv5 nor the fully connected layers are halved.
CHANGED_NETS: dict[str, dict[str, Any]] = {
    "nolrn": {"contrast_norm": False},  # C43
    "half": {"maps": {1: 48, 2: 128, 3: 192, 4: 192}, "one_column": True},  # C45
    **{f"no{layer}": {"remove": (layer,)} for layer in (3, 4, 5)},  # C52
}
# With pools that do not overlap, the 2012 code pads conv2 and conv4 less, so that fc6 keeps its 9216 inputs; smaller
# crops need other paddings for that: the first of these that fits is taken (C44).
LESS_PADDING: tuple[dict[int, int], ...] = ({2: 1, 4: 0}, {2: 1}, {4: 0}, {})
CHANGED_RECIPES: dict[str, dict[str, Any]] = {
    "nocrops": {"crops": "centre"},  # C47
    "nocolour": {"pca_noise": 0.0},  # C48
    "nodropout": {"dropout": 0.0},  # C49
    "nodecay": {"weight_decay": 0.0},  # C50
    "nobias": {"init_bias": 0.0},  # C53
}


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Changes(architecture.Changes):
    """Differences of a net from the published one; sizes are those at full width."""

    @property
    def arguments(self) -> dict[str, Any]:
        """The changes as arguments of `zfnet.nets.build`, defaults omitted."""
        return TypeAdapter(Changes).dump_python(self, exclude_defaults=True)


class NetSpec(Strict):
    """A net, apart from its number of classes."""

    name: str
    width: float
    crop: int
    norm_alpha: str
    changes: Changes = Changes()

    @field_serializer("changes")
    def _without_later_defaults(self, changes: Changes) -> dict[str, Any]:
        """Name changes that came later only where a variant makes them: older specs keep their text and results."""
        return {name: getattr(changes, name) for name in FIRST_CHANGES} | changes.arguments


class RunSpec(Strict):
    """Everything that determines the result of one training, besides the data."""

    run: str
    net: NetSpec
    recipe: Recipe
    seed: int
    snapshots: tuple[int, ...] = Field((), description="epochs after which a snapshot is saved")
    decode: Literal["cpu"] = Field("cpu", description="decoder of the JPEGs: libjpeg-turbo; others round differently")
    exclude_duplicates: bool = Field(False, description="leave out near-duplicates of the transfer sets")
    code: str = Field(description="fingerprint of the code that trains (see fingerprint.py)")
    format: Literal[2] = Field(FORMAT, description="version of the keys (see spec_format.py)")

    @property
    def text(self) -> str:
        """The spec as canonical JSON."""
        return canonical_json(self.model_dump(mode="json"))

    @property
    def hash(self) -> str:
        """SHA-256 of the text."""
        return text_hash(self.text)


def specs(settings: Settings) -> dict[str, RunSpec]:
    """Return every training of the paper, keyed by its name."""
    return {spec.run: spec for spec in (*_zf_runs(settings), *_krizhevsky_runs(settings))}


def scratch_spec(settings: Settings, dataset: str, size: int, fold: int) -> RunSpec:
    """Return the spec of a net trained from scratch on `size` images per class of a transfer set (ZF Tables 4, 5)."""
    return _spec(settings, f"scratch-{dataset}-{size}-{fold}", "zf", settings.transfer.scratch, seed=fold)


def snapshot_epochs(epochs: int, published: tuple[int, ...]) -> tuple[int, ...]:
    """Scale the epochs of Figure 4, `published` out of 70, to a training of `epochs`."""
    scaled = {min(epochs, max(1, round(epoch * epochs / PAPER_EPOCHS))) for epoch in published}
    return tuple(sorted(scaled))


def run_name(net: str, seed: int = 1) -> str:
    """Return the name of a net's training: `zf-s1` of `zf`; `zf-wide` and, with seed 2, `zf-wide-s2` of `zf-wide`."""
    return net if "-" in net and seed == 1 else f"{net}-s{seed}"


def variant_of(run: str) -> str:
    """Return a run's name without its seed: `zf-wide` for `zf-wide` and `zf-wide-s2`, `zf` for `zf-s1`."""
    return re.sub(r"-s\d+$", "", run)


def _zf_runs(settings: Settings) -> list[RunSpec]:
    training, visualized = settings.training, settings.visualize.nets
    recipe = training.zf
    variants: dict[str, dict[str, Any]] = {
        "wide": {"changes": Changes(maps=WIDE)},
        **{f"fc{units}": {"changes": Changes(units=units)} for units in UNITS},
        "wide-fc8192": {"changes": Changes(maps=WIDE, units=8192)},
        "unclipped": {"recipe": recipe.model_copy(update={"max_filter_rms": None})},
        "clean": {"exclude_duplicates": True},
    }
    snapshots = snapshot_epochs(recipe.epochs, training.snapshot_epochs)
    base = [
        _spec(settings, run_name("zf", seed), "zf", recipe, seed, snapshots=snapshots if seed <= visualized else ())
        for seed in range(1, training.seeds + 1)
    ]
    return base + [
        _spec(settings, run, "zf", **{"recipe": recipe, **changes}, seed=seed)
        for variant, changes in variants.items()
        for run, seed in _repeated(settings, f"zf-{variant}")
    ]


def _krizhevsky_runs(settings: Settings) -> list[RunSpec]:
    recipe = settings.training.krizhevsky
    variants: dict[str, dict[str, Any]] = {
        "krizhevsky": {},
        **{f"krizhevsky-{name}": {"changes": Changes(remove=layers)} for name, layers in REMOVED.items()},
        **{f"krizhevsky-fc{units}": {"changes": Changes(units=units)} for units in UNITS},
    }
    if settings.paper.krizhevsky:
        changed_nets = {**CHANGED_NETS, "nooverlap": _separate_pools(settings)}
        variants |= {f"krizhevsky-{name}": {"changes": Changes(**changes)} for name, changes in changed_nets.items()}
        variants |= {
            f"krizhevsky-{name}": {"recipe": recipe.model_copy(update=changes)}
            for name, changes in CHANGED_RECIPES.items()
        }
    return [
        _spec(settings, run, "krizhevsky", **{"recipe": recipe, **changes}, seed=seed)
        for variant, changes in variants.items()
        for run, seed in _repeated(settings, variant)
    ]


def _separate_pools(settings: Settings) -> dict[str, Any]:
    """Return the changes that make pools 2 x 2 and keep the number of inputs of fc6."""

    def inputs(**changes: Any) -> int | None:
        try:
            return architecture.describe("krizhevsky", crop=settings.nets.crop, **changes).fan_ins()["fc6"]
        except ZfnetError:  # the crop is too small for these paddings
            return None

    candidates = [{"pool_kernel": 2, "paddings": paddings} for paddings in LESS_PADDING]
    return next((changes for changes in candidates if inputs(**changes) == inputs()), candidates[-1])


def _repeated(settings: Settings, net: str) -> list[tuple[str, int]]:
    """Return names and seeds of the trainings of a net."""
    return [(run_name(net, seed), seed) for seed in range(1, settings.training.variant_seeds + 1)]


def _spec(
    settings: Settings, run: str, name: str, recipe: Recipe, seed: int = 1, changes: Changes | None = None, **more: Any
) -> RunSpec:
    nets = settings.nets
    net = NetSpec(name=name, width=nets.width, crop=nets.crop, norm_alpha=nets.norm_alpha, changes=changes or Changes())
    code = settings.training.accept_code or fingerprint()
    return RunSpec(run=run, net=net, recipe=recipe, seed=seed, code=code, **more)
