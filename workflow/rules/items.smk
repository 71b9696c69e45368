# Tables and figures as src/zfnet/paper/items.yaml registers them, and what each is computed from.
TABLES, FIGURES = registry.items("tables"), registry.items("figures")


def results_folder(wildcards):
    """Return the results folder, for commands that read several of its files."""
    return RESULTS


def inputs_of(inputs):
    """Return the paths that inputs in the vocabulary of zfnet.paper.items stand for."""
    return [f"{RESULTS}/{path}" for path in registry.input_paths(inputs, list(RUNS), LOOKED_AT)]


def item_labels(item):
    """Return how Snakemake's report lists an item."""
    return {"item": item.number or item.name, "what": item.title}
