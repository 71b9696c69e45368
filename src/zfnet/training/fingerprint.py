"""Fingerprint of the code that decides the result of a training, part of every run's spec.

It starts from the definitions in ROOTS and follows every reference to another definition of this package, however
deep, except into EXEMPT. Each definition is reduced to what it does: no docstrings, comments, annotations, messages or
layout; local variables and private attributes are numbered by order of appearance, and a reference to another
definition is its number. So nothing changes when code is moved to another module, a module-level or private name
changes, or definitions are reordered; every other change of a constant, an operator or a call changes the fingerprint.
Parameters keep their names, because callers may pass them by keyword.

Methods are reached through their class, since a parser cannot tell the type of an object: a class that is not named in
the code reached (it comes in as an argument) must be a root. Modules are parsed, never imported. `ast.unparse` gives
the same text on all supported versions of Python, except for f-strings, which are replaced by tuples.
"""

import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from zfnet.training.code_graph import CodeGraph, Definition
from zfnet.training.definition_text import definition_text

PACKAGE = Path(__file__).parents[1]
ROOTS = (  # relative to the package; the order counts
    "training.trainer.train",
    "training.train_run.kept_indices",
    "data.loader.Shards",
    "nets.contrast_norm_triton.contrast_norm",  # registered with torch under a string
    "nets.contrast_norm_triton.contrast_norm_backward",
)
EXEMPT = (  # modules and definitions that do not influence the result
    "core.errors",
    "core.file_lock",
    "core.files",
    "core.gpu_cards",
    "core.memory",
    "core.progress_bar",
    "core.provenance",
    "data.shards",  # reads files that the hash of the manifest covers
    "nets.weights_file",
    "settings",  # values are in the spec
    "training.checkpoint",
    "training.experiments",
    "training.device_record",
    "training.gpu_check",
    "training.gpu_memory",
    "training.health",
    "training.history",
    "training.interrupt",
    "training.run_files",
    "training.run_options",
    "training.spec_format",
    "training.tensorboard",
    "training.train_run.train_run",
)


@cache
def fingerprint(package: Path = PACKAGE, roots: Sequence[str] = ROOTS, exempt: Sequence[str] = EXEMPT) -> str:
    """Return 16 hexadecimal digits for what the definitions reachable from `roots` do."""
    texts = canonical_texts(package, roots, exempt)
    return hashlib.sha256("\0".join(texts.values()).encode()).hexdigest()[:16]


def canonical_texts(package: Path, roots: Sequence[str], exempt: Sequence[str]) -> dict[Definition, str]:
    """Return the canonical text of every definition reachable from `roots`, in order of first reference.

    Raises
    ------
    LookupError
        A root does not exist.
    """
    graph = CodeGraph(package, exempt)
    numbers: dict[Definition, int] = {graph.find(root): number for number, root in enumerate(roots)}
    texts: dict[Definition, str] = {}
    while pending := numbers.keys() - texts.keys():
        definition = min(pending, key=numbers.__getitem__)
        texts[definition] = definition_text(graph, definition, lambda other: numbers.setdefault(other, len(numbers)))
    return texts
