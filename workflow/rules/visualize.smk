# What the trained nets see: the numbers and pixels behind Figures 2 and 4-8 and Table 1. Drawing happens in paper.smk.
rule features:
    input:
        settings=stage("visualize-features", visualize="seed top maps filters_maps"),
        weights="<results>/runs/{run}/weights.safetensors",
        data=manifest("imagenet-val"),
    output:
        arrays="<results>/visualize/features-{run}.safetensors",
        table="<results>/visualize/features-{run}.csv",
        origin="<results>/visualize/features-{run}.json",
    log:
        "<logs>/visualize/features-{run}.log",
    threads: settings.jobs.threads
    resources:
        **HEAVY,
    message:
        "Finding and projecting the strongest activations of {wildcards.run}"
    shell:
        "zfnet features --weights {input.weights} --data {input.data} --settings {input.settings}"
        " --threads {threads} --out {output.arrays} > {log} 2>&1"


rule evolution:
    input:
        settings=stage("visualize-evolution", visualize="seed evolution_maps evolution_images"),
        # The snapshots are undeclared outputs of the training; its metrics name them.
        metrics="<results>/runs/zf-s1/metrics.json",
        data=manifest("imagenet-train"),
    output:
        arrays="<results>/visualize/evolution.safetensors",
        table="<results>/visualize/evolution.csv",
        origin="<results>/visualize/evolution.json",
    log:
        "<logs>/visualize/evolution.log",
    threads: settings.jobs.threads
    resources:
        **HEAVY,
    message:
        "Following feature maps through the training"
    shell:
        "zfnet evolution --metrics {input.metrics} --data {input.data} --settings {input.settings}"
        " --threads {threads} --out {output.arrays} > {log} 2>&1"


rule invariance:
    input:
        settings=stage(
            "visualize-invariance",
            visualize="seed invariance_images shift shift_steps scale_steps rotation_step",
        ),
        weights=net("zf-s1"),
        data=manifest("imagenet-val"),
    output:
        table="<results>/visualize/invariance.csv",
        arrays="<results>/visualize/invariance.safetensors",
        origin="<results>/visualize/invariance.json",
    log:
        "<logs>/visualize/invariance.log",
    threads: settings.jobs.threads
    resources:
        **HEAVY,
    message:
        "Moving, scaling and turning pictures"
    shell:
        "zfnet invariance --weights {input.weights} --data {input.data} --settings {input.settings}"
        " --threads {threads} --out {output.table} > {log} 2>&1"


rule occlusion:
    input:
        settings=stage("visualize-occlusion", visualize="seed occluder stride occlusion_images"),
        weights=net("zf-s1"),
        data=manifest("imagenet-val"),
    output:
        arrays="<results>/visualize/occlusion.safetensors",
        description="<results>/visualize/occlusion.json",
    log:
        "<logs>/visualize/occlusion.log",
    threads: settings.jobs.threads
    resources:
        **HEAVY,
    message:
        "Covering pictures with a grey square"
    shell:
        "zfnet occlusion --weights {input.weights} --data {input.data} --settings {input.settings}"
        " --threads {threads} --out {output.arrays} > {log} 2>&1"


rule correspondence:
    input:
        settings=stage("visualize-correspondence", visualize="seed correspondence_images random_masks mask"),
        weights=net("zf-s1"),
        parts=archive("parts_images", "parts_keypoints"),
    output:
        pairs="<results>/visualize/correspondence-pairs.csv",
        arrays="<results>/visualize/correspondence.safetensors",
        origin="<results>/visualize/correspondence.json",
    log:
        "<logs>/visualize/correspondence.log",
    threads: settings.jobs.threads
    resources:
        **HEAVY,
    message:
        "Masking eyes and noses"
    shell:
        "zfnet correspondence --weights {input.weights} --settings {input.settings} --threads {threads}"
        " --out {output.pairs} {input.parts} > {log} 2>&1"


rule filters:
    input:
        settings=stage("visualize-filters", visualize="seed top filters_maps"),
        weights=[net(run) for run in FILTER_RUNS],
        data=manifest("imagenet-val"),
    output:
        table="<results>/visualize/filters.csv",
        origin="<results>/visualize/filters.json",
    log:
        "<logs>/visualize/filters.log",
    threads: settings.jobs.threads
    resources:
        **HEAVY,
    message:
        "Measuring the filters of Figure 6"
    shell:
        "zfnet filters --data {input.data} --settings {input.settings} --threads {threads} --out {output.table}"
        " {input.weights} > {log} 2>&1"
