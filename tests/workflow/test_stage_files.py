"""Settings files of the stages: each holds what its stage uses, so that no other setting can make it again."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
USED_BY = {  # stage: sub-tree, modules that are handed it
    **{
        f"visualize-{name}": ("visualize", [f"visualize/{name}.py"])
        for name in ("features", "controls", "evolution", "invariance", "occlusion", "correspondence", "filters")
    },
    "transfer-duplicates": ("transfer", ["transfer/duplicates.py"]),
    "transfer-features": ("transfer", ["transfer/features.py"]),
    "transfer-heads": ("transfer", ["transfer/stage.py"]),
    "transfer-voc": ("transfer", ["transfer/voc.py", "transfer/voc_server.py"]),
}


def snakemake(folder: Path, config: dict, *arguments: str, cores: bool = True) -> subprocess.CompletedProcess[str]:
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)]
    given = ["--configfile", str(folder / "config.yaml"), *(["--cores", "2"] if cores else [])]
    return subprocess.run(
        [*command, *given, *arguments], capture_output=True, text=True, timeout=300, cwd=folder, env=os.environ
    )


@pytest.fixture(scope="module")
def planned(tmp_path_factory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    folder = tmp_path_factory.mktemp("planned")
    return folder, snakemake(folder, {"preset": "demo"}, "-n")


def text_of(folder: Path) -> dict[str, str]:
    return {path.stem: path.read_text() for path in (folder / "results/demo/settings").glob("*.json")}


@pytest.mark.parametrize("name", USED_BY)
def test_a_stage_is_told_exactly_what_it_uses(planned, name):
    tree, modules = USED_BY[name]
    source = "".join((ROOT / "src/zfnet" / module).read_text() for module in modules)
    assert set(json.loads(text_of(planned[0])[name])[tree]) == set(re.findall(r"\bsettings\.([a-z]\w+)", source))


@pytest.mark.parametrize(
    "change, again",
    [
        (
            {"data": {"background": False}, "transfer": {"duplicates_threshold": 0.9}, "jobs": {"memory": 2000}},
            {"data-caltech101", "data-caltech256", "transfer-duplicates"},
        ),
        (
            {"data": {"imagenet": {"classes": 5}}, "visualize": {"occluder": 40}},
            {"data-imagenet-train", "data-imagenet-val", "data-imagenet-test", "visualize-occlusion"},
        ),
    ],
)
def test_a_setting_reaches_the_stages_that_use_it_alone(planned, tmp_path, change, again):
    before = text_of(planned[0])
    snakemake(tmp_path, {"preset": "demo", **change}, "-n", "--quiet")
    after = text_of(tmp_path)
    assert {name for name in before if after[name] != before[name]} - {"all"} == again


def test_a_cluster_need_not_be_told_a_number_of_cores(tmp_path):
    """A cluster profile has jobs and no cores, so no rule may ask for the number of cores."""
    profile = str(ROOT / "profiles" / "slurm")
    done = snakemake(tmp_path, {"preset": "demo"}, "--workflow-profile", profile, "--unlock", cores=False)
    assert "number of cores" not in done.stdout + done.stderr
    for path in (ROOT / "workflow" / "rules").glob("*.smk"):
        assert "workflow.cores" not in path.read_text()
