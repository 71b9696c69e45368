"""The parts of results files: JSON objects and rows of tables, as pydantic models (see schemas.py).

Only what tables, figures, claims and the report read is listed; other keys and columns are ignored.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Text = Annotated[str, BeforeValidator(lambda value: str(value) if isinstance(value, int | float) else value)]
Words = Annotated[str | None, BeforeValidator(lambda value: str(value) if isinstance(value, int | float) else value)]
Whole = Annotated[int, Field(ge=0, le=10**12)]
Number = Annotated[float, Field(ge=-1e15, le=1e15)]
Some = Number | None  # a number that may be missing


class Part(BaseModel):
    """Part of a file; other keys are ignored."""

    model_config = ConfigDict(extra="ignore", strict=False)


class Provenance(Part):
    """Where a file comes from (zfnet.core.provenance)."""

    commit: str | None = None
    dirty: bool | None = None
    command: str | None = None
    time: str | None = None
    device: str | None = None
    python: str | None = None
    machine: str | None = None
    versions: dict[str, str] = {}
    seconds: Some = None


class Origin(Part):
    """Any description of a stage's results."""

    provenance: Provenance = Provenance()
    inputs: dict[str, Any] = {}
    seconds: Some = None


class Metrics(Origin):
    """runs/RUN/metrics.json."""

    parameters: Whole | None = None
    classes: Whole = 0
    images: Whole = 0
    epochs: Whole = 0
    device: str | None = None
    precision: str | None = None
    images_per_second: Some = None
    peak_memory_mb: Some = None
    peak_gpu_memory_mb: Some = None
    val_top1: Some = None
    val_top5: Some = None
    threads: Whole | None = None


class Errors(Part):
    """Top-1 and top-5 error, per cent."""

    top1: Annotated[float, Field(ge=0, le=100)]
    top5: Annotated[float, Field(ge=0, le=100)]


class Evaluated(Part):
    """Errors on one set of images."""

    images: Whole
    centre: Errors | None = None
    ten: Errors | None = None


class Evaluation(Origin):
    """runs/RUN/evaluation.json."""

    val: Evaluated
    train: Evaluated | None = None


class Net(Part):
    """The part of a spec that figures and claims read."""

    name: str | None = None
    width: Annotated[float, Field(gt=0, le=64)] | None = None
    crop: Annotated[int, Field(gt=0, le=10**5)] | None = None
    norm_alpha: str | None = None


class Spec(Part):
    """runs/RUN/spec.json, as far as the paper's items read it; trainings read all of it."""

    seed: Whole
    net: Net | None = None


class Epoch(Part):
    """A line of runs/RUN/history.jsonl."""

    epoch: Annotated[int, Field(ge=1, le=10**6)]
    loss: Some = None
    train_top1: Some = None
    val_top1: Some = None
    val_top5: Some = None
    learning_rate: Number = 0.0


class Count(Part):
    """Near-duplicates of one set."""

    found: Whole
    images: Whole
    most_in_one_class: Whole
    mean_class_fraction: Some = None


class Duplicates(Origin):
    """transfer/duplicates.json."""

    counts: dict[Literal["caltech101", "caltech256"], Count]
    threshold: Number
    recall: dict[str, Annotated[float, Field(ge=0, le=1)]] | None = None


class Folds(Origin):
    """transfer/heads/SET.json and transfer/scratch/SET.json."""

    folds: list[dict[str, Any]] | None = None
    left_out: list[Any] = []
    too_few: dict[str, Whole] = {}


class Covered(Part):
    """An image of Figure 7."""

    key: str
    label: Whole
    name: str = Field(alias="class")


class Occlusion(Origin):
    """visualize/RUN/occlusion.json."""

    images: list[Covered]
    legend: dict[str, str]


# ---- rows of tables --------------------------------------------------------------------------------------------------
class Claim(Part):
    """A row of claims.csv."""

    claim: Text
    item: Text
    statement: Text
    paper: Words
    ours: Words
    interval: Words
    verdict: Literal["holds", "fails", "undecided", "not run"]
    reason: Words
    how: Words


class Effect(Part):
    """A row of claims-effects.csv."""

    claim: Text
    difference: Text
    value: Some
    low: Some
    high: Some
    n: Whole
    claimed_above: Some
    claimed_below: Some
    digits: Annotated[int, Field(ge=0, le=12)]


class Pair(Part):
    """A row of visualize/RUN/correspondence-pairs.csv."""

    location: Text
    layer: Text
    first: Text
    second: Text
    distance: Some


class Followed(Part):
    """A row of visualize/RUN/evolution.csv."""

    layer: Text
    map: Whole
    epoch: Whole
    key: Words


class Strongest(Part):
    """A row of visualize/RUN/features.csv."""

    layer: Text
    map: Whole
    label: int
    activation: Some


class Filters(Part):
    """A row of visualize/filters.csv."""

    run: Text
    filters: Whole
    dead: Whole
    norm_median: Some
    norm_max: Some
    low: Some
    middle: Some
    high: Some
    aliasing: Some
    shift: Some
    dominance: Some


class Moved(Part):
    """A row of visualize/RUN/invariance.csv."""

    image: Whole
    key: Text
    name: Text = Field(alias="class")
    transform: Literal["vertical", "horizontal", "scale", "rotation"]
    amount: Number
    conv1_relative: Some
    fc7_relative: Some
    probability: Some


class Measured(Part):
    """A row of visualize/RUN/occlusion.csv."""

    key: Text
    own: Some
    control: Some
    alike: Some
    apart: Some
    lost: Some
    left: Some


class Method(Part):
    """A row of visualize/RUN/methods.csv."""

    layer: Text
    unit: Whole
    name: Words
    method: Text
    cosine: Some
    gain: Some


class CurvePoint(Part):
    """A row of transfer/duplicates-curve.csv."""

    threshold: Number
    of: Text
    name: Text
    fraction: Number


class HeadFold(Part):
    """A row of transfer/heads/SET.csv."""

    head: Text
    layer: Text
    size: Whole
    fold: Whole
    accuracy: Number
    classes: Whole
    train_images: Whole
    test_images: Whole


class ScratchFold(Part):
    """A row of transfer/scratch/SET.csv."""

    size: Whole
    fold: Whole
    accuracy: Number
    loss: Some = None


class AveragePrecision(Part):
    """A row of transfer/voc/ap.csv."""

    name: Text = Field(alias="class")
    head: Text
    ap: Some


class TableRow(Part):
    """A row of tables/TABLE.csv, besides its numbers."""

    row: Text
    label: Text
    reason: Words


class Difference(Part):
    """A row of tables/TABLE-paired.csv."""

    comparison: Text
    set: Text
    size: Whole
    difference: Number
    low: Some
    high: Some
    folds: Whole
