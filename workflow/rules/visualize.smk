# Visualisations of the trained nets: the numbers and pixels behind Figures 2 and 4-8 and Table 1. paper.smk draws them.
rule features:
    input:
        settings=stage("visualize-features", visualize="seed top_k maps_per_layer filter_maps"),
        weights=rules.train.output.weights,
        data=manifest("imagenet-val"),
    output:
        arrays="<results>/visualize/{run}/features.safetensors",
        table="<results>/visualize/{run}/features.csv",
        origin="<results>/visualize/{run}/features.json",
    log:
        "<logs>/visualize/features-{run}.log",
    threads: threads_of("features")
    resources:
        **request("features"),
    message:
        "Finding and projecting the strongest activations of {wildcards.run}"
    shell:
        "zfnet top-patches --weights {input.weights:q} --data {input.data:q} --settings {input.settings:q}"
        " --threads {threads} --out {output.arrays:q} > {log} 2>&1"


rule controls:
    input:
        settings=stage("visualize-controls", visualize="seed top_k control_maps"),
        weights=rules.train.output.weights,
        spec=rules.train.input.spec,
        data=manifest("imagenet-val"),
        features=rules.features.output.table,
    output:
        arrays="<results>/visualize/{run}/controls.safetensors",
        origin="<results>/visualize/{run}/controls.json",
    log:
        "<logs>/visualize/controls-{run}.log",
    threads: threads_of("controls")
    resources:
        **request("controls"),
    message:
        "Projecting through the untrained net of {wildcards.run}"
    shell:
        "zfnet controls --weights {input.weights:q} --spec {input.spec:q} --data {input.data:q}"
        " --features {input.features:q} --settings {input.settings:q} --threads {threads}"
        " --out {output.arrays:q} > {log} 2>&1"


rule evolution:
    input:
        settings=stage("visualize-evolution", visualize="seed evolution_maps evolution_images"),
        # The metrics name the snapshots, which are undeclared outputs of the training.
        metrics=rules.train.output.metrics,
        data=manifest("imagenet-train"),
    output:
        arrays="<results>/visualize/{run}/evolution.safetensors",
        table="<results>/visualize/{run}/evolution.csv",
        origin="<results>/visualize/{run}/evolution.json",
    log:
        "<logs>/visualize/evolution-{run}.log",
    threads: threads_of("evolution")
    resources:
        **request("evolution"),
    message:
        "Following feature maps through the training of {wildcards.run}"
    shell:
        "zfnet evolution --metrics {input.metrics:q} --data {input.data:q} --settings {input.settings:q}"
        " --threads {threads} --out {output.arrays:q} > {log} 2>&1"


rule invariance:
    input:
        settings=stage(
            "visualize-invariance",
            visualize="seed invariance_images max_shift shift_steps scale_steps rotation_step",
        ),
        weights=rules.train.output.weights,
        data=manifest("imagenet-val"),
    output:
        table="<results>/visualize/{run}/invariance.csv",
        arrays="<results>/visualize/{run}/invariance.safetensors",
        origin="<results>/visualize/{run}/invariance.json",
    log:
        "<logs>/visualize/invariance-{run}.log",
    threads: threads_of("invariance")
    resources:
        **request("invariance"),
    message:
        "Translating, scaling and rotating images for {wildcards.run}"
    shell:
        "zfnet invariance --weights {input.weights:q} --data {input.data:q} --settings {input.settings:q}"
        " --threads {threads} --out {output.table:q} > {log} 2>&1"


rule occlusion:
    input:
        settings=stage(
            "visualize-occlusion",
            visualize="seed occluder_size occluder_stride occlusion_images occlusion_measured_images"
            " occlusion_measured_stride",
        ),
        weights=rules.train.output.weights,
        data=manifest("imagenet-val"),
    output:
        arrays="<results>/visualize/{run}/occlusion.safetensors",
        table="<results>/visualize/{run}/occlusion.csv",
        description="<results>/visualize/{run}/occlusion.json",
    log:
        "<logs>/visualize/occlusion-{run}.log",
    threads: threads_of("occlusion")
    resources:
        **request("occlusion"),
    message:
        "Covering images with a grey square for {wildcards.run}"
    shell:
        "zfnet occlusion --weights {input.weights:q} --data {input.data:q} --settings {input.settings:q}"
        " --threads {threads} --out {output.arrays:q} > {log} 2>&1"


rule correspondence:
    input:
        settings=stage("visualize-correspondence", visualize="seed correspondence_images random_masks mask_size"),
        weights=rules.train.output.weights,
        parts=archive("parts_images", "parts_keypoints"),
    output:
        pairs="<results>/visualize/{run}/correspondence-pairs.csv",
        arrays="<results>/visualize/{run}/correspondence.safetensors",
        origin="<results>/visualize/{run}/correspondence.json",
    log:
        "<logs>/visualize/correspondence-{run}.log",
    threads: threads_of("correspondence")
    resources:
        **request("correspondence"),
    message:
        "Masking eyes and noses for {wildcards.run}"
    shell:
        "zfnet correspondence --weights {input.weights:q} --settings {input.settings:q} --threads {threads}"
        " --out {output.pairs:q} {input.parts:q} > {log} 2>&1"


rule filters:
    input:
        settings=stage("visualize-filters", visualize="seed top_k filter_maps"),
        weights=[net(run) for run in FILTER_RUNS],
        data=manifest("imagenet-val"),
    output:
        table="<results>/visualize/filters.csv",
        origin="<results>/visualize/filters.json",
    log:
        "<logs>/visualize/filters.log",
    threads: threads_of("filters")
    resources:
        **request("filters"),
    message:
        "Measuring the filters of Figure 6"
    shell:
        "zfnet filters --data {input.data:q} --settings {input.settings:q} --threads {threads} --out {output.table:q}"
        " {input.weights:q} > {log} 2>&1"


rule compare_methods:
    input:
        settings=stage("visualize-methods", visualize="seed maximize_steps"),
        weights=rules.train.output.weights,
        data=manifest("imagenet-val"),
        features=rules.features.output.table,
    output:
        arrays="<results>/visualize/{run}/methods.safetensors",
        table="<results>/visualize/{run}/methods.csv",
        origin="<results>/visualize/{run}/methods.json",
    log:
        "<logs>/visualize/methods-{run}.log",
    threads: threads_of("compare_methods")
    resources:
        **request("compare_methods"),
    message:
        "Visualising the same units of {wildcards.run} by every method"
    shell:
        "zfnet compare-methods --weights {input.weights:q} --data {input.data:q} --features {input.features:q}"
        " --settings {input.settings:q} --threads {threads} --out {output.arrays:q} > {log} 2>&1"
