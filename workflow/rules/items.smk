# What every table and figure of the paper is made of.
def results_folder(wildcards):
    """The folder of all results, for commands that read several of its files."""
    return RESULTS


def results(*names):
    """Paths under the results folder."""
    return [f"{RESULTS}/{name}" for name in names]


def evaluations(runs):
    """Errors and predictions of these runs."""
    return expand("<results>/runs/{run}/{file}", run=runs, file=("evaluation.json", "predictions.safetensors"))


def heads(*sets):
    """Accuracies of classifiers on frozen features."""
    return results(*(f"transfer/heads/{name}.csv" for name in sets))


def scratch(*sets):
    """Accuracies of nets without pre-training."""
    return results(*(f"transfer/scratch/{name}.csv" for name in sets))


TABLES = {
    "1": results("visualize/zf-s1/correspondence-pairs.csv"),
    "2": evaluations(runs_of("zf", "zf-wide", "krizhevsky")),
    "3": evaluations([run for run in RUNS if run not in runs_of("zf-unclipped", "zf-clean")]),
    "4": heads("caltech101") + scratch("caltech101"),
    "5": heads("caltech256") + scratch("caltech256"),
    "6": results("transfer/voc/ap.csv"),
    "7": heads(*CALTECH),
}
FIGURES = {
    "figure2": results("visualize/zf-s1/features.safetensors"),
    "figure3": evaluations(["zf-s1"]),  # the number of classes
    "figure4": results("visualize/zf-s1/evolution.safetensors"),
    "figure5": results("visualize/zf-s1/invariance.csv", "visualize/zf-s1/invariance.safetensors"),
    "figure6": results(
        "visualize/filters.csv", *(f"visualize/{runs_of(one)[0]}/features.safetensors" for one in FILTER_NETS)
    ),
    "figure7": results("visualize/zf-s1/occlusion.safetensors", "visualize/zf-s1/occlusion.json"),
    "figure8": results("visualize/zf-s1/correspondence.safetensors"),
    "figure9": heads("caltech256"),
    "methods": results("visualize/zf-s1/methods.safetensors", "visualize/zf-s1/methods.csv"),
    "near_duplicates": results("transfer/duplicates-curve.csv", "transfer/duplicates.json"),
}
# What claims are decided from: all of these, the errors of the net without filter renormalisation, the filters of both
# bases, and what the other nets see that are looked at.
SEEN = (
    "features.safetensors",
    "controls.safetensors",
    "evolution.safetensors",
    "invariance.csv",
    "occlusion.csv",
    "correspondence-pairs.csv",
)
MORE = evaluations(runs_of("zf-unclipped")) + [net(run) for run in runs_of("zf", "krizhevsky")]
MORE += results(*expand("visualize/{run}/{file}", run=LOOKED_AT, file=SEEN))
MEASURED = [path for item in (*TABLES.values(), *FIGURES.values(), MORE) for path in item]
# Rows of Table 2 whose test errors only the challenge's server can tell: the nets of each.
SUBMITTED = {
    "krizhevsky": runs_of("krizhevsky")[:1],
    "zf": runs_of("zf")[:1],
    "zf-wide": runs_of("zf-wide")[:1],
}
if len(runs_of("zf")) > 1:
    SUBMITTED |= {"zf-all": runs_of("zf"), "zf-all-wide": runs_of("zf") + runs_of("zf-wide")[:1]}
TITLES = {
    "table1": "Correspondence of face parts",
    "table2": "ImageNet errors",
    "table3": "Architecture and model size",
    "table4": "Caltech-101",
    "table5": "Caltech-256",
    "table6": "PASCAL VOC 2012",
    "table7": "Features layer by layer",
    "figure2": "Strongest activations and their projections",
    "figure3": "The architecture",
    "figure4": "Features during training",
    "figure5": "Invariance",
    "figure6": "First- and second-layer filters",
    "figure7": "Occlusion",
    "figure8": "Masked parts",
    "figure9": "Caltech-256 against images per class",
    "methods": "The same units by every method",
    "near_duplicates": "Near-duplicates against the threshold",
}
