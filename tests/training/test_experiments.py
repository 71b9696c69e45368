"""The run table: every training of the papers, and what its spec says."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zfnet.nets.architecture import describe
from zfnet.settings import Settings
from zfnet.training.experiments import RunSpec, scratch_spec, snapshot_epochs, specs, variant_of


@pytest.fixture(scope="module")
def table():
    return specs(Settings())


def test_all_trainings_of_tables_2_and_3_are_there(table):
    assert list(table) == [
        *("zf-s1", "zf-s2", "zf-s3", "zf-s4", "zf-s5", "zf-wide", "zf-fc2048", "zf-fc8192", "zf-wide-fc8192"),
        *("zf-unclipped", "zf-clean", "krizhevsky-s1", "krizhevsky-no34", "krizhevsky-no7", "krizhevsky-no67"),
        *("krizhevsky-no3467", "krizhevsky-fc2048", "krizhevsky-fc8192"),
    ]


def test_each_variant_differs_from_its_base_in_what_its_name_says(table):
    assert table["zf-s3"].seed == 3
    assert table["zf-wide-fc8192"].net.changes.arguments == {"maps": {3: 512, 4: 1024, 5: 512}, "units": 8192}
    assert table["krizhevsky-no3467"].net.changes.arguments == {"remove": (3, 4, 6, 7)}
    assert table["zf-s1"].net.changes.arguments == {}
    assert table["zf-unclipped"].recipe.max_filter_rms is None
    assert table["zf-unclipped"].recipe.model_copy(update={"max_filter_rms": 0.1}) == table["zf-s1"].recipe
    assert [run for run, spec in table.items() if spec.exclude_duplicates] == ["zf-clean"]
    assert [run for run, spec in table.items() if spec.snapshots] == ["zf-s1"]
    assert {spec.seed for run, spec in table.items() if run not in ("zf-s2", "zf-s3", "zf-s4", "zf-s5")} == {1}


def test_the_variants_of_krizhevskys_paper_differ_from_the_replica_in_one_thing(table):
    runs = specs(Settings(paper={"krizhevsky": True}))
    assert {run: runs[run] for run in table} == table
    added = {run: spec for run, spec in runs.items() if run not in table}
    changed = {run: spec.net.changes.arguments for run, spec in added.items() if spec.net.changes.arguments}
    assert changed == {
        "krizhevsky-nolrn": {"contrast_norm": False},
        "krizhevsky-nooverlap": {"pool_kernel": 2, "paddings": {2: 1, 4: 0}},
        "krizhevsky-half": {"maps": {1: 48, 2: 128, 3: 192, 4: 192}, "one_column": True},
        "krizhevsky-no3": {"remove": (3,)},
        "krizhevsky-no4": {"remove": (4,)},
        "krizhevsky-no5": {"remove": (5,)},
    }
    base = table["krizhevsky-s1"].recipe.model_dump()
    recipes = {run: spec.recipe.model_dump() for run, spec in added.items() if run not in changed}
    recipes = {run: {key: value for key, value in own.items() if value != base[key]} for run, own in recipes.items()}
    assert recipes == {
        "krizhevsky-nocrops": {"crops": "centre"},
        "krizhevsky-nocolour": {"pca_noise": 0.0},
        "krizhevsky-nodropout": {"dropout": 0.0},
        "krizhevsky-nodecay": {"weight_decay": 0.0},
        "krizhevsky-nobias": {"init_bias": 0.0},
    }


@pytest.mark.parametrize("crop", [64, 96, 112, 128, 224])
def test_pools_that_do_not_overlap_leave_fc6_its_inputs(crop):
    net = specs(Settings(paper={"krizhevsky": True}, nets={"crop": crop}))["krizhevsky-nooverlap"].net
    changed, base = (describe("krizhevsky", crop=crop, **changes) for changes in (net.changes.arguments, {}))
    assert changed.fan_ins()["fc6"] == base.fan_ins()["fc6"]


def test_more_seeds_repeat_every_net_and_rename_none(table):
    three = specs(Settings(training={"seeds": 5, "variant_seeds": 3}))
    assert {run: three[run] for run in table} == table
    added = [run for run in three if run not in table]
    assert len(added) == 2 * (len(table) - 5)
    for run in added:
        base, seed = variant_of(run), int(run[-1])
        first = table.get(base) or table[f"{base}-s1"]
        assert three[run] == first.model_copy(update={"run": run, "seed": seed})


def test_a_variant_without_its_base_is_refused():
    with pytest.raises(ValueError, match="raise seeds or lower variant_seeds"):
        Settings(training={"seeds": 2, "variant_seeds": 3})


def test_every_visualized_net_has_snapshots():
    runs = specs(Settings(visualize={"nets": 3}))
    assert [run for run, spec in runs.items() if spec.snapshots] == ["zf-s1", "zf-s2", "zf-s3"]


def test_krizhevsky_has_its_own_recipe(table):
    recipe = table["krizhevsky-s1"].recipe
    assert (recipe.init_bias, recipe.max_filter_rms, recipe.pca_noise) == (1.0, None, 0.1)


def test_a_spec_survives_its_text_and_every_run_has_its_own_hash(table):
    for spec in table.values():
        assert RunSpec.model_validate_json(spec.text).text == spec.text
    assert len({spec.hash for spec in table.values()}) == len(table)


def test_scratch_runs_take_the_transfer_recipe_and_one_seed_per_fold():
    settings = Settings()
    spec = scratch_spec(settings, "caltech101", 15, 2)
    assert (spec.run, spec.seed, spec.recipe) == ("scratch-caltech101-15-2", 2, settings.transfer.scratch)


def test_snapshots_at_full_length_are_those_of_figure_4():
    assert snapshot_epochs(70, (1, 2, 5, 10, 20, 30, 40, 64)) == (1, 2, 5, 10, 20, 30, 40, 64)
    assert snapshot_epochs(7, (1, 2, 5, 10, 20, 30, 40, 64)) == (1, 2, 3, 4, 6)


@given(st.integers(1, 200), st.lists(st.integers(1, 70), min_size=1))
def test_snapshots_are_epochs_of_the_training(epochs, published):
    moved = snapshot_epochs(epochs, tuple(published))
    assert list(moved) == sorted(set(moved))
    assert 1 <= moved[0] <= moved[-1] <= epochs


def test_the_decoder_is_part_of_every_spec():
    assert {spec.decode for spec in specs(Settings()).values()} == {"cpu"}
    assert scratch_spec(Settings(), "caltech101", 15, 0).decode == "cpu"


def test_accepted_code_replaces_the_fingerprint():
    settings = Settings(training={"accept_code": "0123"})
    assert {spec.code for spec in specs(settings).values()} == {"0123"}


def test_the_table_does_not_import_torch():
    code = "import sys, zfnet.training.experiments; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
