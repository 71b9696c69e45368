# Every table and figure of Zeiler & Fergus, "Visualizing and Understanding Convolutional Networks" (2013).
# Edit config.yaml, then: snakemake --cores all        (one item: snakemake --cores all table3)
from snakemake.utils import min_version

min_version("9.21")


configfile: "config.yaml"


# Used only with --sdm apptainer: an image with this environment, built from the Dockerfile (docs/tutorials/reproduce.md).
container: "zfnet.sif"


include: "workflow/rules/common.smk"
include: "workflow/rules/items.smk"


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
        rules.report_page.output.page,
        # No table or figure of Zeiler & Fergus needs CIFAR-10; it is prepared for Krizhevsky's if it is available.
        [manifest(name) for name in ("cifar10-train", "cifar10-test") if WHERE.cifar10],
        # Test sets whose labels are on servers: predictions for these, if the images are available.
        expand(rules.submission.output.guesses, row=SUBMITTED) if WHERE.imagenet_test else [],
        [rules.voc_test.output.summary] if WHERE.voc2012_test else [],
    message:
        "Done: {input[0]}"
