"""Every setting of the workflow: its type, unit, default and meaning.

A preset (zfnet/presets/*.yaml) sets values for these fields and config.yaml overrides them; zfnet.config merges the
two and reports all mistakes at once. D-numbers refer to docs/decisions.md.
"""

import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

Count = Annotated[int, Field(gt=0)]
Positive = Annotated[float, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Seed = Annotated[int, Field(ge=0)]  # numpy takes no negative one
Compile = Literal["auto", "eager", "compiled"]  # how a training step is executed
Counts = Annotated[tuple[Count, ...], Field(min_length=1)]


def _expanded(value: Any) -> Any:
    """Return a path as a shell would read it: with ~ and $VARIABLES replaced."""
    if not isinstance(value, str) or os.path.lexists(value):
        return value
    path = os.path.expandvars(os.path.expanduser(value))  # noqa: PTH111 - Path's raises where there is no such user
    if unset := re.search(r"\$(\w+|\{[^}]*\})", path):
        raise ValueError(f"{value}: the environment variable {unset[0]} is not set; set it, or write the path out")
    return path


def _no_wildcard(path: Path) -> Path:
    if found := re.search(r"[{}<>]", str(path)):
        raise ValueError(f"{path}: Snakemake reads {found[0]!r} in a path as a wildcard; choose a folder without it")
    return path


File = Annotated[Path, BeforeValidator(_expanded)]  # ~ and $VARIABLES are replaced
Folder = Annotated[File, AfterValidator(_no_wildcard)]


class Strict(BaseModel):
    """Reject unknown keys; immutable after validation."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Archives(Strict):
    """Paths of the official archives. Archives without a path come from the generated world, if the preset has one."""

    imagenet_train: File | None = Field(None, description="ILSVRC2012_img_train.tar, or its extracted tree")
    imagenet_val: File | None = Field(None, description="ILSVRC2012_img_val.tar, or its extracted tree")
    imagenet_devkit: File | None = Field(
        None, description="ILSVRC2012_devkit_t12.tar.gz, labels and class names of ImageNet"
    )
    imagenet_test: File | None = Field(
        None, description="ILSVRC2012_img_test_v10102019.tar; optional, for predictions to submit"
    )
    caltech101: File | None = Field(None, description="101_ObjectCategories.tar.gz or caltech-101.zip")
    caltech256: File | None = Field(None, description="256_ObjectCategories.tar")
    voc2012: File | None = Field(None, description="VOCtrainval_11-May-2012.tar")
    voc2012_test: File | None = Field(None, description="VOC2012test.tar; optional, for predictions to submit")
    cifar10: File | None = Field(None, description="cifar-10-python.tar.gz")
    parts_images: File | None = Field(None, description="tar of frontal animal images for Table 1 and Figure 8")
    parts_keypoints: File | None = Field(None, description="their key points: COCO (.json) or a table (.csv)")
    download: bool = Field(
        False, description="download Caltech, VOC and CIFAR-10 with torchvision where no path is given"
    )


class World(Strict):
    """The generated miniature of all data sets, in the official archive formats."""

    seed: Seed = Field(2013, description="seed of the generated images")
    imagenet_classes: Count = Field(20, description="classes of ImageNet")
    train_images: Count = Field(60, description="training images per ImageNet class")
    val_images: Count = Field(10, description="validation images per ImageNet class")
    test_images: Count = Field(40, description="ImageNet test images")
    caltech101_classes: Count = Field(6, description="Caltech-101 classes besides BACKGROUND_Google")
    caltech101_images: Count = Field(40, description="images per Caltech-101 class")
    caltech256_classes: Count = Field(6, description="Caltech-256 classes besides 257.clutter")
    caltech256_images: Count = Field(70, description="images per Caltech-256 class")
    voc_images: Count = Field(160, description="VOC training and validation images")
    voc_test_images: Count = Field(40, description="VOC test images")
    cifar_images: Count = Field(100, description="images per CIFAR-10 batch file")
    parts_images: Count = Field(24, description="frontal animals with key points")
    planted_duplicates: int = Field(6, ge=0, description="near-duplicates of Caltech images in the training set")
    image_size: Count = Field(144, description="length of an image's shorter side, pixels")


class Subset(Strict):
    """The part of an archive that is used; None means all of it."""

    classes: Count | None = Field(None, description="number of classes")
    images_per_class: Count | None = Field(None, description="number of images of each class")
    seed: Seed = Field(0, description="seed of the random choice")


class Data(Strict):
    """Conversion of archives to shards (ZF sect. 3)."""

    image_size: Count = Field(256, description="shorter side, and side of ImageNet's centre square, pixels")
    jpeg_quality: int = Field(95, ge=50, le=100, description="JPEG quality of the shards")
    images_per_shard: Count = Field(2000, description="images per shard")
    max_bad_fraction: Fraction = Field(0.001, description="stop if more than this fraction of images is undecodable")
    max_pixels: Count = Field(120_000_000, description="refuse images with more pixels")
    imagenet: Subset = Subset()
    background_class: bool = Field(True, description="count Caltech's background and clutter as classes (D24)")


class LRSchedule(Strict):
    """When the learning rate is divided (D9)."""

    kind: Literal["plateau", "milestones"] = Field("milestones", description="rule that triggers a drop")
    factor: float = Field(0.1, gt=0, lt=1, description="multiplier of the learning rate at a drop")
    milestones: tuple[Fraction, ...] = Field(
        (0.6, 0.85), description="milestones: drop after these fractions of all epochs"
    )
    patience: Count = Field(5, description="plateau: drop after this many epochs without a lower validation error")
    max_drops: Count = Field(3, description="plateau: largest number of drops")


class Recipe(Strict):
    """Training of one net (ZF sect. 3)."""

    batch_size: Count = Field(128, description="images per minibatch, over all GPUs of a training")
    epochs: Count = Field(70, description="passes over the training set")
    learning_rate: float = Field(0.01, gt=0, description="initial learning rate of the weights")
    bias_lr_multiplier: float = Field(2.0, gt=0, description="learning rate of biases relative to weights (D8)")
    momentum: float = Field(0.9, ge=0, lt=1, description="momentum of SGD")
    weight_decay: float = Field(5e-4, ge=0, description="weight decay; biases have none (D8)")
    dropout: float = Field(0.5, ge=0, lt=1, description="dropout probability in fc6 and fc7")
    init_std: float = Field(0.01, gt=0, description="standard deviation of the initial weights (D6)")
    scale_init_std: bool = Field(
        True, description="multiply init_std by sqrt(fan-in at full size / actual fan-in) (D33)"
    )
    init_bias: float = Field(
        0.0, description="initial bias of conv2, conv4, conv5, fc6 and fc7 (D7: ZF 0, Krizhevsky 1)"
    )
    max_filter_rms: float | None = Field(
        0.1, gt=0, description="rescale conv filters whose RMS exceeds this (D12); None: never"
    )
    lr_schedule: LRSchedule = LRSchedule()
    crops: Literal["random", "ten", "centre"] = Field(
        "random", description="random crops and flips, the ten fixed crops (D10), or the centre crop alone"
    )
    pca_noise: float = Field(0.0, ge=0, description="standard deviation of PCA colour noise (D11, D30)")
    pca_noise_until: Fraction = Field(0.75, description="fraction of the epochs after which colour noise stops (D30)")
    precision: Literal["fp32", "bf16"] = Field("fp32", description="bf16: autocast with float32 master weights")
    if_stuck: Literal["warn", "stop"] = Field("stop", description="what to do if the loss stays at chance level")
    stuck_after: Fraction = Field(
        0.35, description="fraction of the epochs after which a loss at chance counts as stuck"
    )


class KrizhevskyRecipe(Recipe):
    """Training of the Krizhevsky replica, where it differs from the ZF net's."""

    init_bias: float = Field(1.0, description="initial bias of conv2, conv4, conv5, fc6 and fc7 (D7)")
    max_filter_rms: float | None = Field(
        None, gt=0, description="rescale conv filters whose RMS exceeds this (D13); None: never"
    )
    pca_noise: float = Field(0.1, ge=0, description="standard deviation of PCA colour noise (D30)")


class Nets(Strict):
    """Size of all nets."""

    width: float = Field(1.0, gt=0, le=64, description="multiplier of all feature maps and units, except classes")
    crop: Count = Field(224, description="side of the input square, pixels")
    norm_alpha: Literal["over_n", "per_term"] = Field("over_n", description="reading of contrast norm's alpha (D5)")


class Training(Strict):
    """All ImageNet trainings (Tables 2 and 3, Figures 4 and 6)."""

    zf: Recipe = Recipe()
    krizhevsky: KrizhevskyRecipe = KrizhevskyRecipe()
    seeds: Count = Field(5, description="trainings of the net of Figure 3, one per seed (Table 2)")
    variant_seeds: Count = Field(
        1, description="trainings of every other net; claims about differences need several (at most `seeds`)"
    )
    snapshot_epochs: Counts = Field(
        (1, 2, 5, 10, 20, 30, 40, 64), description="epochs (of 70) whose weights are kept for Figure 4"
    )
    accept_code: str | None = Field(None, description="keep results made by code with this fingerprint")

    @model_validator(mode="after")
    def _paired(self) -> "Training":
        if self.variant_seeds > self.seeds:
            raise ValueError(
                f"variant_seeds ({self.variant_seeds}) is more than seeds ({self.seeds}), but a variant is compared "
                "with the base net of the same seed; raise seeds or lower variant_seeds"
            )
        return self


class Evaluation(Strict):
    """Errors on ImageNet (Tables 2 and 3)."""

    batch_size: Count = Field(64, description="images per batch, ten crops each")
    train_images: Count | None = Field(None, description="training images for the training error; None: all")
    seed: Seed = Field(0, description="seed of the choice of training images")


class Visualize(Strict):
    """Figures 2 and 4-8, Table 1 and the comparison of methods."""

    nets: Count = Field(1, description="seeds of the net of Figure 3 that visual claims examine; claims need three")
    seed: Seed = Field(0, description="seed of all random choices of feature maps and masks")
    maps_per_layer: tuple[Count, Count, Count, Count, Count] = Field(
        (9, 16, 12, 10, 10), description="feature maps of conv1-conv5 in Figure 2"
    )
    top_k: int = Field(
        9, ge=2, description="strongest activations per feature map; claims compare pairs, so at least 2"
    )
    evolution_maps: Count = Field(6, description="feature maps per layer in Figure 4")
    evolution_images: Count | None = Field(None, description="training images searched for Figure 4; None: all")
    filter_maps: Count = Field(15, description="conv2 feature maps in Figure 6")
    control_maps: Count = Field(8, description="feature maps per layer of the untrained net that serves as a control")
    occluder_size: int = Field(
        50, ge=1, le=224, description="side of the grey square at a 224 crop, pixels; scales with the crop (D20)"
    )
    occluder_stride: Count = Field(6, description="step of the grey square at a 224 crop; scales with the crop (D20)")
    occlusion_images: Count = Field(3, description="images in Figure 7")
    occlusion_measured_images: Count = Field(30, description="images behind the claims about Figure 7, one per class")
    occlusion_measured_stride: Count = Field(18, description="step of the grey square on those, at a 224 crop")
    invariance_images: Count = Field(5, description="images in Figure 5")
    max_shift: Count = Field(60, description="largest translation at a 224 crop, pixels; scales with the crop (D19)")
    shift_steps: Count = Field(10, description="translations on each side of zero")
    scale_steps: Count = Field(8, description="steps from scale 1 to 1.8")
    rotation_step: Count = Field(10, description="step of the rotation, degrees")
    correspondence_images: Count = Field(5, description="frontal animals in Table 1; Figure 8 shows the first five")
    random_masks: Count = Field(5, description="random masks per image in Table 1 (D21)")
    mask_size: Fraction = Field(0.18, description="side of a part's mask as a fraction of the shorter side (D21)")
    maximize_steps: Count | None = Field(None, description="steps of activation maximization; None: as published")


class Heads(Strict):
    """Linear classifiers on frozen features (ZF sect. 5.2, 5.3)."""

    solver: Literal["zfnet", "sklearn"] = Field("zfnet", description="own batched Newton solver, or scikit-learn's")
    svm_c: tuple[Positive, ...] = Field(
        (1e-3, 1e-2, 1e-1, 1.0, 10.0), min_length=1, description="values of C tried in cross-validation"
    )
    softmax_c: tuple[Positive, ...] = Field(
        (1e-2, 1e-1, 1.0, 10.0, 1e2, 1e3, 1e4), min_length=1, description="values of C tried in cross-validation"
    )
    inner_folds: Count = Field(3, description="folds of the cross-validation that selects C")
    tolerance: float = Field(
        1e-5, gt=0, description="a fit ends at this distance from the optimum, relative to the objective"
    )


class Transfer(Strict):
    """Tables 4-7 and Figure 9 (ZF sect. 5.2, 5.3)."""

    pretrained_run: str = Field("zf-clean", description="training whose features are used")
    crops: Literal["centre", "ten"] = Field("centre", description="crops over which features are averaged")
    feature_dtype: Literal["fp32", "fp16"] = Field("fp32", description="features on disk; fp16 halves the size")
    seed: Seed = Field(0, description="seed of the train/test folds")
    folds: Count = Field(5, description="train/test folds")
    caltech101_train_sizes: Counts = Field((15, 30), description="training images per class (Table 4)")
    caltech101_max_test: Count = Field(50, description="largest number of test images per class")
    caltech256_train_sizes: Counts = Field((15, 30, 45, 60), description="training images per class (Table 5)")
    caltech256_curve_sizes: Counts = Field(
        (1, 2, 3, 4, 5, 6, 7, 10, 15, 30, 45, 60), description="training images per class in Figure 9"
    )
    caltech256_max_test: Count = Field(25, description="largest number of test images per class (D24)")
    layers: tuple[Literal["conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7"], ...] = Field(
        ("conv1", "conv2", "conv3", "conv4", "conv5", "fc7"),
        min_length=1,
        description="layers whose features, after pooling and normalisation, are compared (Table 7)",
    )
    heads: Heads = Heads()
    scratch: Recipe = Field(Recipe(), description="training without pre-training; scratch_updates sets its length")
    scratch_updates: Count = Field(10_000, description="updates of each net trained from scratch, on any set")
    scratch_folds: Count = Field(5, description="folds on which nets are trained from scratch")
    voc_target: Literal["pairs", "random"] = Field("pairs", description="how several labels enter one softmax (D25)")
    duplicates_thumbnail_size: Count = Field(32, description="side of the grey thumbnails compared (D29)")
    duplicates_threshold: Fraction = Field(0.95, description="correlation from which two images are duplicates (D29)")

    @model_validator(mode="after")
    def _updates_not_epochs(self) -> "Transfer":
        if self.scratch.epochs != Recipe().epochs:
            raise ValueError("transfer.scratch.epochs has no effect; set transfer.scratch_updates instead")
        return self


class Paper(Strict):
    """Claims and report."""

    krizhevsky: bool = Field(
        False, description="train the variants of Krizhevsky's net that his paper compares (claims C43-C53)"
    )
    confidence_level: Fraction = Field(0.95, description="confidence level of the intervals that decide claims")
    resamples: Count = Field(10_000, description="bootstrap resamples and permutations, where no formula is exact")
    published_tolerance: float = Field(
        1.0,
        gt=0,
        description="full size: points of top-5 error that still agree with the published value; an ensemble gains 1.2",
    )
    margin_units: float = Field(
        2.0, gt=0, description="C9: a small change, points of top-5 error; about twice the largest published one, 1.1"
    )
    margin_heads: float = Field(
        1.5,
        gt=0,
        description="C25: points within which heads are equal; two published tables differ by 1.1 and 1.6 (D27)",
    )
    max_disagreeing_fraction: Fraction = Field(
        0.05, description="C33: fraction of images in which feature map and class may depend on other parts by chance"
    )
    max_duplicate_percent: float = Field(
        1.0, gt=0, description="C20: per cent of a set that counts as few; so many move its accuracy by a point at most"
    )


class Jobs(Strict):
    """Resources of a job: hints for the scheduler, never part of a result."""

    gpus: int = Field(1, ge=0, description="GPUs per heavy job")
    trainings_per_gpu: Count = Field(1, description="trainings that may run on one GPU of this machine at once")
    gpus_per_training: Count = Field(
        1, description="GPUs that split each minibatch of a training; divides its batch size"
    )
    tensorboard: bool = Field(False, description="write TensorBoard event files into the folders of the runs")
    threads: Count = Field(4, description="CPU threads per heavy job, and per GPU of a training")
    memory_mb: Count = Field(32_000, description="memory per heavy job, MB")
    runtime_minutes: Count = Field(600, description="time limit per heavy job, minutes")
    compile: Compile = Field(
        "auto", description="training step in bf16: compiled on a GPU (auto), never (eager), always"
    )


class Settings(Strict):
    """The whole configuration."""

    preset: str = Field("demo", description="demo, mini or paper")
    results: Folder = Field(Path("results"), description="folder of all results")
    archives: Archives = Archives()
    synthetic: World | None = Field(None, description="generate the archives that have no path")
    data: Data = Data()
    nets: Nets = Nets()
    training: Training = Training()
    evaluation: Evaluation = Evaluation()
    visualize: Visualize = Visualize()
    transfer: Transfer = Transfer()
    paper: Paper = Paper()
    jobs: Jobs = Jobs()
