# Every table and figure of Zeiler & Fergus, "Visualizing and Understanding Convolutional Networks" (2013).
# Edit config.yaml, then: snakemake --cores all        (one item: snakemake --cores all table3)
from snakemake.utils import min_version

min_version("9.21")


configfile: "config.yaml"


include: "workflow/rules/common.smk"


pathvars:
    results=RESULTS,
    logs=LOGS,


include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/visualize.smk"
include: "workflow/rules/transfer.smk"
include: "workflow/rules/paper.smk"


rule all:
    default_target: True
    input:
        "<results>/report.html",
    message:
        "Done: {input}"
