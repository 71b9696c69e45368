"""The fingerprint changes with what the deciding code does, and with nothing else."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from zfnet.training.code_graph import CodeGraph
from zfnet.training.fingerprint import EXEMPT, PACKAGE, ROOTS, fingerprint

ROOT, QUIET = ("main.run",), ("messages", "extra.unused")
MAIN = '''"""What it does."""
from functools import partial
import package.messages
from package import extra, numbers
from package.numbers import LIMIT as MOST, Net

def run(x, scale=2):
    """Run it."""
    total = sum(value * scale for value in [x, MOST])  # a comment
    if total > 100:
        raise ValueError(f"{total} is too much")
    extra.unused(total)
    print("total", total)
    package.messages.tell(total)
    return Net(total).forward(partial(_helper, total))

def _helper(x: int, y: int = 0) -> int:
    count: int = x - y
    return numbers.square(count) + _cycle(count)

def _cycle(x):
    return x and _helper(x - 1)
'''
NUMBERS = '''LIMIT = 3
TABLE = {"a": 1}
TABLE["b"] = 2

class _Base:
    def _inner(self):
        return 1

class Net(_Base):
    """A net."""
    depth: int = 2

    def __init__(self, start):
        self._start, self._end = start, 0

    def forward(self, function):
        return function(self._start) + self._end + self._inner() + TABLE["a"]

    def _inner(self):
        return 5

def square(x):
    try:
        return (lambda y: y * y)(x)
    except TypeError as error:
        return len(str(error))
'''
EXTRA = "def unused(x):\n    return x\n"
SOURCES = {"main": MAIN, "numbers": NUMBERS, "extra": EXTRA, "messages": "def tell(x):\n    pass\n", "__init__": ""}


@pytest.fixture
def digest(tmp_path):
    """Return a function that gives the fingerprint of the package with some texts replaced in all its modules."""
    calls = iter(range(100))

    def call(*changes, sources=SOURCES):
        folder = tmp_path / str(next(calls)) / "package"
        folder.mkdir(parents=True)
        before = "".join(sources.values())
        for old, _ in changes:
            assert old in before, old
        for name, source in sources.items():
            for old, new in changes:
                source = source.replace(old, new)
            compile(source, name, "exec")
            (folder / f"{name}.py").write_text(source)
        return fingerprint(folder, ROOT, QUIET)

    return call


@pytest.mark.parametrize(
    "changes",
    [
        [('"""What it does."""', '"""Other words."""'), ('"""Run it."""', "")],
        [("  # a comment", "")],
        [
            (
                "total = sum(value * scale for value in [x, MOST])",
                "total = sum(\n        value * scale\n        for value in [x, MOST])",
            )
        ],
        [
            ("x: int, y: int = 0) -> int", "x, y: float = 0) -> float"),
            ("count: int = ", "count = "),
            ("depth: int", "depth: float"),
        ],
        [
            ("total", "amount"),
            ("value", "number"),
            ("count", "rest"),
            ("error", "failure"),
            ("lambda y: y * y", "lambda z: z * z"),
        ],
        [("_helper", "_assistant"), ("_cycle", "_round"), ("square", "to_the_power_of_two"), ("LIMIT", "CEILING")],
        [
            ("MOST", "HIGHEST"),
            ("import package.messages", "from package import messages as m"),
            ("package.messages.tell", "m.tell"),
        ],
        [("_start", "_first"), ("_end", "_last"), ("_inner", "_within"), ("_Base", "_Foundation"), ("Net", "Network")],
        [("is too much", "exceeds the limit"), ('"total", total', '"The total is", total')],
        [("def unused(x):\n    return x", "def unused(x):\n    return 2 * x"), ("    pass\n", "    return 7\n")],
    ],
    ids=[
        "docstrings",
        "comments",
        "lines",
        "annotations",
        "locals",
        "names",
        "imports",
        "private",
        "messages",
        "exempt",
    ],
)
def test_what_does_nothing_changes_nothing(digest, changes):
    assert digest(*changes) == digest()


def test_moving_and_reordering_definitions_changes_nothing(digest):
    start, end = NUMBERS.index("def square"), len(NUMBERS)
    moved = SOURCES | {
        "numbers": NUMBERS[:start],
        "extra": NUMBERS[start:end] + EXTRA,
        "main": MAIN.replace("numbers.square", "extra.square"),
    }
    assert digest(sources=moved) == digest()
    helper, cycle = MAIN.index("def _helper"), MAIN.index("def _cycle")
    reordered = MAIN[:helper] + MAIN[cycle:] + "\n" + MAIN[helper:cycle]
    assert digest(sources=SOURCES | {"main": reordered}) == digest()
    assert digest(sources=SOURCES | {"other": "def unrelated():\n    return 1\n"}) == digest()


@pytest.mark.parametrize(
    "old, new",
    [
        ("LIMIT = 3", "LIMIT = 4"),
        ('TABLE["b"] = 2', 'TABLE["b"] = 3'),
        ("y * y", "y + y"),
        ("x - 1", "x - 2"),
        ("scale=2", "scale=3"),
        ("numbers.square(count)", "abs(count)"),
        ("total > 100", "total >= 100"),
        ("raise ValueError", "raise TypeError"),
        ("depth: int = 2", "depth: int = 3"),
        ("self._start) + self._end", "self._end) + self._start"),
        ("    def _inner(self):\n        return 5", "    def _other(self):\n        return 5"),
        ("return 1\n", "return 2\n"),
        ("def _helper(x: int, y: int = 0)", "def _helper(y: int, x: int = 0)"),
        ("partial(_helper, total)", "partial(_cycle, total)"),
        ("class Net(_Base)", "class Net"),
    ],
)
def test_what_does_something_changes_it(digest, old, new):
    assert digest((old, new)) != digest()


def test_a_root_that_does_not_exist_is_reported(tmp_path):
    (tmp_path / "main.py").write_text("")
    with pytest.raises(LookupError, match=r"no definition main.run; update the list in fingerprint.py"):
        fingerprint(tmp_path, ROOT)


def test_every_listed_root_and_exemption_exists():
    graph = CodeGraph(PACKAGE)
    for name in ROOTS:
        graph.find(name)
    for name in EXEMPT:
        path = PACKAGE.joinpath(*name.split("."))
        assert path.with_suffix(".py").is_file() or path.is_dir() or graph.find(name), name


@pytest.fixture
def package(tmp_path):
    """A copy of the real package."""
    ignored = shutil.ignore_patterns("__pycache__", "paper", "synthetic", "presets")
    return Path(shutil.copytree(PACKAGE, tmp_path / PACKAGE.name, ignore=ignored))


def edit(package, module, old, new):
    path = package / module
    source = path.read_text()
    assert old in source, f"{path}: {old}"
    path.write_text(source.replace(old, new))


@pytest.mark.parametrize(
    "module, old, new",
    [
        ("data/augment.py", "torch.arange(10) >= 5", "torch.arange(10) >= 4"),
        ("data/augment.py", "default_rng((seed, epoch))", "default_rng((epoch, seed))"),
        ("nets/contrast_norm.py", "beta: float = 0.75", "beta: float = 0.5"),
        ("nets/contrast_norm_triton.py", "k + weight * total", "k - weight * total"),
        ("training/optim.py", "old_lr / new_lr", "new_lr / old_lr"),
        ("training/filter_norm.py", "clamp(max=1)", "clamp(max=2)"),
        ("training/lr_schedule.py", "best=error, waiting=0", "best=error, waiting=1"),
        ("core/seeds.py", ">> 1", ">> 2"),
    ],
)
def test_deciding_code_of_the_real_package_changes_it(package, module, old, new):
    edit(package, module, old, new)
    assert fingerprint(package) != fingerprint()


def test_a_copy_elsewhere_with_a_moved_module_keeps_it(package):
    assert fingerprint(package) == fingerprint()
    (package / "training/filter_norm.py").rename(package / "nets/filter_limits.py")
    for path in package.rglob("*.py"):
        path.write_text(path.read_text().replace("zfnet.training.filter_norm", "zfnet.nets.filter_limits"))
    edit(package, "training/history.py", "Return the log line", "Format the log line")
    edit(package, "training/health.py", "CHANCE = 0.01", "CHANCE = 0.02")
    assert fingerprint.__wrapped__(package) == fingerprint()


def test_it_is_computed_without_imports_and_quickly():
    code = (
        "import sys, time\nfrom zfnet.training.fingerprint import fingerprint\nstart = time.process_time()\n"
        "print(fingerprint(), time.process_time() - start < 2, 'torch' in sys.modules)"
    )
    command = [sys.executable, "-c", code]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() == [
        fingerprint(),
        "True",
        "False",
    ]
