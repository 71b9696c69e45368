# The frozen net on other data sets: Tables 4-7 and Figure 9.
rule duplicates:
    input:
        settings=stage("transfer-duplicates", transfer="duplicates_thumbnail_size duplicates_threshold"),
        train=manifest("imagenet-train"),
        others=[manifest(name) for name in CALTECH] or archive(*availability.CALTECH),
    output:
        table="<results>/transfer/duplicates.csv",
        summary="<results>/transfer/duplicates.json",
        curve="<results>/transfer/duplicates-curve.csv",
        sheet="<results>/transfer/duplicates.png",
    log:
        "<logs>/transfer/duplicates.log",
    threads: threads_of("duplicates")
    resources:
        **request("duplicates"),
    message:
        "Searching ImageNet's training images for near-duplicates of Caltech's"
    shell:
        "zfnet duplicates --train {input.train:q} --settings {input.settings:q} --threads {threads}"
        " --out {output.table:q} {input.others:q} > {log} 2>&1"


rule transfer_features:
    input:
        settings="<results>/settings/transfer-features-{set}.json",
        weights=net(settings.transfer.pretrained_run),
        data=rules.shards.output.manifest,
    output:
        index="<results>/transfer/features/{set}/index.json",
    log:
        "<logs>/transfer/features-{set}.log",
    threads: threads_of("transfer_features")
    resources:
        **request("transfer_features"),
    message:
        "Extracting the features of {wildcards.set} from every layer"
    shell:
        "zfnet extract-features --weights {input.weights:q} --data {input.data:q} --settings {input.settings:q}"
        " --threads {threads} --out {output.index:q} > {log} 2>&1"


rule heads:
    input:
        settings="<results>/settings/transfer-heads-{set}.json",
        features=rules.transfer_features.output.index,
    output:
        table="<results>/transfer/heads/{set}.csv",
        folds="<results>/transfer/heads/{set}.json",
    log:
        "<logs>/transfer/heads-{set}.log",
    threads: threads_of("heads")
    resources:
        **request("heads"),
    params:
        weights=net(settings.transfer.pretrained_run),
        data=lambda wildcards: manifest(wildcards.set),
    message:
        "Training softmax and SVM heads on {wildcards.set}"
    shell:
        "zfnet heads --features {input.features:q} --weights {params.weights:q} --data {params.data:q}"
        " --settings {input.settings:q} --threads {threads} --out {output.table:q} > {log} 2>&1"


rule scratch:
    input:
        settings="<results>/settings/transfer-scratch-{set}.json",
        data=rules.shards.output.manifest,
    output:
        table="<results>/transfer/scratch/{set}.csv",
        folds="<results>/transfer/scratch/{set}.json",
    log:
        "<logs>/transfer/scratch-{set}.log",
    threads: threads_of("scratch")
    resources:
        **request("scratch"),
    params:
        checkpoints=f"checkpoints/{settings.preset}/scratch",
        code=next(iter(RUNS.values())).code,  # other code trains again
    message:
        "Training nets from scratch on {wildcards.set} (resumes from its own checkpoints); progress in {log}"
    shell:
        "zfnet scratch --data {input.data:q} --settings {input.settings:q}"
        " --checkpoints {params.checkpoints}-{wildcards.set} --threads {threads}"
        " --time-limit {resources.runtime} --out {output.table:q} > {log} 2>&1"


rule voc:
    input:
        settings=stage("transfer-voc", transfer="seed voc_target heads"),
        features=expand(rules.transfer_features.output.index, set="voc2012"),
    output:
        table="<results>/transfer/voc/ap.csv",
        summary="<results>/transfer/voc/ap.json",
        scores="<results>/transfer/voc/scores.safetensors",
        predictions=directory("<results>/transfer/voc/val"),
    log:
        "<logs>/transfer/voc.log",
    threads: threads_of("voc")
    resources:
        **request("voc"),
    params:
        weights=net(settings.transfer.pretrained_run),
        data=manifest("voc2012"),
    message:
        "Classifying PASCAL VOC 2012"
    shell:
        "zfnet voc --features {input.features:q} --weights {params.weights:q} --data {params.data:q}"
        " --settings {input.settings:q} --threads {threads} --out {output.table:q} > {log} 2>&1"


rule voc_test:
    input:
        settings=rules.voc.input.settings,
        features=rules.voc.input.features,
        test=expand(rules.transfer_features.output.index, set="voc2012-test"),
    output:
        summary="<results>/transfer/voc/test/summary.json",
        predictions=directory("<results>/transfer/voc/test/results"),
    log:
        "<logs>/transfer/voc-test.log",
    threads: threads_of("voc_test")
    resources:
        **request("voc_test"),
    params:
        weights=net(settings.transfer.pretrained_run),
        data=manifest("voc2012"),
        test_data=manifest("voc2012-test"),
    message:
        "Predicting the test set of PASCAL VOC 2012, for its server"
    shell:
        "zfnet voc-test --features {input.features:q} --test {input.test:q} --weights {params.weights:q}"
        " --data {params.data:q} --test-data {params.test_data:q}"
        " --settings {input.settings:q} --threads {threads} --out {output.summary:q} > {log} 2>&1"
