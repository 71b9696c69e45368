# Ten-crop errors of every net, and the predictions that ensembles are made of (Tables 2 and 3); predictions of the test
# set for its server, if its images are available.
# Rows of Table 2 whose test errors only the challenge's server can tell: the nets of each.
SUBMITTED = {
    "krizhevsky": runs_of("krizhevsky")[:1],
    "zf": runs_of("zf")[:1],
    "zf-wide": runs_of("zf-wide")[:1],
}
if len(runs_of("zf")) > 1:
    SUBMITTED |= {"zf-all": runs_of("zf"), "zf-all-wide": runs_of("zf") + runs_of("zf-wide")[:1]}


rule evaluate:
    input:
        settings=stage("evaluation", "evaluation"),
        weights=rules.train.output.weights,
        val=manifest("imagenet-val"),
        train=manifest("imagenet-train"),
    output:
        errors="<results>/runs/{run}/evaluation.json",
        predictions="<results>/runs/{run}/predictions.safetensors",
    log:
        "<logs>/evaluate/{run}.log",
    threads: threads_of("evaluate")
    resources:
        **request("evaluate"),
    message:
        "Evaluating {wildcards.run}: ten crops of every validation image"
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
    threads: threads_of("submission")
    resources:
        **request("submission"),
    message:
        "Predicting ImageNet's test set for its server: {wildcards.row}"
    shell:
        "zfnet submission {input.weights:q} --data {input.data:q} --devkit {input.devkit:q}"
        " --settings {input.settings:q} --threads {threads} --out {output.guesses:q} > {log} 2>&1"
