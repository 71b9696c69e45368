# Every table, figure and claim, and the report that holds them.
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
        paired="<results>/tables/table{number}-paired.csv",
        markdown="<results>/tables/table{number}.md",
        tex="<results>/tables/table{number}.tex",
    log:
        "<logs>/paper/table{number}.log",
    params:
        results=results_folder,
    message:
        "Table {wildcards.number}"
    shell:
        "zfnet table {wildcards.number} --results {params.results:q} --out {output.csv:q} > {log} 2>&1"


rule figure:
    input:
        lambda wildcards: FIGURES[wildcards.figure],
    output:
        png=report(
            "<results>/figures/{figure}.png",
            caption="../report/figure.rst",
            category="Figures",
            labels=lambda wildcards: {"item": wildcards.figure, "what": TITLES[wildcards.figure]},
        ),
        pdf="<results>/figures/{figure}.pdf",
    log:
        "<logs>/paper/{figure}.log",
    params:
        results=results_folder,
    message:
        "Drawing {wildcards.figure}"
    shell:
        "zfnet figure {wildcards.figure} --results {params.results:q} --out {output.png:q} > {log} 2>&1"


rule claims:
    input:
        *sorted(set(MEASURED)),
        settings=stage("paper", "paper"),
        duplicates="<results>/transfer/duplicates.json",
    output:
        csv=report(
            "<results>/claims.csv",
            caption="../report/claims.rst",
            category="Claims",
            labels={"item": "Claims", "what": "What reproduced"},
        ),
        effects="<results>/claims-effects.csv",
    log:
        "<logs>/paper/claims.log",
    params:
        results=results_folder,
    message:
        "Deciding the papers' claims"
    shell:
        "zfnet claims --results {params.results:q} --settings {input.settings:q} --out {output.csv:q} > {log} 2>&1"


rule report_page:
    input:
        settings=stage("all", *type(settings).model_fields),
        tables=expand("<results>/tables/table{number}.csv", number=list(TABLES)),
        figures=expand("<results>/figures/{figure}.png", figure=list(FIGURES)),
        claims="<results>/claims.csv",
        effects="<results>/claims-effects.csv",
    output:
        page=report(
            "<results>/report.html",
            caption="../report/page.rst",
            category="Report",
            labels={"item": "Report", "what": "The whole story on one page"},
        ),
        curves=report(
            "<results>/figures/curves.svg",
            caption="../report/curves.rst",
            category="Figures",
            labels={"item": "Training curves", "what": "Loss and errors of every epoch of all trainings"},
        ),
        index="<results>/README.md",
    log:
        "<logs>/paper/report.log",
    params:
        results=results_folder,
    message:
        "Writing the report"
    shell:
        "zfnet report --results {params.results:q} --settings {input.settings:q} --out {output.page:q} > {log} 2>&1"


# Targets named after the paper: snakemake --cores all table3 figure7
for number in TABLES:

    rule:
        name:
            f"table{number}"
        input:
            f"<results>/tables/table{number}.csv",
        message:
            "Done: {input}"


for figure in FIGURES:

    rule:
        name:
            figure
        input:
            f"<results>/figures/{figure}.png",
        message:
            "Done: {input}"
