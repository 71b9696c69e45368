# Ten-crop errors of every net, and the predictions that ensembles are made of (Tables 2 and 3).
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
        "zfnet evaluate --weights {input.weights} --val {input.val} --train {input.train} --settings {input.settings}"
        " --threads {threads} --out {output.errors} --predictions {output.predictions} > {log} 2>&1"
