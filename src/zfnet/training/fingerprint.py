"""Fingerprint of the code that decides the result of a training.

Part of every run's spec: a training is repeated when the code that made it changed, but not for a comment, a
docstring or a line break. The syntax trees of the deciding modules are hashed through `ast.unparse`, whose text,
unlike that of `ast.dump`, is the same on all supported versions of Python. Files are read by path, never imported.
"""

import ast
import hashlib
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
DECIDING = ("data/loader.py", "data/buffers.py", "data/gpu_loader.py", "data/augment.py", "nets/*.py", "training/*.py")
EXEMPT = (  # they say what is trained, when it may run and what is told about it, but not what comes out
    "nets/__init__.py",
    "nets/adapter.py",
    "nets/chain_spec.py",
    "nets/geometry.py",
    "training/__init__.py",
    "training/checkpoint.py",
    "training/tensorboard.py",
    "training/fingerprint.py",
    "training/interrupt.py",
    "training/torchrun.py",
    "training/run_files.py",
    "training/history.py",
    "training/experiments.py",
    "training/health.py",
)


@cache
def fingerprint(package: Path = PACKAGE) -> str:
    """Give 16 hexadecimal digits for what the deciding modules of `package` do."""
    digest = hashlib.sha256()
    for path in deciding(package):
        digest.update(path.relative_to(package).as_posix().encode())
        digest.update(essence(path.read_text(encoding="utf-8")).encode())
    return digest.hexdigest()[:16]


def deciding(package: Path = PACKAGE) -> list[Path]:
    """List the modules of `package` that decide a training's result, sorted."""
    exempt = {package / name for name in EXEMPT}
    return sorted({path for pattern in DECIDING for path in package.glob(pattern)} - exempt)


def essence(source: str) -> str:
    """Give a module's source without comments, docstrings and layout."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if _has_docstring(node):
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)


def _has_docstring(node: ast.AST) -> bool:
    documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    return isinstance(node, documented) and ast.get_docstring(node) is not None
