"""The plan of the house: imports run down the rooms only, and importing a room is cheap."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "zfnet"
ORDER = {  # a room imports from rooms with lower numbers only
    "core": 0,
    "settings": 1,
    "renamed_settings": 1,
    "synthetic": 2,
    "drawing": 2,
    "data": 3,
    "nets": 4,
    "training": 5,
    "evaluation": 6,
    "visualize": 7,
    "transfer": 7,
    "paper": 8,
    "explore": 8,
    "config_checks": 8,
    "config": 9,
    "commands": 10,
    "cli": 11,
}
PACKAGES = [name for name in ORDER if (SOURCE / name).is_dir()]
LIMIT = 350  # lines of a module


def imported(path: Path) -> set[str]:
    """Return the full names of the modules of zfnet that a module imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names & MODULES.keys()


def name_of(path: Path) -> str:
    """Return the dotted name of a module."""
    return ".".join(["zfnet", *path.relative_to(SOURCE).with_suffix("").parts]).removesuffix(".__init__")


MODULES = {name_of(path): path for path in SOURCE.rglob("*.py")}


@pytest.mark.parametrize("room", ORDER)
def test_a_room_imports_from_lower_rooms_only(room):
    paths = [SOURCE / f"{room}.py"] if (SOURCE / f"{room}.py").exists() else list((SOURCE / room).rglob("*.py"))
    assert paths
    for path in paths:
        for other in {name.split(".")[1] for name in imported(path) if "." in name} - {room}:
            assert ORDER[other] < ORDER[room], f"{path.relative_to(SOURCE)} imports zfnet.{other}"


def test_no_module_is_outside_the_plan():
    rooms = {path.relative_to(SOURCE).parts[0].removesuffix(".py") for path in MODULES.values()}
    assert rooms - {"__init__", "__main__"} == set(ORDER)


def test_no_modules_import_each_other_in_a_circle():
    left = {name: imported(path) - {name} for name, path in MODULES.items()}
    while free := [name for name, needs in left.items() if not needs & left.keys()]:
        for name in free:
            del left[name]
    assert list(left) == []


def test_no_module_is_too_long_for_one_idea():
    assert [name for name, path in MODULES.items() if len(path.read_text().splitlines()) > LIMIT] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_importing_a_package_loads_nothing_heavy(package):
    code = f"import sys, zfnet.{package}; print(*{{'torch', 'sklearn', 'pandas', 'matplotlib'}} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
