# What all rules share: the settings, the paths, and the small settings files of the stages.
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.io import expand

from zfnet import config as zfconfig
from zfnet.data.verify import check_archives
from zfnet.paper import items as registry
from zfnet.core.errors import ZfnetError
from zfnet.core.files import canonical_json, write_if_changed
from zfnet.settings import Archives
from zfnet.training.experiments import specs, variant_of


def sentence_or(value):
    """Call `value`; report a mistake of the user as one message without a traceback."""
    try:
        return value()
    except ZfnetError as error:
        raise WorkflowError(str(error)) from None


def check_profile(argv=sys.argv):
    """Stop at a --workflow-profile that does not exist; Snakemake would ignore it and run locally."""
    words = [word for argument in argv for word in argument.split("=", 1)]
    for flag, value in zip(words, words[1:]):
        known = any(Path(folder, value).exists() for folder in (".", "profiles"))
        if flag == "--workflow-profile" and value != "none" and not known:
            raise WorkflowError(f"--workflow-profile {value}: no such profile; choose one in profiles/.")


def check_given_archives():
    """Stop at a wrong path or an incomplete archive before anything is computed."""
    given = settings.archives.model_dump(exclude_none=True)
    problems = check_archives(Archives(**given)) if given.keys() - {"download"} else []
    if problems:
        raise WorkflowError("\n".join(problems))


def stage(name, *trees, **single):
    """Write the settings file of one stage if its text changed, and return its path.

    It holds whole sub-trees of the settings (`trees`) and single settings of others: `data="image_size jpeg_quality"`.

    It is written while the workflow is read, not by a rule, so it is a source file: rewriting the same text re-runs
    nothing, and settings that a stage does not use cannot trigger it.
    """
    path = f"{RESULTS}/settings/{name}.json"
    parts = [f"{tree}.{field}" for tree, fields in single.items() for field in fields.split()]
    write_if_changed(path, zfconfig.stage_text(settings, *trees, *parts))
    return path


def data_stages():
    """Write the settings file of every data set: changing the ImageNet subset prepares only ImageNet again."""
    others = {"imagenet": {"background_class"}, "caltech": {"imagenet"}}
    for name in ARCHIVES_OF:
        unused = next(
            (fields for kind, fields in others.items() if name.startswith(kind)), {"background_class", "imagenet"}
        )
        stage(f"data-{name}", data=" ".join(field for field in type(settings.data).model_fields if field not in unused))


def transfer_stages():
    """Write the settings files of every transfer set's stages: settings of one set re-run only that set."""
    for name in ("voc2012", "voc2012-test"):  # always layer 7, whatever `layers` says
        stage(f"transfer-features-{name}", transfer="crops feature_dtype")
    for name in CALTECH:
        own = [field for field in type(settings.transfer).model_fields if field.startswith(name)]
        splits = " ".join(["seed folds", *own])
        stage(f"transfer-features-{name}", transfer="crops feature_dtype layers")
        stage(f"transfer-heads-{name}", transfer=f"layers heads {splits}")
        used = f"scratch scratch_updates scratch_folds crops {splits}"
        stage(f"transfer-scratch-{name}", "nets", training="accept_code", transfer=used)


def write_specs():
    """Write spec.json of every training and the list of trainings if they changed; return the specs by name."""
    by_name = sentence_or(lambda: specs(settings))
    write_if_changed(f"{RESULTS}/settings/runs.json", canonical_json(list(by_name)))
    for run, spec in by_name.items():
        write_if_changed(f"{RESULTS}/runs/{run}/spec.json", spec.text)
    return by_name


def archive(*names):
    """Return an input function: the paths of these archives, or an error that names the missing key of config.yaml."""

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
    """Return the archives that a data set is made of."""
    return archive(*ARCHIVES_OF[wildcards.set])(wildcards)


def duplicates_of(wildcards):
    """Return the list of near-duplicates, for the runs that leave them out."""
    return [rules.duplicates.output.table] if RUNS[wildcards.run].exclude_duplicates else []


def runs_of(*variants):
    """Return the names of all trainings of these nets, in the order of their seeds."""
    return [run for run in RUNS if variant_of(run) in variants]


def net(run):
    """Return the path of a trained net."""
    return expand(rules.train.output.weights, run=run)[0]


def manifest(name):
    """Return the path of a prepared data set's manifest, which stands for all its shards."""
    return expand(rules.shards.output.manifest, set=name)[0]


zfconfig.own_commands_first()
check_profile()
settings = sentence_or(lambda: zfconfig.load(config))
RESULTS = f"{settings.results}/{settings.preset}"
LOGS = f"logs/{settings.preset}"
WHERE = zfconfig.archives(settings, Path(RESULTS, "world"), Path("downloads"))
RUNS = write_specs()
sentence_or(lambda: registry.require_trained(RUNS))
data_stages()
LOOKED_AT = runs_of("zf")[: settings.visualize.nets]  # for claims about what nets respond to
FILTER_NETS = ("zf-unclipped", "krizhevsky", "zf")  # Figure 6
FILTER_RUNS = [run for variant in FILTER_NETS for run in runs_of(variant)[: settings.visualize.nets]]
write_if_changed(f"{RESULTS}/settings/looked-at.json", canonical_json(LOOKED_AT))
CALTECH = ["caltech101", "caltech256"]
transfer_stages()
check_given_archives()


# A heavy job takes the resources that the settings say. If trainings share GPUs, `gpu` counts the slots on them: a
# training takes one, every other heavy job all slots of a GPU.
HEAVY = dict(
    gpu=settings.jobs.gpus * settings.jobs.trainings_per_gpu,
    mem_mb=settings.jobs.memory_mb,
    runtime=settings.jobs.runtime_minutes,
)
TRAINING = HEAVY | dict(
    gpu=settings.jobs.gpus * settings.jobs.gpus_per_training,
    nodes=1,  # on a cluster, GPUs of one training must not be on several nodes
    cpus_per_gpu=settings.jobs.threads,
    share=settings.jobs.trainings_per_gpu,
    compile=settings.jobs.compile,
    world_size=settings.jobs.gpus_per_training,
    events="--events" if settings.jobs.tensorboard else "--no-events",
)


wildcard_constraints:
    run=r"[a-z0-9-]+",
    set="|".join(ARCHIVES_OF),
    row=r"[a-z-]+",
    table="|".join(registry.items("tables")),
    figure="|".join(registry.items("figures")),
