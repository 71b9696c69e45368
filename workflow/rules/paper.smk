# Every table, figure and claim, and the report that holds them: small jobs, which run where snakemake runs.
rule table:
    input:
        table_inputs,
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
        figure_inputs,
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
        claim_inputs(),
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
        not_run=NOT_RUN_FILE,
        tables=expand(rules.table.output.csv, table=TABLES.keys() - NOT_RUN.keys()),
        figures=expand(rules.figure.output.png, figure=FIGURES.keys() - NOT_RUN.keys()),
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
        localrule: True
        message:
            "Done: {input}"


# All of one kind, as far as there are archives for it.
for target, made in {
    "tables": rules.report_page.input.tables,
    "figures": rules.report_page.input.figures,
    "report": rules.report_page.output.page,
}.items():

    rule:
        name:
            target
        input:
            made,
        localrule: True
        message:
            "Done: {input}"
