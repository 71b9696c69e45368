# Archives -> shards. Everything downstream depends on the small manifests, never on the shards.
import shlex


rule world:
    input:
        settings=stage("world", "synthetic"),
    output:
        files=expand("<results>/world/{file}", file=zfconfig.WORLD_FILES.values()),
        description="<results>/world/world.json",
    log:
        "<logs>/world.log",
    threads: 4
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        folder=subpath(output.description, parent=True),
    message:
        "Drawing a miniature of all data sets in the official archive formats"
    shell:
        "zfnet world --settings {input.settings:q} --threads {threads} --out {params.folder:q} > {log} 2>&1"


rule download:
    output:
        "downloads/{file}",
    log:
        "<logs>/download-{file}.log",
    resources:
        runtime=120,
    params:
        folder=subpath(output[0], parent=True),
    message:
        "Downloading {wildcards.file} from its official source"
    shell:
        "zfnet fetch {wildcards.file} --out {params.folder:q} > {log} 2>&1"


rule shards:
    input:
        settings="<results>/settings/data-{set}.json",
        archives=archives_of_set,
    output:
        manifest="<results>/data/{set}/manifest.json",
    log:
        "<logs>/data/{set}.log",
    threads: threads_of("shards")
    resources:
        **request("shards", gpus=0),
    message:
        "Preparing {wildcards.set}: archive to shards; progress in {log}"
    shell:
        "zfnet shards {wildcards.set} --settings {input.settings:q} --threads {threads} --out {output.manifest:q}"
        f" --archives {shlex.quote(ARCHIVES_FILE)} > {{log}} 2>&1"
