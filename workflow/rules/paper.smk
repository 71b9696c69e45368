# Every table, figure and claim, and the report that holds them.
def results(*names):
    """Paths under the results folder."""
    return [f"{RESULTS}/{name}" for name in names]


def evaluations(runs):
    """Errors and predictions of these runs."""
    return expand("<results>/runs/{run}/{file}", run=runs, file=("evaluation.json", "predictions.safetensors"))


def heads(*sets):
    return results(*(f"transfer/heads/{name}.csv" for name in sets))


def scratch(*sets):
    return results(*(f"transfer/scratch/{name}.csv" for name in sets))


TABLES = {
    "1": results("visualize/correspondence-pairs.csv"),
    "2": evaluations([*ZF_SEEDS, "zf-wide", "krizhevsky-s1"]),
    "3": evaluations([run for run in RUNS if run not in ("zf-unclipped", "zf-clean")]),
    "4": heads("caltech101") + scratch("caltech101"),
    "5": heads("caltech256") + scratch("caltech256"),
    "6": results("transfer/voc/ap.csv"),
    "7": heads(*CALTECH),
}
FIGURES = {
    "2": results("visualize/features-zf-s1.safetensors"),
    "3": results("runs/zf-s1/spec.json"),
    "4": results("visualize/evolution.safetensors"),
    "5": results("visualize/invariance.csv", "visualize/invariance.safetensors"),
    "6": results("visualize/filters.csv", *(f"visualize/features-{run}.safetensors" for run in FILTER_RUNS)),
    "7": results("visualize/occlusion.safetensors", "visualize/occlusion.json"),
    "8": results("visualize/correspondence.safetensors"),
    "9": heads("caltech256"),
}
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
}


rule table:
    input:
        lambda wildcards: TABLES[wildcards.number],
    output:
        csv=report(
            "<results>/tables/table{number}.csv",
            caption="../report/table.rst",
            category="Tables",
            labels=lambda wildcards: {"item": f"Table {wildcards.number}", "what": TITLES[f"table{wildcards.number}"]},
        ),
        markdown="<results>/tables/table{number}.md",
        tex="<results>/tables/table{number}.tex",
    log:
        "<logs>/paper/table{number}.log",
    params:
        results=RESULTS,
    message:
        "Table {wildcards.number}"
    shell:
        "zfnet table {wildcards.number} --results {params.results} --out {output.csv} > {log} 2>&1"


rule figure:
    input:
        lambda wildcards: FIGURES[wildcards.number],
    output:
        png=report(
            "<results>/figures/figure{number}.png",
            caption="../report/figure.rst",
            category="Figures",
            labels=lambda wildcards: {
                "item": f"Figure {wildcards.number}",
                "what": TITLES[f"figure{wildcards.number}"],
            },
        ),
        pdf="<results>/figures/figure{number}.pdf",
    log:
        "<logs>/paper/figure{number}.log",
    params:
        results=RESULTS,
    message:
        "Figure {wildcards.number}"
    shell:
        "zfnet figure {wildcards.number} --results {params.results} --out {output.png} > {log} 2>&1"


rule claims:
    input:
        *[path for paths in TABLES.values() for path in paths],
        settings=stage("paper", "paper"),
        duplicates="<results>/transfer/duplicates.json",
    output:
        csv=report(
            "<results>/claims.csv",
            caption="../report/claims.rst",
            category="Claims",
            labels={"item": "Claims", "what": "What reproduced"},
        ),
    log:
        "<logs>/paper/claims.log",
    params:
        results=RESULTS,
    message:
        "Deciding the papers' claims"
    shell:
        "zfnet claims --results {params.results} --settings {input.settings} --out {output.csv} > {log} 2>&1"


rule report_page:
    input:
        settings=stage("all", *type(settings).model_fields),
        tables=expand("<results>/tables/table{number}.csv", number=list(TABLES)),
        figures=expand("<results>/figures/figure{number}.png", number=list(FIGURES)),
        claims="<results>/claims.csv",
    output:
        page="<results>/report.html",
    log:
        "<logs>/paper/report.log",
    params:
        results=RESULTS,
    message:
        "Writing the report"
    shell:
        "zfnet report --results {params.results} --settings {input.settings} --out {output.page} > {log} 2>&1"


# Targets named after the paper: snakemake --cores all table3 figure7
for number in TABLES:

    rule:
        name:
            f"table{number}"
        input:
            f"<results>/tables/table{number}.csv",
        message:
            "Done: {input}"


for number in FIGURES:

    rule:
        name:
            f"figure{number}"
        input:
            f"<results>/figures/figure{number}.png",
        message:
            "Done: {input}"
