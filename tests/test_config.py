"""Settings: presets, overrides, and all mistakes at once."""

import json
from pathlib import Path

import pytest

from zfnet import config
from zfnet import settings as settings_module
from zfnet.config import PRESETS
from zfnet.core.errors import ZfnetError
from zfnet.renamed_settings import RENAMED
from zfnet.settings import Recipe, Settings
from zfnet.training.lr_schedule import Schedule, advance


@pytest.mark.parametrize("preset", ["demo", "mini", "paper"])
def test_every_preset_is_valid(preset):
    assert config.load({"preset": preset}, PRESETS).preset == preset


def test_the_paper_preset_is_the_published_setting():
    settings = config.load({"preset": "paper"}, PRESETS)
    assert (settings.nets.width, settings.nets.crop, settings.data.image_size) == (1.0, 224, 256)
    assert (settings.training.zf.batch_size, settings.training.zf.epochs, settings.training.zf.learning_rate) == (
        128,
        70,
        0.01,
    )
    assert settings.training.krizhevsky.init_bias == 1.0
    assert settings.training.krizhevsky.max_filter_rms is None
    assert settings.synthetic is None


@pytest.mark.parametrize(("net", "epochs"), [("zf", [25, 50, 65]), ("krizhevsky", [25, 51, 79])])
def test_the_paper_preset_anneals_three_times(net, epochs):
    recipe = getattr(config.load({"preset": "paper"}, PRESETS).training, net)
    schedule, falls = Schedule(), []
    for epoch in range(1, recipe.epochs + 1):
        before, schedule = schedule, advance(schedule, recipe.lr_schedule, recipe.epochs, epoch, 0.0)
        falls += [epoch] * (schedule.drops - before.drops)
    assert falls == epochs


def test_an_override_changes_its_value_and_no_other():
    plain = config.load({"preset": "demo"}, PRESETS)
    changed = config.load({"preset": "demo", "training": {"zf": {"epochs": 3}}}, PRESETS)
    assert changed.training.zf == plain.training.zf.model_copy(update={"epochs": 3})
    assert changed.training.krizhevsky == plain.training.krizhevsky


def test_all_mistakes_are_reported_at_once_with_path_and_nearest_key():
    with pytest.raises(ZfnetError) as caught:
        config.load({"nets": {"widht": 2, "crop": -3}, "training": {"zf": {"crops": "eleven"}}}, PRESETS)
    text = str(caught.value)
    assert "nets.widht: no such setting" in text
    assert "did you mean 'width'?" in text
    assert "nets.crop" in text
    assert "training.zf.crops" in text
    assert "'random', 'ten' or 'centre'" in text


def sentences(**given) -> list[str]:
    """What is wrong with the demo when these settings are given: the lines after the title."""
    with pytest.raises(ZfnetError) as caught:
        config.load({"preset": "demo", **given}, PRESETS)
    title, *lines = str(caught.value).splitlines()
    assert title.startswith(f"config: {len(lines)} mistake")
    return lines


def test_what_does_not_fit_together_is_reported_at_once():
    found = sentences(
        nets={"crop": 20},
        data={"image_size": 16},
        visualize={"nets": 3},
        jobs={"gpus_per_training": 3},
        transfer={"pretrained_run": "zf-cleen"},
    )
    assert [line.split()[0] for line in found] == [
        "visualize.nets", "nets.crop", "nets:", "nets:", *["jobs.gpus_per_training"] * 2, "transfer.pretrained_run:",
    ]  # fmt: skip
    assert "too small for zf" in found[2] and "too small for krizhevsky" in found[3]
    assert found[-1].endswith("did you mean 'zf-clean'?")


@pytest.mark.parametrize(
    "given",
    [
        {"nets": {"crop": 128}},
        {"nets": {"crop": 44}},
        {"visualize": {"nets": 2}},
        {"jobs": {"gpus_per_training": 4}},
        {"transfer": {"pretrained_run": "zf-s2"}},
        {"transfer": {"pretrained_run": "krizhevsky-no34", "layers": ["conv5", "fc6", "fc7"]}},
    ],
)
def test_what_just_fits_is_accepted(given):
    assert config.load({"preset": "demo", **given}, PRESETS)


def test_the_smallest_crop_is_that_of_the_layers():
    (sentence,) = sentences(nets={"crop": 43})
    assert "the input of pool5 is 1 px wide" in sentence


@pytest.mark.parametrize(
    "run, layers, lacking",
    [
        ("krizhevsky-no34", ["conv2", "conv3"], "conv3"),
        ("krizhevsky-no34", ["conv3", "conv4"], "conv3 and conv4"),
        ("krizhevsky-no7", ["conv1"], "fc7"),
    ],
)
def test_the_transfer_net_has_the_layers_that_are_read(run, layers, lacking):
    (sentence,) = sentences(transfer={"pretrained_run": run, "layers": layers})
    assert f"transfer.pretrained_run: {run} has no {lacking}, " in sentence


@pytest.mark.parametrize("tree", ["synthetic", "evaluation", "visualize", "transfer"])
def test_no_seed_is_negative(tree):
    assert sentences(**{tree: {"seed": -1}}) == [
        f"  {tree}.seed: input should be greater than or equal to 0, found -1."
    ]


def test_some_layer_is_read():
    (sentence,) = sentences(transfer={"layers": []})
    assert sentence.startswith("  transfer.layers: ")


def test_a_mistake_of_a_whole_tree_does_not_print_the_tree():
    (sentence,) = sentences(training={"seeds": 1, "variant_seeds": 4})
    assert sentence.startswith("  training: variant_seeds (4) is more than seeds (1), ")
    assert "found" not in sentence


def test_an_unknown_preset_names_the_known_ones():
    with pytest.raises(ZfnetError, match=r"choose one of demo, mini, paper; did you mean 'mini'\?"):
        config.load({"preset": "miny"}, PRESETS)


def test_broken_yaml_is_a_sentence(tmp_path):
    (tmp_path / "config.yaml").write_text("preset: [demo")
    with pytest.raises(ZfnetError, match="not valid YAML"):
        config.overlay(tmp_path / "config.yaml")


def test_a_file_that_is_not_utf8_is_a_sentence(tmp_path):
    (tmp_path / "config.yaml").write_bytes("preset: démo".encode("latin-1"))
    with pytest.raises(ZfnetError, match=r"config\.yaml: not UTF-8 \(byte 9\)"):
        config.overlay(tmp_path / "config.yaml")


def test_without_any_preset_it_says_where_they_were_looked_for(tmp_path):
    with pytest.raises(ZfnetError, match="holds no presets"):
        config.load({"preset": "demo"}, tmp_path)


def test_the_shipped_config_is_the_demo(root):
    assert config.overlay(root / "config.yaml") == config.load({"preset": "demo"}, PRESETS)


def test_a_stage_sees_only_its_own_part():
    settings = config.load({"preset": "demo"}, PRESETS)
    other = settings.model_copy(update={"transfer": settings.transfer.model_copy(update={"folds": 4})})
    assert config.stage_text(settings, "visualize") == config.stage_text(other, "visualize")
    assert config.stage_text(settings, "transfer") != config.stage_text(other, "transfer")


def test_a_stage_file_may_hold_single_settings():
    settings = config.load({"preset": "demo"}, PRESETS)
    assert json.loads(config.stage_text(settings, "nets", "data.image_size", "data.jpeg_quality")) == {
        "data": {"jpeg_quality": settings.data.jpeg_quality, "image_size": settings.data.image_size},
        "nets": settings.nets.model_dump(mode="json"),
    }


def test_a_stage_file_reads_back_as_it_was(tmp_path):
    settings = config.load({"preset": "demo"}, PRESETS)
    (tmp_path / "stage.json").write_text(config.stage_text(settings, "training", "nets"))
    again = config.load_stage(tmp_path / "stage.json")
    assert again.training == settings.training
    assert again.nets == settings.nets


def test_the_generated_devkit_never_serves_real_pictures(tmp_path):
    settings = config.load({"preset": "demo", "archives": {"imagenet_train": str(tmp_path)}}, PRESETS)
    assert config.archives(settings, Path("w"), Path("d")).imagenet_devkit is None


def test_the_users_archives_come_before_the_generated_ones(tmp_path):
    settings = config.load({"preset": "demo", "archives": {"voc2012": str(tmp_path)}}, PRESETS)
    found = config.archives(settings, Path("w"), Path("d"))
    assert found.voc2012 == tmp_path
    assert found.caltech101 == Path("w/101_ObjectCategories.tar.gz")


@pytest.mark.parametrize("given", [{}, {"imagenet_train": "mine.tar"}, {"imagenet_val": "mine.tar"}])
def test_generated_test_pictures_never_serve_the_users_imagenet(given):
    found = config.archives(config.load({"preset": "demo", "archives": given}, PRESETS), Path("w"), Path("d"))
    assert found.imagenet_test == (None if given else Path("w/ILSVRC2012_img_test_v10102019.tar"))


@pytest.mark.parametrize("given", [{}, {"voc2012": "mine.tar"}, {"download": True}])
def test_the_generated_test_set_never_serves_the_users_voc(given):
    found = config.archives(config.load({"preset": "demo", "archives": given}, PRESETS), Path("w"), Path("d"))
    assert found.voc2012_test == (None if given else Path("w/VOC2012test.tar"))


def test_without_a_world_nothing_is_made_up():
    settings = config.load({"preset": "paper"}, PRESETS)
    assert config.archives(settings, Path("w"), Path("d")).imagenet_train is None


def test_what_may_be_fetched_is_where_nothing_is_given(tmp_path):
    settings = config.load({"preset": "paper", "archives": {"download": True, "voc2012": str(tmp_path)}}, PRESETS)
    found = config.archives(settings, Path("w"), Path("d"))
    assert found.caltech256 == Path("d/256_ObjectCategories.tar")
    assert found.voc2012 == tmp_path
    assert found.imagenet_train is None


def test_epochs_of_nets_from_scratch_are_refused_for_they_would_do_nothing():
    with pytest.raises(
        ZfnetError, match=r"transfer\.scratch\.epochs has no effect; set transfer\.scratch_updates instead"
    ):
        config.load({"preset": "demo", "transfer": {"scratch": {"epochs": 9}}}, PRESETS)


def test_settings_do_not_change_after_reading():
    with pytest.raises(ValueError, match="frozen"):
        Recipe().batch_size = 3


def test_the_documented_settings_are_the_settings(root):
    """docs/settings.md is made by `zfnet settings`."""
    assert (root / "docs" / "settings.md").read_text().endswith(config.explain())


def test_every_field_is_explained():
    unexplained = [line for line in config.explain().splitlines()[2:] if line.rstrip(" |").count("|") < 2]
    assert Settings.model_fields
    assert unexplained == []


def test_claims_compare_pairs_of_strongest_patches():
    with pytest.raises(ZfnetError, match=r"visualize.top_k.*greater than or equal to 2"):
        config.load({"preset": "demo", "visualize": {"top_k": 1}}, PRESETS)


@pytest.mark.parametrize(
    "given, old, new",
    [
        ({"training": {"zf": {"rate": 0.1}}}, "training.zf.rate", "training.zf.learning_rate"),
        ({"training": {"krizhevsky": {"colour": 0.1}}}, "training.krizhevsky.colour", "training.krizhevsky.pca_noise"),
        ({"data": {"imagenet": {"images": 3}}}, "data.imagenet.images", "data.imagenet.images_per_class"),
        ({"world": {}}, "world", "synthetic"),
    ],
)
def test_a_renamed_setting_is_refused_with_its_new_name(given, old, new):
    assert sentences(**given) == [f"  {old}: this setting is now called {new}."]


def test_a_removed_setting_is_refused_with_the_reason():
    (found,) = sentences(training={"decode": "gpu"})
    assert found.startswith("  training.decode: this setting was removed, since images are always decoded on the CPU")


def test_every_renamed_setting_has_a_successor():
    for model, names in RENAMED.items():
        fields = getattr(settings_module, model).model_fields
        assert set(names.values()) <= fields.keys()
        assert not set(names) & fields.keys()


def test_paths_are_read_as_a_shell_would(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.setenv("DATA", "/data")
    (tmp_path / "a$b.tar").touch()
    named = {"caltech101": "~/c.zip", "caltech256": "${DATA}/a{b}.tar", "voc2012": f"{tmp_path}/a$b.tar"}
    loaded = config.load({"archives": named, "results": "$DATA/out"})
    assert str(loaded.archives.caltech101) == "/home/someone/c.zip"
    assert str(loaded.archives.caltech256) == "/data/a{b}.tar"
    assert loaded.archives.voc2012 == tmp_path / "a$b.tar", "a file of that very name"
    assert str(loaded.results) == "/data/out"


@pytest.mark.parametrize(
    "given, sentence",
    [
        ({"archives": {"voc2012": "$NOT_SET_ANYWHERE/v.tar"}}, r"archives.voc2012: .*\$NOT_SET_ANYWHERE is not set"),
        ({"results": "out/{run}"}, "results: .*reads '{' in a path as a wildcard"),
    ],
)
def test_a_path_that_cannot_be_meant_is_refused(given, sentence):
    with pytest.raises(ZfnetError, match=sentence):
        config.load(given)
