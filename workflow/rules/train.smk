# All trainings. A spec that did not change never trains again; a killed run goes on from its own checkpoint, which lies
# outside the declared outputs because those are deleted when a job fails.
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
    retries: 3  # a training that used up its time saves, and goes on in the next slice
    threads: settings.jobs.threads
    resources:
        **TRAINING,
    params:
        exclude=lambda wildcards, input: "--exclude" if input.exclude else "",
        checkpoints=f"checkpoints/{settings.preset}",
    message:
        "Training {wildcards.run} (goes on from its own checkpoint)"
    shell:
        "zfnet train --spec {input.spec:q} --train {input.train:q} --val {input.val:q}"
        " {params.exclude} {input.exclude:q} --checkpoints {params.checkpoints}/{wildcards.run} --threads {threads}"
        " --compile {resources.compile} --share {resources.share} --ranks {resources.ranks} {resources.events}"
        " --budget $(( {resources.runtime} - 3 ))"
        " --weights {output.weights:q} --metrics {output.metrics:q} > {log} 2>&1"
