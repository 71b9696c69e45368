# All trainings. An unchanged spec never trains again. A killed run resumes from its own checkpoint, which is outside the
# declared outputs because Snakemake deletes those when a job fails.
rule train:
    input:
        spec="<results>/runs/{run}/spec.json",
        train=manifest("imagenet-train"),
        val=manifest("imagenet-val"),
        exclude=duplicates_of,
    output:
        weights="<results>/runs/{run}/weights.safetensors",
        metrics="<results>/runs/{run}/metrics.json",
    log:
        "<logs>/train/{run}.log",
    threads: threads_of("train")
    resources:
        **TRAINING,
    params:
        exclude=lambda wildcards, input: "--exclude" if input.exclude else "",
        checkpoints=f"checkpoints/{settings.preset}",
    message:
        "Training {wildcards.run} (resumes from its own checkpoint); epochs appear in {log}"
    shell:
        "zfnet train --spec {input.spec:q} --train {input.train:q} --val {input.val:q}"
        " {params.exclude} {input.exclude:q} --checkpoints {params.checkpoints}/{wildcards.run} --threads {threads}"
        " --compile {resources.compile} --share {resources.share} --world-size {resources.world_size} {resources.events}"
        " --time-limit {resources.runtime}"
        " --weights {output.weights:q} --metrics {output.metrics:q} > {log} 2>&1"
