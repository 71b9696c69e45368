# Every table and figure of Zeiler & Fergus, "Visualizing and Understanding Convolutional Networks" (2013).
# Edit config.yaml, then: snakemake --cores all        (one item: snakemake --cores all table3)
from snakemake.utils import min_version

min_version("9.21")


configfile: "config.yaml"


# Used with --sdm apptainer alone: an image with this environment, built from the Dockerfile (see docs/tutorials/reproduce.md).
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
        "<results>/report.html",
        # No table or figure of Zeiler & Fergus needs CIFAR-10: it is prepared where it is at hand, for Krizhevsky's own.
        [manifest(name) for name in ("cifar10-train", "cifar10-test") if WHERE.cifar10],
        # Test sets whose labels are on servers: files for these, where the pictures are at hand.
        expand("<results>/submission/{row}.txt", row=SUBMITTED) if WHERE.imagenet_test else [],
        ["<results>/transfer/voc/test/summary.json"] if WHERE.voc2012_test else [],
    message:
        "Done: {input[0]}"
