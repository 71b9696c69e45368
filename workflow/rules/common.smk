# What all rules share: the settings, where things lie, and the small files that say what a job is to do.
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.io import expand

from zfnet import config as zfconfig
from zfnet.data.verify import check_archives
from zfnet.errors import ZfnetError
from zfnet.files import write_if_changed
from zfnet.settings import Archives
from zfnet.training.runs import specs


def sentence_or(value):
    """Call `value`; a mistake of the user becomes one message without a traceback."""
    try:
        return value()
    except ZfnetError as error:
        raise WorkflowError(str(error)) from None


def check_profile(argv=sys.argv):
    """Snakemake ignores a --workflow-profile that does not exist and runs locally; stop instead."""
    for flag, value in zip(argv, argv[1:]):
        known = any(Path(folder, value).exists() for folder in (".", "profiles"))
        if flag == "--workflow-profile" and value != "none" and not known:
            raise WorkflowError(f"--workflow-profile {value}: no such profile; choose one in profiles/.")


def check_given_archives():
    """A wrong path or a half-copied archive ends the run here, before anything is computed."""
    given = settings.archives.model_dump(exclude_none=True)
    problems = check_archives(Archives(**given)) if given.keys() - {"download"} else []
    if problems:
        raise WorkflowError("\n".join(problems))


def stage(name, *parts):
    """Write the settings file of one stage, if its text changed, and give its path.

    It is written while the workflow is read and not by a rule, so that it is a source file: restoring or rewriting the
    same text makes nothing again, and a setting that a stage does not use cannot reach it.
    """
    path = f"{RESULTS}/settings/{name}.json"
    write_if_changed(path, zfconfig.stage_text(settings, *parts))
    return path


def write_specs():
    """Write spec.json of every training, if its text changed, and give the specs by name."""
    found = sentence_or(lambda: specs(settings))
    for run, spec in found.items():
        write_if_changed(f"{RESULTS}/runs/{run}/spec.json", spec.text)
    return found


def archive(*names):
    """Input function: the archives of these names, or a sentence that says which one to name in config.yaml."""

    def paths(wildcards):
        where = zfconfig.archives(settings, Path(RESULTS, "world"), Path("downloads"))
        missing = [name for name in names if getattr(where, name) is None]
        if missing:
            raise WorkflowError(
                f"config.yaml: archives: {', '.join(missing)} must be set to the official archive's path: "
                + "; ".join(f"{name}: {Archives.model_fields[name].description}" for name in missing)
            )
        return [str(getattr(where, name)) for name in names]

    return paths


ARCHIVES_OF = {
    "imagenet-train": ("imagenet_train", "imagenet_devkit"),
    "imagenet-val": ("imagenet_val", "imagenet_devkit"),
    "caltech101": ("caltech101",),
    "caltech256": ("caltech256",),
    "voc2012": ("voc2012",),
    "cifar10-train": ("cifar10",),
    "cifar10-test": ("cifar10",),
}


def archives_of_set(wildcards):
    """The archives that one data set is made of."""
    return archive(*ARCHIVES_OF[wildcards.set])(wildcards)


def duplicates_of(wildcards):
    """The list of near-duplicates, for the runs that leave them out."""
    return [f"{RESULTS}/transfer/duplicates.csv"] if RUNS[wildcards.run].exclude_duplicates else []


def net(run):
    """Path of a trained net."""
    return f"{RESULTS}/runs/{run}/weights.safetensors"


def manifest(name):
    """Path of a prepared data set's description, which stands for all its shards."""
    return f"{RESULTS}/data/{name}/manifest.json"


check_profile()
settings = sentence_or(lambda: zfconfig.load(config, Path(workflow.basedir, "workflow/presets")))
RESULTS = f"{settings.results}/{settings.preset}"
LOGS = f"logs/{settings.preset}"
RUNS = write_specs()
ZF_SEEDS = [run for run in RUNS if run.startswith("zf-s")]
FILTER_RUNS = ["zf-unclipped", "krizhevsky-s1", "zf-s1"]  # Figure 6
CALTECH = ["caltech101", "caltech256"]
check_given_archives()


# A training is as heavy as its settings say; the rest of the heavy jobs take the same.
HEAVY = dict(gpu=settings.jobs.gpu, mem_mb=settings.jobs.memory, runtime=settings.jobs.runtime)


wildcard_constraints:
    run=r"[a-z0-9-]+",
    set=r"[a-z0-9-]+",
    number=r"\d",
