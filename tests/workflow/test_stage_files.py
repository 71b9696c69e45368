"""Settings files of the stages: each holds what its stage uses, so that no other setting can make it again."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from zfnet.transfer.extract_features import LAYERS

ROOT = Path(__file__).parents[2]
OTHER = {"caltech101": "caltech256", "caltech256": "caltech101"}
USED_BY = {  # stage: sub-tree, modules that are handed it
    **{
        f"visualize-{name}": ("visualize", [f"visualize/{name.replace('features', 'top_patches')}.py"])
        for name in ("features", "controls", "evolution", "invariance", "occlusion", "correspondence", "filters")
    },
    "evaluation": ("evaluation", ["evaluation/evaluate_run.py"]),
    "submission": ("evaluation", ["evaluation/predict_test_set.py"]),
    "transfer-duplicates": ("transfer", ["transfer/duplicates/search_stage.py"]),
    **{f"transfer-features-{name}": ("transfer", ["transfer/extract_features.py"]) for name in (*OTHER, *LAYERS)},
    **{f"transfer-heads-{name}": ("transfer", ["transfer/caltech_heads.py"]) for name in OTHER},
    "transfer-voc": ("transfer", ["transfer/voc_heads.py", "transfer/voc_submission.py"]),
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


def for_another_set(name: str, field: str) -> bool:
    """Whether the modules read this setting for other sets than the stage's: their layers, or their sizes."""
    own = name.split("-", 2)[-1]
    return (field == "layers" and own in LAYERS) or (own in OTHER and field.startswith(OTHER[own]))


@pytest.mark.parametrize("name", USED_BY)
def test_a_stage_is_told_exactly_what_it_uses(planned, name):
    tree, modules = USED_BY[name]
    source = "".join((ROOT / "src/zfnet" / module).read_text() for module in modules)
    used = {field for field in re.findall(r"\bsettings\.([a-z]\w+)", source) if not for_another_set(name, field)}
    assert set(json.loads(text_of(planned[0])[name])[tree]) == used


@pytest.mark.parametrize(
    "change, again",
    [
        (
            {
                "data": {"background_class": False},
                "transfer": {"duplicates_threshold": 0.9},
                "jobs": {"memory_mb": 2000},
            },
            {"data-caltech101", "data-caltech256", "transfer-duplicates"},
        ),
        (
            {"data": {"imagenet": {"classes": 5}}, "visualize": {"occluder_size": 40}},
            {"data-imagenet-train", "data-imagenet-val", "data-imagenet-test", "visualize-occlusion"},
        ),
        (
            {"transfer": {"layers": ["conv1", "fc7"]}},
            {f"transfer-{stage}-{name}" for stage in ("features", "heads") for name in OTHER},
        ),
        ({"evaluation": {"train_images": 100}}, {"evaluation"}),
        (
            {"transfer": {"caltech101_train_sizes": [15], "caltech101_max_test": 20}},
            {"transfer-heads-caltech101", "transfer-scratch-caltech101"},
        ),
        (
            {"transfer": {"caltech256_curve_sizes": [1, 60]}},
            {"transfer-heads-caltech256", "transfer-scratch-caltech256"},
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
