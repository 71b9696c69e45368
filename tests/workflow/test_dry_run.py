"""The workflow's shape, without computing anything: presets, targets, protection of trainings, messages."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from zfnet.paper.items import items
from zfnet.paper.report.documents import edges
from zfnet.settings import Settings, World
from zfnet.synthetic import FILES, generate
from zfnet.training.experiments import specs, variant_of

ROOT = Path(__file__).parents[2]
TINY = World(
    imagenet_classes=2, train_images=2, val_images=1, test_images=2, caltech101_classes=2, caltech101_images=2,
    caltech256_classes=2, caltech256_images=2, voc_images=2, voc_test_images=2, cifar_images=10, parts_images=2,
    planted_duplicates=0, image_size=64,
)  # fmt: skip


@pytest.fixture(scope="module")
def archives(tmp_path_factory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("archives")
    generate(TINY, folder)
    return {name: str(folder / file) for name, file in FILES.items()}


@pytest.fixture
def snakemake(tmp_path):
    """Run snakemake in an empty folder with the given configuration."""

    def run(config: dict, *arguments: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
        command = [
            sys.executable,
            "-m",
            "snakemake",
            "--snakefile",
            str(ROOT / "Snakefile"),
            "--directory",
            str(tmp_path),
        ]
        return subprocess.run(
            [*command, "--configfile", str(tmp_path / "config.yaml"), "--cores", "2", *arguments],
            capture_output=True, text=True, timeout=300, cwd=tmp_path, env=os.environ,
        )  # fmt: skip

    return run


@pytest.fixture
def apart(archives, tmp_path) -> dict[str, str]:
    """The archives again, in a folder with a blank in its name."""
    (tmp_path / "my archives").symlink_to(Path(archives["voc2012"]).parent)
    return {name: str(tmp_path / "my archives" / file) for name, file in FILES.items()}


def jobs(text: str) -> dict[str, int]:
    """The job counts that a dry run prints first."""
    table = text.split("Job stats:")[1].split("\n\n")[0]
    return {name: int(count) for name, count in re.findall(r"^(\w+)\s+(\d+)$", table, re.MULTILINE)}


@pytest.mark.parametrize("preset", ["demo", "mini", "paper"])
def test_every_preset_plans_the_whole_paper(snakemake, archives, preset):
    done = snakemake({"preset": preset, "archives": archives}, "-n")
    assert done.returncode == 0, done.stdout + done.stderr
    planned = jobs(done.stdout)
    assert planned["table"] == len(items("tables"))
    assert planned["figure"] == len(items("figures"))
    assert planned["train"] == planned["evaluate"] + 1  # the transfer net is in no table or claim about ImageNet
    assert planned["report_page"] == 1


def test_more_seeds_are_trained_and_evaluated(snakemake, archives):
    more = {"training": {"seeds": 3, "variant_seeds": 3}, "archives": archives}
    planned = jobs(snakemake({"preset": "mini", **more}, "-n").stdout)
    nets = {variant_of(run) for run in specs(Settings(paper={"krizhevsky": True}))}
    assert planned["evaluate"] == 3 * (len(nets) - 1)  # zf-clean is trained once and not evaluated
    assert planned["train"] == planned["evaluate"] + 1


def test_more_nets_are_looked_at(snakemake, archives):
    more = {"training": {"seeds": 3, "variant_seeds": 3}, "visualize": {"nets": 3}, "archives": archives}
    planned = jobs(snakemake({"preset": "mini", **more}, "-n", "results/mini/claims.csv").stdout)
    assert [planned[rule] for rule in ("invariance", "evolution", "correspondence", "occlusion", "controls")] == [3] * 5
    assert (planned["features"], planned["filters"]) == (5, 1)


def test_cifar_is_prepared_only_where_it_is_at_hand(snakemake, archives):
    """No table or figure needs it."""
    given = {name: path for name, path in archives.items() if name != "cifar10"}
    done = snakemake({"preset": "paper", "archives": given}, "-n")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "cifar10" not in done.stdout


def test_a_target_takes_only_what_it_needs(snakemake, archives):
    done = snakemake({"preset": "paper", "archives": archives}, "-n", "figure5")
    planned = jobs(done.stdout)
    assert planned["train"] == 1
    assert planned["figure"] == 1
    assert "heads" not in planned


def test_a_missing_archive_is_one_sentence(snakemake):
    done = snakemake({"preset": "paper"}, "-n", "figure5")
    assert done.returncode != 0
    assert re.search("config.yaml: archives: imagenet_(train|val), imagenet_devkit must be set", done.stdout)


def test_a_wrong_archive_ends_the_run_before_it_starts(snakemake, archives, tmp_path):
    (tmp_path / "page.tar").write_text("<html>please log in</html>")
    done = snakemake({"preset": "mini", "archives": {**archives, "voc2012": str(tmp_path / "page.tar")}}, "-n")
    assert done.returncode != 0
    assert "page.tar" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize("preset", ["demo", "mini"])
def test_paths_with_blanks_reach_every_command_whole(snakemake, apart, preset):
    given = {"archives": apart} if preset == "mini" else {}
    done = snakemake({"preset": preset, "results": "my results", **given}, "-n", "-p")
    commands = [shlex.split(line) for line in re.findall(r"Shell command: (zfnet .*)", done.stdout + done.stderr)]
    assert {"shards", "train", "submission", "correspondence", "voc-test", "report"} <= {words[1] for words in commands}
    for words in commands:
        assert any(word.startswith(f"my results/{preset}") for word in words), words
        assert not any(word.endswith("my") for word in words), words


def test_an_archive_in_a_folder_with_a_blank_is_prepared(snakemake, apart, tmp_path):
    target = "my results/mini/data/caltech101/manifest.json"
    done = snakemake({"preset": "mini", "results": "my results", "archives": apart}, target)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / target).exists()


def test_config_mistakes_are_reported_together(snakemake):
    done = snakemake({"preset": "demo", "nets": {"widht": 1}, "training": {"seeds": 0}}, "-n")
    text = done.stdout + done.stderr
    assert "did you mean 'width'?" in text
    assert "training.seeds" in text
    assert "Traceback" not in text


def test_an_unknown_transfer_net_is_one_sentence(snakemake):
    done = snakemake({"preset": "demo", "transfer": {"pretrained_run": "zf-cleen"}}, "-n")
    assert done.returncode != 0
    assert "did you mean 'zf-clean'?" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "flag", [("--workflow-profile", "profiles/slrum"), ("--workflow-profile=profiles/slrum",)], ids=["two", "one"]
)
def test_a_profile_that_does_not_exist_stops_the_run(snakemake, flag):
    done = snakemake({"preset": "demo"}, "-n", *flag)
    assert done.returncode != 0
    assert "profiles/slrum: no such profile" in done.stdout + done.stderr


def test_specs_are_rewritten_only_when_they_change(snakemake, tmp_path):
    spec = tmp_path / "results" / "demo" / "runs" / "zf-s1" / "spec.json"
    snakemake({"preset": "demo"}, "-n")
    first = spec.stat().st_mtime_ns
    snakemake({"preset": "demo", "transfer": {"folds": 3}}, "-n")
    assert spec.stat().st_mtime_ns == first
    snakemake({"preset": "demo", "training": {"zf": {"epochs": 3}}}, "-n")
    assert spec.stat().st_mtime_ns != first


def rules() -> dict[str, str]:
    """The text of every rule that has a name of its own."""
    texts = [path.read_text() for path in (ROOT / "workflow" / "rules").glob("*.smk")]
    return dict(re.findall(r"^rule (\w+):\n(.*?)(?=^\w|\Z)", "\n".join(texts), re.MULTILINE | re.DOTALL))


def test_every_rule_has_a_log_and_a_message():
    assert len(rules()) > 20
    for name, text in rules().items():
        assert "message:" in text and "log:" in text, name


def test_every_heavy_rule_asks_for_its_own_share():
    """Requests are in resources.smk alone."""
    shares = set(re.findall(r'^    "(\w+)": \(', (ROOT / "workflow/rules/resources.smk").read_text(), re.MULTILINE))
    asking = {name for name, text in rules().items() if re.search(r"\*\*(request\(\"|TRAINING)", text)}
    assert asking == shares
    for name in asking:
        assert f'threads: threads_of("{name}")' in rules()[name].replace("\n        ", " "), name
        assert name == "train" or f'**request("{name}"' in rules()[name], name


def test_no_rule_repeats_itself():
    """Retries belong to the profiles of clusters: those of a rule would multiply within each job."""
    assert not [name for name, text in rules().items() if "retries:" in text]


def edges_of(text: str) -> set[tuple[str, str]]:
    """The arrows of a mermaid graph, by names."""
    names = dict(re.findall(r"(\w+)\[(\w+)\]", text))
    return {(names.get(a, a), names.get(b, b)) for a, b in re.findall(r"(\w+) --> (\w+)", text)}


def test_the_documented_graph_is_the_workflow(snakemake):
    """docs/workflow.md and the report show what `snakemake --rulegraph mermaid-js` prints."""
    drawn = edges_of(snakemake({"preset": "demo"}, "--rulegraph", "mermaid-js").stdout)
    assert ("train", "evaluate") in drawn
    assert edges_of((ROOT / "docs" / "workflow.md").read_text()) == drawn
    assert set(edges()) == drawn


def test_everything_the_report_names_as_its_source_is_declared():
    """What a rule does not declare may be missing, or stale, and nobody would notice."""
    declared = "".join(path.read_text() for path in (ROOT / "workflow" / "rules").glob("*.smk"))
    sources = {source for item in items().values() for source in item.sources}
    for source in sources - {"runs/{zf}/spec.json"}:  # written while the workflow is read
        named = re.sub(r"runs/[a-z0-9*{}-]+/", "runs/{run}/", source)
        named = re.sub(r"(heads|scratch)/caltech\d+", r"\1/{set}", named)
        named = re.sub(r"visualize/[a-z0-9*{}-]+/", "visualize/{run}/", named)
        assert f'"<results>/{named}"' in declared, source


def test_jobs_find_zfnet_without_an_activated_environment(tmp_path):
    bare = {**os.environ, "PATH": os.defpath}
    snakefile, target = str(ROOT / "Snakefile"), "results/demo/settings/shown.txt"
    (tmp_path / "rule.smk").write_text(
        f'include: "{snakefile}"\n\n\nrule show:\n    output:\n        "{target}",\n'
        '    shell:\n        "command -v zfnet > {output}"\n'
    )
    (tmp_path / "config.yaml").write_text("preset: demo\n")
    (tmp_path / "workflow").symlink_to(ROOT / "workflow")
    command = [sys.executable, "-m", "snakemake", "--snakefile", "rule.smk", "--cores", "1", target]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=tmp_path, env=bare)
    assert done.returncode == 0, done.stdout + done.stderr
    assert Path((tmp_path / target).read_text().strip()).parent == Path(sys.executable).parent
