# Tables and figures as src/zfnet/paper/items.yaml registers them, and what each is computed from.
TABLES, FIGURES = registry.items("tables"), registry.items("figures")


def results_folder(wildcards):
    """Return the results folder, for commands that read several of its files."""
    return RESULTS


def paths_of(inputs):
    """Return the paths below results/PRESET that inputs in the vocabulary of zfnet.paper.items stand for."""
    return registry.input_paths(inputs, list(RUNS), LOOKED_AT)


def table_inputs(wildcards):
    """Return what a table is computed from: what there are archives for; or all of it, to say what is missing."""
    paths = paths_of(TABLES[wildcards.table].inputs)
    return [f"{RESULTS}/{path}" for path in AVAILABLE.makeable(paths) or paths]


def figure_inputs(wildcards):
    """Return all that a figure is computed from."""
    return [f"{RESULTS}/{path}" for path in paths_of(FIGURES[wildcards.figure].inputs)]


def claim_inputs():
    """Return what claims are computed from: the inputs of all items, and more, as far as there are archives for it."""
    inputs = [*(item.inputs for item in registry.items().values()), registry.claim_inputs()]
    paths = sorted({path for each in inputs for path in paths_of(each)})
    return [f"{RESULTS}/{path}" for path in AVAILABLE.makeable(paths)]


def item_labels(item):
    """Return how Snakemake's report lists an item."""
    return {"item": item.number or item.name, "what": item.title}


NOT_RUN = AVAILABLE.not_run({name: paths_of(item.inputs) for name, item in registry.items().items()}, partial=TABLES)
NOT_RUN_FILE = f"{RESULTS}/{availability.NOT_RUN}"
write_plan(NOT_RUN_FILE, canonical_json(NOT_RUN))
if NOT_RUN and workflow.is_main_process:
    logger.warning(
        "Archives that config.yaml does not name take items away; the report calls them `not run`:\n"
        + "\n".join(f"  {name}: needs {', '.join(keys)}" for name, keys in NOT_RUN.items())
    )
