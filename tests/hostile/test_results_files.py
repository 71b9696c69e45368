"""Damaged results files: one sentence that names the file, what is wrong, and the rule that makes it again.

The trial's cases are rebuilt here and go through the commands that met them (table, claims, report); their siblings,
every kind of damage to every kind of file, go through the reader that all of these use.
"""

import json
import re
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.paper.conftest import write_csv, write_results
from zfnet.core.errors import ZfnetError
from zfnet.core.files import write_json
from zfnet.paper import schemas
from zfnet.paper.claims import decide
from zfnet.paper.forms import Number, Some, Whole
from zfnet.paper.report import page
from zfnet.paper.results import Results
from zfnet.paper.tables import table
from zfnet.settings import Paper, Settings

RUN = "runs/zf-s1"
CLAIMS = "claim item statement paper ours interval verdict reason how"
EFFECTS = "claim difference value low high n claimed_above claimed_below digits"
DEEP = "[" * 100_000


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A results folder with a file of every kind; tests must not change it."""
    root = write_results(tmp_path_factory.mktemp("whole") / "demo")
    write_json(root / "settings/runs.json", ["zf-s1"])
    write_json(root / "settings/looked-at.json", ["zf-s1"])
    write_json(root / "settings/not-run.json", {"table1": ["parts_images"]})
    for name in ("caltech101", "caltech256"):
        write_json(root / f"transfer/scratch/{name}.json", {"folds": [], "too_few": {"face": 3}})
    write_csv(root / "claims.csv", [("C1", "ZF-T2", "It works", "1", "2", "", "holds", "", "")], CLAIMS)
    write_csv(root / "claims-effects.csv", [("C1", "top-5", -2.0, "", "", 1, "", 0.0, 1)] * 2, EFFECTS)
    write_csv(root / "tables/table3.csv", [("zf", "ZF", 16.5, 16.0, "")], "row label ours_val paper_val reason")
    write_csv(root / "tables/table4-paired.csv", [("a", "caltech101", 15, 1.5, 1, 2, 5)],
              "comparison set size difference low high folds")  # fmt: skip
    return root


@pytest.fixture
def folder(whole, tmp_path) -> Path:
    """The same, to be damaged."""
    return shutil.copytree(whole, tmp_path / "demo")


def report(root: Path) -> None:
    page.report_stage(root, Settings(), root / "report.html")


def claims(root: Path) -> None:
    decide.claims_stage(root, Paper(resamples=20), root / "claims.csv")


def table_of(name: str) -> Callable[[Path], None]:
    return lambda root: table.table_stage(name, root, root / "tables" / f"{name}.csv")


def rows(header: str, cell: str, count: int = 5) -> str:
    """Return a CSV file in which every cell says the same."""
    names = header.split()
    return "".join(f"{','.join(row)}\n" for row in [names, *[[cell] * len(names)] * count])


def epochs(*changed: object) -> Callable[[str], str]:
    """Return the change of a history whose second line is another."""
    second = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in changed)
    return lambda text: "\n".join([text.splitlines()[0], second, *text.splitlines()[2:]]) + "\n"


def changed(**values: object) -> Callable[[str], str]:
    return lambda text: json.dumps(json.loads(text) | values)


HUGE = 10**400
TRIALS = [  # command, file, its new content or what is made of the old one, the problem that is told
    (report, "claims-effects.csv", lambda text: text[:-8], "1.digits: input should be a valid integer"),
    (report, "claims-effects.csv", rows(EFFECTS, "x"), "0.value: input should be a valid number"),
    (report, "claims.csv", rows(CLAIMS, "1e400", 1), "0.verdict: input should be 'holds', 'fails', 'undecided' or"),
    (report, "claims.csv", lambda text: text.replace(",", ";"), "column claim, item, statement, paper, ours, interval"),
    (report, "claims.csv", rows(CLAIMS, "x"), "0.verdict: input should be 'holds', 'fails', 'undecided' or 'not run'"),
    (claims, "transfer/duplicates.json", "[]", "input should be a valid dictionary"),
    (claims, "transfer/duplicates.json", changed(recall=[10_000_000]), "recall: input should be a valid dictionary"),
    (report, f"{RUN}/history.jsonl", epochs(DEEP), "input should be a valid dictionary"),
    (report, f"{RUN}/history.jsonl", epochs({"epoch": HUGE}), "epoch: input should be less than or equal to 1000000"),
    (report, f"{RUN}/history.jsonl", epochs({"epoch": None}), "epoch: input should be a valid integer"),
    (report, f"{RUN}/history.jsonl", epochs({"epoch": 2, "loss": HUGE}), "loss: "),
    (report, f"{RUN}/history.jsonl", epochs({"loss": 2.9}), "epoch: field required"),
    (report, f"{RUN}/history.jsonl", epochs("5"), "input should be a valid dictionary"),
    (report, f"{RUN}/history.jsonl", epochs({"epoch": 1, "learning_rate": None}), "learning_rate: input should be a"),
    (report, f"{RUN}/metrics.json", changed(device=5), "device: input should be a valid string"),
    (report, f"{RUN}/metrics.json", "5", "input should be a valid dictionary"),
    (table_of("table2"), "settings/runs.json", "5", "input should be a valid list"),
    (table_of("table2"), f"{RUN}/spec.json", "[]", "input should be a valid dictionary"),
    (table_of("table6"), "transfer/voc/ap.csv", "class,head,positives,images,ap\n", "it has no rows"),
]


@pytest.mark.parametrize(("command", "name", "content", "problem"), TRIALS)
def test_a_command_names_the_damaged_file_and_what_makes_it(folder, command, name, content, problem):
    path = folder / name
    path.write_text(content(path.read_text()) if callable(content) else content)
    with pytest.raises(ZfnetError) as caught:
        command(folder)
    maker = re.escape(schemas.schema_of(name).maker)
    assert re.fullmatch(
        rf"{re.escape(str(path))}: damaged \({re.escape(problem)}.*\)\. "
        rf"Delete it and run the workflow again; {maker} makes it\.",
        str(caught.value),
    )


# ---- siblings: every kind of damage to every kind of file ------------------------------------------------------------
def name_of(pattern: str) -> str:
    """Return the name of a file of this kind."""
    for some, one in {
        "runs/*": RUN, "visualize/*": "visualize/zf-s1", "settings/*": "settings/runs", "heads/*": "heads/caltech101",
        "scratch/*": "scratch/caltech101", "*-paired": "table4-paired", "tables/*": "tables/table3", ".*": ".json",
    }.items():  # fmt: skip
        pattern = pattern.replace(some, one)
    return pattern


KINDS = sorted({name_of(pattern) for pattern, schema in schemas.SCHEMAS.items() if schema.form is not None})
OBJECTS = [name for name in KINDS if name.endswith(".json") and "*" not in name]
TABLES = [name for name in KINDS if name.endswith(".csv")]
JSON_DAMAGE = {
    "empty": "",
    "half": lambda text: text[: len(text) // 2],
    "number": "5",
    "text": '"x"',
    "null": "null",
    "deep": DEEP,
    "brackets": lambda text: "[]" if text.startswith("{") else "{}",
    "twice": lambda text: text + text,
    "zeros": "\0" * 100,
    "long number": "1" * 10_000,
}
CSV_DAMAGE = {
    "empty": "",
    "zeros": "\0" * 100,
    "semicolons": lambda text: text.replace(",", ";"),
    "web page": "<html>log in</html>\n",
    "longer rows": lambda text: text.replace("\n", ",1\n").replace(",1\n", "\n", 1),
    "open quote": lambda text: text + '"x',
}


def assert_refused(root: Path, name: str) -> None:
    read = Results(root).json if name in OBJECTS else Results(root).frame
    with pytest.raises(ZfnetError, match=rf"{re.escape(str(root / name))}: damaged \(.+\)\. Delete it .* makes it\.$"):
        read(name)


@pytest.fixture
def assert_refuses(whole, tmp_path):
    """Assert that a file is refused after a change of its content, which for tables is the first four lines."""

    def refuses(name: str, damage: Callable[[str], str] | str) -> None:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = (whole / name).read_text()
        text = "".join(text.splitlines(keepends=True)[:4]) if name in TABLES else text
        path.write_text(damage(text) if callable(damage) else damage)
        assert path.read_text() != text
        assert_refused(tmp_path, name)

    return refuses


@pytest.mark.parametrize("name", [*OBJECTS, *TABLES])
def test_whole_files_are_read(whole, name):
    assert len(Results(whole).json(name) if name in OBJECTS else Results(whole).frame(name))


@pytest.mark.parametrize("name", OBJECTS)
def test_a_damaged_object_is_refused(assert_refuses, name):
    for damage in JSON_DAMAGE.values():
        assert_refuses(name, damage)


@pytest.mark.parametrize("name", TABLES)
def test_a_damaged_table_is_refused(assert_refuses, name):
    for damage in CSV_DAMAGE.values():
        assert_refuses(name, damage)


@pytest.mark.parametrize("name", [*OBJECTS, *TABLES])
def test_a_file_that_is_no_text_is_refused(tmp_path, name):
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_bytes(b"\xff\xfe\x89PNG" * 9)
    assert_refused(tmp_path, name)


def columns(name: str, *kinds: object) -> list[str]:
    """Return the required columns of a table, or those of some kinds."""
    form = schemas.schema_of(name).form
    return [
        field.alias or key
        for key, field in form.model_fields.items()
        if field.is_required() and (not kinds or form.__annotations__[key] in kinds)
    ]


def with_cell(column: str, cell: str) -> Callable[[str], str]:
    """Return the change of a table whose first row says something else in one column."""

    def change(text: str) -> str:
        header, *lines = [line.split(",") for line in text.splitlines()]
        lines[0][header.index(column)] = cell
        return "".join(f"{','.join(line)}\n" for line in [header, *lines])

    return change


@pytest.mark.parametrize("name", TABLES)
def test_a_table_without_a_column_is_refused(assert_refuses, name):
    for column in columns(name):
        header = re.compile(rf"(^|,){column}(,|$)", re.MULTILINE)
        assert_refuses(name, partial(header.sub, r"\1other\2", count=1))


@pytest.mark.parametrize("name", [name for name in TABLES if columns(name, Number, Some, Whole)])
@pytest.mark.parametrize("cell", ["x", "1e400", "1" * 400, "-inf", "5_000", "True"], ids=lambda cell: cell[:5])
def test_a_cell_that_should_be_a_number_is_refused(assert_refuses, name, cell):
    for column in columns(name, Number, Some, Whole):
        assert_refuses(name, with_cell(column, cell))


@pytest.mark.parametrize("name", [name for name in TABLES if columns(name, Whole)])
@pytest.mark.parametrize("cell", ["", "-1", "0.5", "NaN"])
def test_a_count_that_is_missing_negative_or_broken_is_refused(assert_refuses, name, cell):
    for column in columns(name, Whole):
        assert_refuses(name, with_cell(column, cell))


@pytest.mark.parametrize("value", ['"5"', "NaN", "1e400", "true", "[]", "1" * 400], ids=lambda value: value[:5])
@pytest.mark.parametrize(
    ("name", "key"),
    [
        (f"{RUN}/metrics.json", "val_top1"),
        (f"{RUN}/metrics.json", "epochs"),
        (f"{RUN}/spec.json", "seed"),
        (f"{RUN}/evaluation.json", "top1"),
        (f"{RUN}/evaluation.json", "images"),
        ("transfer/duplicates.json", "threshold"),
        ("transfer/duplicates.json", "found"),
        ("visualize/zf-s1/occlusion.json", "label"),
    ],
)
def test_a_value_that_should_be_a_number_is_refused(assert_refuses, name, key, value):
    """Also a number in quotes: it would be used as the text that it is."""
    assert_refuses(name, lambda text: re.sub(rf'("{key}": )[^,}}\s]+', rf"\g<1>{value}", text))


def test_a_file_larger_than_any_of_its_kind_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(schemas, "MAX_BYTES", 1_000_000)
    (tmp_path / "claims.csv").write_bytes(b" " * 1_000_001)
    assert_refused(tmp_path, "claims.csv")


def test_a_last_line_that_a_crash_cut_off_is_no_damage(folder):
    with (folder / RUN / "history.jsonl").open("a") as file:
        file.write('{"epoch": 9, "lo')
    results = Results(folder)
    assert [row["epoch"] for row in results.history(results.runs["zf-s1"])] == list(range(1, 9))
