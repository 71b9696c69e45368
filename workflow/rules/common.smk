# What all rules share: the settings, the paths, what is at hand, and the small settings files of the stages.
from snakemake.io import expand

from zfnet import config as zfconfig
from zfnet.core.files import canonical_json, write_if_changed
from zfnet.data.archive_identity import identity
from zfnet.data.verify import check_archives, useful
from zfnet.paper import availability
from zfnet.paper import items as registry
from zfnet.settings import Archives
from zfnet.training.experiments import specs, variant_of


def check_given_archives():
    """Stop at a wrong path or an incomplete archive before anything is computed.

    Archives that are useless without others are left alone, unless generated ones would take the others' place.
    """
    given = settings.archives.model_dump(exclude_none=True, exclude={"download"})
    if not settings.synthetic:
        given = {key: given[key] for key in useful(given)}
    problems = check_archives(Archives(**given))
    if problems:
        raise WorkflowError("\n".join(problems))


def write_plan(path, text):
    """Write a small file of the plan if its text changed.

    Only the process that plans writes it, so a job runs what it was planned with; and never while another snakemake
    works from the present text.
    """
    path = Path(path)
    if not workflow.is_main_process:
        return
    if OTHER_RUNS and path.exists() and path.read_text(encoding="utf-8") != text:
        raise WorkflowError(
            f"{path}: the settings behind it were changed, but {' and '.join(OTHER_RUNS)} still works with the old "
            "ones in this folder. Wait for its end or stop it (Ctrl-C), then run the same command again."
        )
    sentence_or(lambda: write_if_changed(path, text))


def stage(name, *trees, **single):
    """Write the settings file of one stage if its text changed, and return its path.

    It holds whole sub-trees of the settings (`trees`) and single settings of others: `data="image_size jpeg_quality"`.

    It is written while the workflow is read, not by a job, and so is a source file: rewriting the same text re-runs
    nothing, and settings that a stage does not use cannot trigger it.
    """
    path = f"{RESULTS}/settings/{name}.json"
    parts = [f"{tree}.{field}" for tree, fields in single.items() for field in fields.split()]
    write_plan(path, zfconfig.stage_text(settings, *trees, *parts))
    return path


def data_stages():
    """Write the settings file of every data set: changing the ImageNet subset prepares only ImageNet again."""
    others = {"imagenet": {"background_class"}, "caltech": {"imagenet"}}
    for name in availability.ARCHIVES_OF:
        unused = next(
            (fields for kind, fields in others.items() if name.startswith(kind)), {"background_class", "imagenet"}
        )
        stage(f"data-{name}", data=" ".join(field for field in type(settings.data).model_fields if field not in unused))


def transfer_stages():
    """Write the settings files of every transfer set's stages: settings of one set re-run only that set."""
    for name in ("voc2012", "voc2012-test"):  # always fc7, whatever `layers` says
        stage(f"transfer-features-{name}", transfer="crops feature_dtype")
    for name in availability.CALTECH:
        own = [field for field in type(settings.transfer).model_fields if field.startswith(name)]
        splits = " ".join(["seed folds", *own])
        stage(f"transfer-features-{name}", transfer="crops feature_dtype layers")
        stage(f"transfer-heads-{name}", transfer=f"layers heads {splits}")
        used = f"scratch scratch_updates scratch_folds crops {splits}"
        stage(f"transfer-scratch-{name}", "nets", training="accept_code", transfer=used)


def write_specs():
    """Write spec.json of every training and the list of trainings if they changed; return the specs by name."""
    by_name = sentence_or(lambda: specs(settings))
    write_plan(f"{RESULTS}/settings/runs.json", canonical_json(list(by_name)))
    for run, spec in by_name.items():
        write_plan(f"{RESULTS}/runs/{run}/spec.json", spec.text)
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


def archives_of_set(wildcards):
    """Return what a set is made of: generated and downloaded archives, and the identities of the user's own."""
    names = availability.ARCHIVES_OF[wildcards.set]
    return [identities.get(name, path) for name, path in zip(names, archive(*names)(wildcards))]


def own_archives():
    """Write what the user's archives are recognised by, wherever they are; return these files by archive.

    Moving an archive prepares nothing again, since its path is no input or parameter. `ARCHIVES_FILE` tells the jobs.
    """
    of_set = {name: availability.ARCHIVES_OF[name] for name in TO_PREPARE & AVAILABLE.sets}
    own = {name for names in of_set.values() for name in names if getattr(settings.archives, name)}
    files = {name: f"{RESULTS}/settings/archive-{name}.json" for name in own}
    if workflow.is_main_process:
        places = {key: [str(getattr(WHERE, name)) for name in names] for key, names in of_set.items()}
        write_plan(ARCHIVES_FILE, canonical_json(places))
        for name, file in files.items():
            write_plan(file, canonical_json(sentence_or(lambda: identity(getattr(WHERE, name)))))
    return files


def duplicates_of(wildcards):
    """Return the list of near-duplicates, for the runs that leave them out."""
    found = RUNS[wildcards.run].exclude_duplicates and CALTECH
    return [rules.duplicates.output.table] if found else []


def runs_of(*variants):
    """Return the names of all trainings of these nets, in the order of their seeds."""
    return [run for run in RUNS if variant_of(run) in variants]


def net(run):
    """Return the path of a trained net."""
    return expand(rules.train.output.weights, run=run)[0]


def manifest(name):
    """Return the path of a prepared data set's manifest, which stands for all its shards."""
    return expand(rules.shards.output.manifest, set=name)[0]


def makeable(paths):
    """Return those of these paths below results/PRESET for which the archives are at hand."""
    return [
        path for path in paths if not AVAILABLE.lacking(path.removeprefix("<results>/").removeprefix(f"{RESULTS}/"))
    ]


def whats_next():
    """Return what to do after a successful run."""
    page = Path(RESULTS, "report.html")
    if page.exists():
        return f"open {page.absolute()} in a browser."
    return "the report with all that is finished: snakemake --cores all report"


def is_prepared(name):
    """Return whether a data set was prepared before; its archives are not needed any more."""
    return Path(RESULTS, "data", name, "manifest.json").exists()


zfconfig.own_commands_first()
settings = sentence_or(lambda: zfconfig.load(config))
RESULTS = f"{settings.results}/{settings.preset}"
LOGS = f"logs/{settings.preset}"
WHERE = zfconfig.archives(settings, Path(RESULTS, "world"), Path("downloads"))
AVAILABLE = availability.Availability.of(WHERE, is_prepared)
TO_PREPARE = set(availability.ARCHIVES_OF) - (AVAILABLE.sets - availability.Availability.of(WHERE).sets)
CALTECH = [name for name in availability.CALTECH if name in AVAILABLE.sets]
RUNS = write_specs()
sentence_or(lambda: registry.require_trained(RUNS))
data_stages()
LOOKED_AT = runs_of("zf")[: settings.visualize.nets]  # for claims about what nets respond to
FILTER_NETS = ("zf-unclipped", "krizhevsky", "zf")  # Figure 6
FILTER_RUNS = [run for variant in FILTER_NETS for run in runs_of(variant)[: settings.visualize.nets]]
write_plan(f"{RESULTS}/settings/looked-at.json", canonical_json(LOOKED_AT))
transfer_stages()
if workflow.is_main_process:
    check_given_archives()
ARCHIVES_FILE = f"{RESULTS}/settings/archives.json"
identities = own_archives()


wildcard_constraints:
    run=r"[a-z0-9-]+",
    # Sets that were prepared from archives which are not named any more are sources.
    set="|".join(name for name in availability.ARCHIVES_OF if name in TO_PREPARE),
    row=r"[a-z-]+",
    table="|".join(registry.items("tables")),
    figure="|".join(registry.items("figures")),
