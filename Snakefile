# Every table and figure of Zeiler & Fergus, "Visualizing and Understanding Convolutional Networks" (2013).
# Edit config.yaml, then: snakemake --cores all        (one item: snakemake --cores all table3)
from pathlib import Path

from snakemake.utils import min_version

min_version("9.21")


include: "workflow/rules/start.smk"


configfile: CONFIG


# Used only with --sdm apptainer: an image with this environment, built from the Dockerfile (docs/tutorials/reproduce.md).
container: "zfnet.sif"


include: "workflow/rules/common.smk"
include: "workflow/rules/resources.smk"
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
        makeable(expand(rules.submission.output.guesses, row=SUBMITTED)),
        makeable([rules.voc_test.output.summary]),
    message:
        "Done: {input[0]}"


localrules:
    all,
    download,
    table,
    figure,
    claims,
    report_page,


check_targets()


onstart:
    print(f"Each job writes its progress to a file in {LOGS}/.", file=sys.stderr)


onsuccess:
    print(f"Results are in {Path(RESULTS).absolute()}; {whats_next()}", file=sys.stderr)


onerror:
    print(
        f"Not everything was made. Finished files are kept: mend what the messages name (logs in {LOGS}/), then run the same"
        " command again; it goes on from there.",
        file=sys.stderr,
    )
