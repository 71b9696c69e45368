# Ten-crop errors of every net, and the predictions that ensembles are made of (Tables 2 and 3); the test set's for its
# server, where its pictures are at hand.
rule evaluate:
    input:
        settings=stage("evaluation", "evaluation"),
        weights="<results>/runs/{run}/weights.safetensors",
        val=manifest("imagenet-val"),
        train=manifest("imagenet-train"),
    output:
        errors="<results>/runs/{run}/evaluation.json",
        predictions="<results>/runs/{run}/predictions.safetensors",
    log:
        "<logs>/evaluate/{run}.log",
    threads: settings.jobs.threads
    resources:
        **HEAVY,
    message:
        "Evaluating {wildcards.run}: ten crops of every validation picture"
    shell:
        "zfnet evaluate --weights {input.weights:q} --val {input.val:q} --train {input.train:q}"
        " --settings {input.settings:q} --threads {threads}"
        " --out {output.errors:q} --predictions {output.predictions:q} > {log} 2>&1"


rule submission:
    input:
        settings=stage("submission", evaluation="batch_size"),
        weights=lambda wildcards: [net(run) for run in SUBMITTED[wildcards.row]],
        data=manifest("imagenet-test"),
        devkit=archive("imagenet_devkit"),
    output:
        guesses="<results>/submission/{row}.txt",
        nets="<results>/submission/{row}.json",
    log:
        "<logs>/submission/{row}.log",
    threads: settings.jobs.threads
    resources:
        **HEAVY,
    message:
        "Predicting ImageNet's test set for its server: {wildcards.row}"
    shell:
        "zfnet submission {input.weights:q} --data {input.data:q} --devkit {input.devkit:q}"
        " --settings {input.settings:q} --threads {threads} --out {output.guesses:q} > {log} 2>&1"
