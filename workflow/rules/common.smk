# What all rules share: the settings, where things lie, and the small files that say what a job is to do.
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.io import expand

from zfnet import config as zfconfig
from zfnet.data.verify import check_archives
from zfnet.core.errors import ZfnetError
from zfnet.core.files import canonical_json, write_if_changed
from zfnet.settings import Archives
from zfnet.training.experiments import specs, variant_of


def sentence_or(value):
    """Call `value`; a mistake of the user becomes one message without a traceback."""
    try:
        return value()
    except ZfnetError as error:
        raise WorkflowError(str(error)) from None


def check_profile(argv=sys.argv):
    """Snakemake ignores a --workflow-profile that does not exist and runs locally; stop instead."""
    words = [word for argument in argv for word in argument.split("=", 1)]
    for flag, value in zip(words, words[1:]):
        known = any(Path(folder, value).exists() for folder in (".", "profiles"))
        if flag == "--workflow-profile" and value != "none" and not known:
            raise WorkflowError(f"--workflow-profile {value}: no such profile; choose one in profiles/.")


def check_given_archives():
    """A wrong path or a half-copied archive ends the run here, before anything is computed."""
    given = settings.archives.model_dump(exclude_none=True)
    problems = check_archives(Archives(**given)) if given.keys() - {"download"} else []
    if problems:
        raise WorkflowError("\n".join(problems))


def stage(name, *trees, **single):
    """Write the settings file of one stage, if its text changed, and give its path.

    It holds whole sub-trees of the settings, and of others single ones: `data="image_size jpeg_quality"`.

    It is written while the workflow is read and not by a rule, so that it is a source file: restoring or rewriting the
    same text makes nothing again, and a setting that a stage does not use cannot reach it.
    """
    path = f"{RESULTS}/settings/{name}.json"
    parts = [f"{tree}.{field}" for tree, fields in single.items() for field in fields.split()]
    write_if_changed(path, zfconfig.stage_text(settings, *trees, *parts))
    return path


def data_stages():
    """Write the settings file of every data set: another subset of ImageNet prepares nothing else again."""
    others = {"imagenet": {"background_class"}, "caltech": {"imagenet"}}
    for name in ARCHIVES_OF:
        unused = next((fields for kind, fields in others.items() if name.startswith(kind)), {"background_class", "imagenet"})
        stage(f"data-{name}", data=" ".join(field for field in type(settings.data).model_fields if field not in unused))


def transfer_stages():
    """Write the settings files of every transfer set's stages: what another set alone uses makes nothing again."""
    for name in ("voc2012", "voc2012-test"):  # of these layer 7 is read, whatever `layers` says
        stage(f"transfer-features-{name}", transfer="crops feature_dtype")
    for name in CALTECH:
        own = [field for field in type(settings.transfer).model_fields if field.startswith(name)]
        splits = " ".join(["seed folds", *own])
        stage(f"transfer-features-{name}", transfer="crops feature_dtype layers")
        stage(f"transfer-heads-{name}", transfer=f"layers heads {splits}")
        used = f"scratch scratch_updates scratch_folds crops {splits}"
        stage(f"transfer-scratch-{name}", "nets", training="accept_code", transfer=used)


def write_specs():
    """Write spec.json of every training, and the list of them, where a text changed; give the specs by name."""
    found = sentence_or(lambda: specs(settings))
    write_if_changed(f"{RESULTS}/settings/runs.json", canonical_json(list(found)))
    for run, spec in found.items():
        write_if_changed(f"{RESULTS}/runs/{run}/spec.json", spec.text)
    return found


def archive(*names):
    """Input function: the archives of these names, or a sentence that says which one to name in config.yaml."""

    def paths(wildcards):
        missing = [name for name in names if getattr(WHERE, name) is None]
        if missing:
            raise WorkflowError(
                f"config.yaml: archives: {', '.join(missing)} must be set to the official archive's path: "
                + "; ".join(f"{name}: {Archives.model_fields[name].description}" for name in missing)
            )
        return [str(getattr(WHERE, name)) for name in names]

    return paths


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


def archives_of_set(wildcards):
    """The archives that one data set is made of."""
    return archive(*ARCHIVES_OF[wildcards.set])(wildcards)


def duplicates_of(wildcards):
    """The list of near-duplicates, for the runs that leave them out."""
    return [f"{RESULTS}/transfer/duplicates.csv"] if RUNS[wildcards.run].exclude_duplicates else []


def runs_of(*variants):
    """Names of all trainings of these nets, whatever their random state."""
    return [run for run in RUNS if variant_of(run) in variants]


def net(run):
    """Path of a trained net."""
    return f"{RESULTS}/runs/{run}/weights.safetensors"


def manifest(name):
    """Path of a prepared data set's description, which stands for all its shards."""
    return f"{RESULTS}/data/{name}/manifest.json"


zfconfig.own_commands_first()
check_profile()
settings = sentence_or(lambda: zfconfig.load(config))
RESULTS = f"{settings.results}/{settings.preset}"
LOGS = f"logs/{settings.preset}"
WHERE = zfconfig.archives(settings, Path(RESULTS, "world"), Path("downloads"))
RUNS = write_specs()
data_stages()
LOOKED_AT = runs_of("zf")[: settings.visualize.nets]  # claims about what nets see
FILTER_NETS = ("zf-unclipped", "krizhevsky", "zf")  # Figure 6: the first random state of each
FILTER_RUNS = [run for variant in FILTER_NETS for run in runs_of(variant)[: settings.visualize.nets]]
write_if_changed(f"{RESULTS}/settings/looked-at.json", canonical_json(LOOKED_AT))
CALTECH = ["caltech101", "caltech256"]
transfer_stages()
check_given_archives()


# A heavy job takes as much as the settings say. Where trainings share GPUs, `gpu` counts the places on them: a training
# takes one, every other heavy job all places of a GPU.
HEAVY = dict(
    gpu=settings.jobs.gpus * settings.jobs.trainings_per_gpu,
    mem_mb=settings.jobs.memory_mb,
    runtime=settings.jobs.runtime_minutes,
)
TRAINING = HEAVY | dict(
    gpu=settings.jobs.gpus * settings.jobs.gpus_per_training,
    share=settings.jobs.trainings_per_gpu,
    compile=settings.jobs.compile,
    world_size=settings.jobs.gpus_per_training,
    events="--events" if settings.jobs.tensorboard else "--no-events",
)


wildcard_constraints:
    run=r"[a-z0-9-]+",
    set="|".join(ARCHIVES_OF),
    number=r"\d",
    row=r"[a-z-]+",
    figure=r"figure\d|methods|near_duplicates",
