"""Every setting of the workflow: typed, with its unit and the decision of the paper it stands for.

A preset (zfnet/presets/*.yaml) is a set of values for these fields and config.yaml overrides single ones;
zfnet.config puts them together and reports all mistakes at once. D-numbers are explained in docs/decisions.md.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Count = Annotated[int, Field(gt=0)]
Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Seed = Annotated[int, Field(ge=0)]  # numpy takes no negative one
Step = Literal["auto", "eager", "compiled"]  # how an update is executed
Counts = Annotated[tuple[Count, ...], Field(min_length=1)]


class Strict(BaseModel):
    """Unknown keys are mistakes, and nothing changes after it was read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Archives(Strict):
    """Where the official archives are. What stays empty is taken from the generated world, if the preset has one."""

    imagenet_train: Path | None = Field(None, description="ILSVRC2012_img_train.tar, or its extracted tree")
    imagenet_val: Path | None = Field(None, description="ILSVRC2012_img_val.tar, or its extracted tree")
    imagenet_devkit: Path | None = Field(
        None, description="ILSVRC2012_devkit_t12.tar.gz, for all of ImageNet's pictures"
    )
    imagenet_test: Path | None = Field(
        None, description="ILSVRC2012_img_test_v10102019.tar; optional, to predict it for its server"
    )
    caltech101: Path | None = Field(None, description="101_ObjectCategories.tar.gz or caltech-101.zip")
    caltech256: Path | None = Field(None, description="256_ObjectCategories.tar")
    voc2012: Path | None = Field(None, description="VOCtrainval_11-May-2012.tar")
    voc2012_test: Path | None = Field(None, description="VOC2012test.tar; optional, to predict it for its server")
    cifar10: Path | None = Field(None, description="cifar-10-python.tar.gz")
    parts_images: Path | None = Field(None, description="tar of frontal animals for Table 1 and Figure 8")
    parts_keypoints: Path | None = Field(None, description="their key points: COCO (.json), or a table (.csv)")
    download: bool = Field(False, description="fetch Caltech, VOC and CIFAR-10 by torchvision where no path is given")


class World(Strict):
    """The generated miniature of all data sets, in the official archive formats."""

    seed: Seed = 2013
    imagenet_classes: Count = 20
    train_images: Count = Field(60, description="per ImageNet class")
    val_images: Count = Field(10, description="per ImageNet class")
    test_images: Count = 40
    caltech101_classes: Count = Field(6, description="besides BACKGROUND_Google")
    caltech101_images: Count = Field(40, description="per class")
    caltech256_classes: Count = Field(6, description="besides 257.clutter")
    caltech256_images: Count = Field(70, description="per class")
    voc_images: Count = 160
    voc_test_images: Count = 40
    cifar_images: Count = Field(100, description="per batch file")
    parts_images: Count = Field(24, description="frontal animals with key points")
    duplicates: int = Field(6, ge=0, description="near-duplicates of Caltech planted in the ImageNet training set")
    side: Count = Field(144, description="length of a picture's shorter side, pixels")


class Subset(Strict):
    """Which part of an archive is used; None means all of it."""

    classes: Count | None = None
    images: Count | None = Field(None, description="per class")
    seed: Seed = 0


class Data(Strict):
    """Archives to shards (ZF sect. 3)."""

    size: Count = Field(256, description="short side, and side of ImageNet's centre square, pixels")
    quality: int = Field(95, ge=50, le=100, description="JPEG quality of the shards")
    shard_images: Count = Field(2000, description="pictures per shard")
    bad_share: Share = Field(0.001, description="share of undecodable pictures above which preparation stops")
    pixel_limit: Count = Field(120_000_000, description="pictures with more pixels are refused")
    imagenet: Subset = Subset()
    background: bool = Field(True, description="Caltech's background and clutter count as classes (D24)")


class Annealing(Strict):
    """When the learning rate falls (D9)."""

    kind: Literal["plateau", "milestones"] = "milestones"
    factor: float = Field(0.1, gt=0, lt=1)
    milestones: tuple[Share, ...] = Field((0.6, 0.85), description="shares of all epochs after which the rate falls")
    patience: Count = Field(5, description="plateau: epochs without a better validation error")
    drops: Count = Field(3, description="plateau: falls at most")


class Recipe(Strict):
    """How one net is trained (ZF sect. 3)."""

    batch: Count = 128
    epochs: Count = 70
    rate: float = Field(0.01, gt=0, description="learning rate of the weights")
    bias_rate: float = Field(2.0, gt=0, description="the biases' rate in multiples of the weights' (D8)")
    momentum: float = Field(0.9, ge=0, lt=1)
    decay: float = Field(5e-4, ge=0, description="weight decay, none on biases (D8)")
    dropout: float = Field(0.5, ge=0, lt=1, description="in layers 6 and 7")
    std: float = Field(0.01, gt=0, description="standard deviation of the initial weights (D6)")
    keep_gain: bool = Field(True, description="scale std by sqrt(fan-in at full size / fan-in here) (D33)")
    bias: float = Field(0.0, description="initial bias of conv2, conv4, conv5, fc6, fc7 (D7: ZF 0, Krizhevsky 1)")
    renormalise: float | None = Field(0.1, gt=0, description="RMS at which conv filters are clipped (D12); None: never")
    annealing: Annealing = Annealing()
    crops: Literal["random", "ten"] = Field("random", description="random crops and flips, or the fixed ten (D10)")
    colour: float = Field(0.0, ge=0, description="PCA colour noise in standard deviations (D11, D30)")
    colour_stop: Share = Field(0.75, description="share of the epochs after which colour noise is off (D30)")
    precision: Literal["fp32", "bf16"] = "fp32"
    stuck: Literal["warn", "stop"] = Field("stop", description="what to do when the loss stays at chance")
    stuck_share: Share = Field(0.35, description="share of the epochs after which a loss at chance means stuck")


class KrizhevskyRecipe(Recipe):
    """Where the replica's training differs from the ZF net's."""

    bias: float = Field(1.0, description="initial bias of conv2, conv4, conv5, fc6, fc7 (D7)")
    renormalise: float | None = Field(
        None, gt=0, description="RMS at which conv filters are clipped (D13); None: never"
    )
    colour: float = Field(0.1, ge=0, description="PCA colour noise in standard deviations (D30)")


class Nets(Strict):
    """Size of all nets."""

    width: float = Field(1.0, gt=0, le=64, description="multiplier of all maps and units but the classes")
    crop: Count = Field(224, description="side of the input square, pixels")
    norm_alpha: Literal["over_n", "per_term"] = Field("over_n", description="reading of the contrast norm's alpha (D5)")


class Training(Strict):
    """All trainings of the paper (Tables 2 and 3, Figures 4 and 6)."""

    zf: Recipe = Recipe()
    krizhevsky: KrizhevskyRecipe = KrizhevskyRecipe()
    seeds: Count = Field(5, description="trainings of the Figure 3 model with other random states (Table 2)")
    variant_seeds: Count = Field(
        1, description="trainings of every other net; claims about differences need several (at most `seeds`)"
    )
    snapshots: Counts = Field((1, 2, 5, 10, 20, 30, 40, 64), description="epochs of 70 at which a net is kept (Fig. 4)")
    decode: Literal["cpu", "gpu"] = Field(
        "cpu", description="where JPEGs become pixels; a GPU is faster and rounds otherwise (not for nets from scratch)"
    )
    accept_code: str | None = Field(None, description="keep results made by the code with this fingerprint")

    @model_validator(mode="after")
    def _paired(self) -> "Training":
        if self.variant_seeds > self.seeds:
            raise ValueError(
                f"variant_seeds ({self.variant_seeds}) is more than seeds ({self.seeds}): a variant is compared with "
                "the net of the same random state; raise seeds or lower variant_seeds"
            )
        return self


class Evaluation(Strict):
    """Errors (Tables 2 and 3)."""

    batch: Count = Field(64, description="pictures at once, ten crops each")
    train_images: Count | None = Field(None, description="training pictures for the training error; None: all")
    seed: Seed = Field(0, description="which training pictures, where not all")


class Visualize(Strict):
    """Figures 2 and 4-8, Table 1 and the comparison of methods."""

    nets: Count = Field(1, description="random states of the net of Fig. 3 that claims look at; they need three")
    seed: Seed = 0
    maps: tuple[Count, Count, Count, Count, Count] = Field(
        (9, 16, 12, 10, 10), description="maps of layers 1-5 in Figure 2"
    )
    top: int = Field(9, ge=2, description="strongest activations per map; at least 2, since claims compare pairs")
    evolution_maps: Count = Field(6, description="maps per layer in Figure 4")
    evolution_images: Count | None = Field(None, description="training pictures searched for Figure 4; None: all")
    filters_maps: Count = Field(15, description="layer-2 maps in Figure 6")
    control_maps: Count = Field(8, description="maps per layer of the untrained net beside which claims are held")
    occluder: int = Field(
        50, ge=1, le=224, description="side of the grey square at a 224 crop, scaled with the crop (D20)"
    )
    stride: Count = Field(6, description="its step at a 224 crop, scaled with the crop (D20)")
    occlusion_images: Count = Field(3, description="pictures in Figure 7")
    occlusion_measured: Count = Field(30, description="pictures that claims about Figure 7 look at, one a class")
    measured_stride: Count = Field(18, description="step of the square on them, at a 224 crop")
    invariance_images: Count = 5
    shift: Count = Field(60, description="largest translation at a 224 crop, pixels, scaled with the crop (D19)")
    shift_steps: Count = Field(10, description="steps on each side of zero")
    scale_steps: Count = Field(8, description="steps from 1 to 1.8")
    rotation_step: Count = Field(10, description="degrees")
    correspondence_images: Count = Field(5, description="frontal animals in Table 1; Figure 8 shows the first five")
    random_masks: Count = Field(5, description="random masks per picture in Table 1 (D21)")
    mask: Share = Field(0.18, description="side of a part's mask as a share of the picture's shorter side (D21)")
    ascent_steps: Count | None = Field(None, description="steps of activation maximisation; None: as published")


class Heads(Strict):
    """Classifiers on frozen features (ZF sect. 5.2, 5.3)."""

    solver: Literal["zfnet", "sklearn"] = "zfnet"
    svm_c: tuple[Positive, ...] = Field(
        (1e-3, 1e-2, 1e-1, 1.0, 10.0), min_length=1, description="C tried in cross-validation"
    )
    softmax_c: tuple[Positive, ...] = Field(
        (1e-2, 1e-1, 1.0, 10.0, 1e2, 1e3, 1e4), min_length=1, description="C tried in cross-validation"
    )
    inner_folds: Count = 3
    tolerance: float = Field(
        1e-5, gt=0, description="distance from the optimum, relative to the objective, at which a fit ends"
    )


class Transfer(Strict):
    """Tables 4-7, Figure 9 (ZF sect. 5.2, 5.3)."""

    run: str = Field("zf-clean", description="the pre-trained net")
    views: Literal["centre", "ten"] = Field("centre", description="crops whose features are averaged")
    stored: Literal["fp32", "fp16"] = Field("fp32", description="features on disk: fp16 takes half the room")
    seed: Seed = Field(0, description="random state of the folds")
    folds: Count = 5
    caltech101_sizes: Counts = Field((15, 30), description="training pictures per class (Table 4)")
    caltech101_test: Count = Field(50, description="test pictures per class at most")
    caltech256_sizes: Counts = Field((15, 30, 45, 60), description="training pictures per class (Table 5)")
    caltech256_curve: Counts = Field((1, 2, 3, 4, 5, 6, 7, 10, 15, 30, 45, 60), description="of Figure 9")
    caltech256_test: Count = Field(25, description="test pictures per class at most (D24)")
    layers: tuple[Literal["1", "2", "3", "4", "5", "6", "7"], ...] = Field(
        ("1", "2", "3", "4", "5", "7"), min_length=1, description="layers whose features are compared (Table 7)"
    )
    heads: Heads = Heads()
    scratch: Recipe = Field(Recipe(), description="nets without pre-training; see scratch_updates for its epochs")
    scratch_updates: Count = Field(10_000, description="of each net without pre-training, whatever the size of its set")
    scratch_folds: Count = Field(5, description="folds on which the nets without pre-training are trained")
    voc_target: Literal["pairs", "random"] = Field("pairs", description="how several labels meet one softmax (D25)")
    duplicates_size: Count = Field(32, description="side of the grey thumbnails compared (D29)")
    duplicates_threshold: Share = Field(0.95, description="correlation from which two pictures are the same (D29)")

    @model_validator(mode="after")
    def _updates_not_epochs(self) -> "Transfer":
        if self.scratch.epochs != Recipe().epochs:
            raise ValueError("transfer.scratch.epochs has no effect; set transfer.scratch_updates instead")
        return self


class Paper(Strict):
    """Claims and report."""

    level: Share = Field(0.95, description="level of the intervals that decide claims")
    resamples: Count = Field(10_000, description="resamples and permutations, where no formula gives the interval")
    tolerance: float = Field(
        1.0,
        gt=0,
        description="full size: points of top-5 from the printed; less than an ensemble gains, 1.2",
    )
    margin_units: float = Field(
        2.0, gt=0, description="C9: points of top-5 that are little; about twice the largest printed change, 1.1"
    )
    margin_heads: float = Field(
        1.5, gt=0, description="C25: points between equal heads; two printed tables differ by 1.1 and 1.6 (D27)"
    )
    few_apart: Share = Field(
        0.05, description="C33: share of pictures in which map and classifier may depend on different parts by chance"
    )
    few_duplicates: float = Field(
        1.0, gt=0, description="C20: per cent of a set that are few; they can move its accuracy by a point at most"
    )


class Jobs(Strict):
    """What a job may take: hints for the scheduler, never part of a result."""

    gpu: int = Field(1, ge=0, description="GPUs per heavy job")
    trainings_per_gpu: Count = Field(1, description="trainings that may share a GPU of this machine")
    gpus_per_training: Count = Field(1, description="GPUs that share each minibatch of a training; divides its batch")
    tensorboard: bool = Field(False, description="write event files for TensorBoard into the runs' folders")
    threads: Count = Field(4, description="CPU threads per heavy job")
    memory: Count = Field(32_000, description="memory per heavy job, MB")
    runtime: Count = Field(600, description="minutes per heavy job")
    step: Step = Field("auto", description="updates in bf16: compiled on a GPU (auto), never (eager), or always")


class Settings(Strict):
    """The whole configuration."""

    preset: str = "demo"
    results: Path = Field(Path("results"), description="folder of all results")
    archives: Archives = Archives()
    world: World | None = Field(None, description="generate what archives leaves empty")
    data: Data = Data()
    nets: Nets = Nets()
    training: Training = Training()
    evaluation: Evaluation = Evaluation()
    visualize: Visualize = Visualize()
    transfer: Transfer = Transfer()
    paper: Paper = Paper()
    jobs: Jobs = Jobs()
