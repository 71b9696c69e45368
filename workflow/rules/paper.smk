# Every table, figure and claim, and the report that holds them.
rule table:
    input:
        lambda wildcards: inputs_of(TABLES[wildcards.table].inputs),
    output:
        csv=report(
            "<results>/tables/{table}.csv",
            caption="../report/table.rst",
            category=lambda wildcards: TABLES[wildcards.table].category,
            labels=lambda wildcards: item_labels(TABLES[wildcards.table]),
        ),
        paired="<results>/tables/{table}-paired.csv",
        markdown="<results>/tables/{table}.md",
        tex="<results>/tables/{table}.tex",
    log:
        "<logs>/paper/{table}.log",
    params:
        results=results_folder,
    message:
        "Writing {wildcards.table}"
    shell:
        "zfnet table {wildcards.table} --results {params.results:q} --out {output.csv:q} > {log} 2>&1"


rule figure:
    input:
        lambda wildcards: inputs_of(FIGURES[wildcards.figure].inputs),
    output:
        png=report(
            "<results>/figures/{figure}.png",
            caption="../report/figure.rst",
            category=lambda wildcards: FIGURES[wildcards.figure].category,
            labels=lambda wildcards: item_labels(FIGURES[wildcards.figure]),
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
        *sorted({path for item in registry.items().values() for path in inputs_of(item.inputs)}),
        inputs_of(registry.claim_inputs()),
        settings=stage("paper", "paper"),
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
        tables=expand(rules.table.output.csv, table=TABLES),
        figures=expand(rules.figure.output.png, figure=FIGURES),
        claims=rules.claims.output.csv,
        effects=rules.claims.output.effects,
    output:
        page=report(
            "<results>/report.html",
            caption="../report/page.rst",
            category="Report",
            labels={"item": "Report", "what": "Everything on one page"},
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
for item in registry.items().values():

    rule:
        name:
            item.name
        input:
            expand(rules.table.output.csv, table=item.name)
            if item.name in TABLES
            else expand(rules.figure.output.png, figure=item.name),
        message:
            "Done: {input}"
