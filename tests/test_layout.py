"""The plan of the house: imports run one way, and importing a package is cheap."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "zfnet"
ORDER = {
    "data": 0,
    "nets": 1,
    "training": 2,
    "evaluation": 3,
    "visualize": 4,
    "transfer": 4,
    "paper": 5,
    "tinker": 6,
    "bench": 6,
    "commands": 7,
}


def imported(path: Path) -> set[str]:
    """Packages of zfnet that a module imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return {name.split(".")[1] for name in names if name.startswith("zfnet.")}


@pytest.mark.parametrize("package", ORDER)
def test_a_package_imports_from_its_left_only(package):
    for path in (SOURCE / package).rglob("*.py"):
        for other in imported(path) & ORDER.keys() - {package}:
            assert ORDER[other] < ORDER[package], f"{path.relative_to(SOURCE)} imports zfnet.{other}"


@pytest.mark.parametrize("package", ORDER)
def test_importing_a_package_loads_nothing_heavy(package):
    code = f"import sys, zfnet.{package}; print(*{{'torch', 'sklearn', 'pandas', 'matplotlib'}} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
