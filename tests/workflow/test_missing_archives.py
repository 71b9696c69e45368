"""A missing archive takes away its own tables, figures and claims, and nothing else."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from zfnet.paper.availability import ARCHIVES_OF, PARTS, Availability, needs
from zfnet.paper.items import claim_inputs, input_paths, items
from zfnet.settings import Archives
from zfnet.synthetic import FILES

ROOT = Path(__file__).parents[2]
ALL = dict.fromkeys((*{key for keys in ARCHIVES_OF.values() for key in keys}, *PARTS), Path("x"))
RUNS = ["zf-s1", "zf-wide", "zf-clean", "zf-unclipped", "krizhevsky-s1"]
TAKEN = {  # archive: items that are not run without it
    "caltech101": {"table4"},
    "caltech256": {"table5", "figure9"},
    "voc2012": {"table6"},
    "parts_images": {"table1", "figure8"},
    "parts_keypoints": {"table1", "figure8"},
    "cifar10": set(),
    "imagenet_test": set(),
    "voc2012_test": set(),
}


def without(*names):
    return Archives(**{key: path for key, path in ALL.items() if key not in names})


def not_run(archives):
    inputs = {name: input_paths(item.inputs, RUNS, ["zf-s1"]) for name, item in items().items()}
    return Availability.of(archives).not_run(inputs, partial=items("tables"))


@pytest.mark.parametrize("name", TAKEN)
def test_an_archive_takes_its_own_items(name):
    found = not_run(without(name))
    assert found.keys() - {"table4"} == TAKEN[name] - {"table4"}
    assert all(name in archives for archives in found.values())


def test_without_a_transfer_set_its_table_keeps_the_row_that_needs_no_net():
    """Table 4 has a net trained on Caltech alone, so it can be made from Caltech alone."""
    available = Availability.of(Archives(caltech101="x"))
    assert available.makeable(["transfer/heads/caltech101.csv", "transfer/scratch/caltech101.csv"]) == [
        "transfer/scratch/caltech101.csv"
    ]


def test_without_imagenet_nothing_that_takes_a_net_is_run():
    for name in ("imagenet_train", "imagenet_val", "imagenet_devkit"):
        assert items().keys() - not_run(without(name)).keys() <= {"table4", "table5", "near_duplicates"}


def test_prepared_sets_need_no_archive():
    assert Availability.of(Archives(), lambda name: name == "voc2012").sets == {"voc2012"}


def test_every_input_is_known():
    paths = [path for item in items().values() for path in input_paths(item.inputs, RUNS, ["zf-s1"])]
    for path in [*paths, *input_paths(claim_inputs(), RUNS, ["zf-s1"])]:
        assert needs(path)
    with pytest.raises(LookupError):
        needs("elsewhere/file")


def plan(folder: Path, names: set[str], *targets: str, **more: object) -> subprocess.CompletedProcess[str]:
    """Plan the preset paper with these archives, which need not exist to be planned with."""
    paths = {name: str(folder / FILES[name]) for name in names}
    (folder / "config.yaml").write_text(yaml.safe_dump({"preset": "paper", "archives": paths, **more}))
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", "1", "-n"]
    return subprocess.run([*command, "--", *targets], capture_output=True, text=True, cwd=folder, env=os.environ)


@pytest.fixture(scope="module")
def archives(tmp_path_factory) -> Path:
    from tests.workflow.test_dry_run import TINY
    from zfnet.synthetic import generate

    folder = tmp_path_factory.mktemp("archives")
    generate(TINY, folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    "missing",
    [{name} for name in FILES] + [set(PARTS), {"caltech101", "caltech256"}, set(FILES), set(FILES) - {"voc2012_test"}],
    ids=lambda names: "+".join(sorted(names)),
)
def test_any_subset_of_the_archives_can_be_planned(archives, missing):
    done = plan(archives, set(FILES) - missing)
    assert done.returncode == 0, done.stdout + done.stderr
    written = json.loads((archives / "results/paper/settings/not-run.json").read_text())
    left_out = {name for name in ("figure8", "table6", "figure9") if f"figures/{name}.png" not in done.stdout
                and f"tables/{name}.csv" not in done.stdout}  # fmt: skip
    assert left_out == written.keys() & {"figure8", "table6", "figure9"}
    for name in missing:
        assert FILES[name] not in done.stdout


def test_an_item_that_cannot_be_made_names_its_archives(archives):
    done = plan(archives, set(FILES) - set(PARTS), "figure8")
    assert done.returncode
    assert "archives: parts_images, parts_keypoints must be set" in done.stdout + done.stderr


@pytest.mark.parametrize("target, meant", [("tabel3", "table3"), ("Figure7", "figure7"), ("tabels", "tables")])
def test_an_unknown_target_is_told_what_it_may_be(archives, target, meant):
    done = plan(archives, set(FILES), target)
    assert done.returncode
    assert f"{target}: there is no such target; did you mean '{meant}'?" in done.stdout + done.stderr


def test_a_broken_configuration_names_its_line(tmp_path):
    plan_of = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", "1", "-n"]
    (tmp_path / "config.yaml").write_text("preset: demo\nnets: {width: 1\ntraining:\n")
    done = subprocess.run(plan_of, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode
    assert "config.yaml, line 3, column 9: not valid YAML" in done.stdout + done.stderr
