"""Definitions of a package and the names by which its modules refer to them, found by parsing (see fingerprint.py)."""

import ast
from collections.abc import Iterable, Iterator, Sequence
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import NamedTuple

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
COMPOUND = (ast.If, ast.Try, ast.With, ast.For, ast.While)


class Definition(NamedTuple):
    """A function, class or variable at the top level of a module."""

    module: str  # dotted, relative to the package: training.trainer
    name: str


class External(NamedTuple):
    """Something of another package, such as torch.nn.functional."""

    name: str


class Exempt(NamedTuple):
    """A definition or module of this package that is not followed."""


class Module(NamedTuple):
    """A module of this package, which names only what it contains."""

    name: str


Target = Definition | External | Exempt | Module


class CodeGraph:
    """The modules of `package`, parsed when first needed; names in `exempt` are relative to the package."""

    def __init__(self, package: Path, exempt: Sequence[str] = ()) -> None:
        self.package, self.exempt = package, frozenset(exempt)
        self.module, self._path = cache(self._read), cache(self._find)

    def find(self, name: str) -> Definition:
        """Return the definition with a dotted name relative to the package."""
        module, _, own = name.rpartition(".")
        if not self._path(module) or own not in self.module(module).statements:
            raise LookupError(f"{self.package}: no definition {name}; update the list in fingerprint.py.")
        return Definition(module, own)

    def resolve(self, module: str, name: str) -> Target | None:
        """Return what `name` at the top level of `module` stands for; None if it is a builtin."""
        names = self.module(module)
        if name in names.imports:
            return self.resolve_dotted(names.imports[name])
        return self._checked(Definition(module, name)) if name in names.statements else None

    def resolve_dotted(self, dotted: str) -> Target | None:
        """Return what an absolute dotted name stands for."""
        root, *parts = dotted.split(".")
        if root != self.package.name:
            return External(dotted)
        return self.member(Module(""), parts)

    def member(self, module: Module, parts: Sequence[str]) -> Target | None:
        """Return what the attribute `parts` of a module stands for."""
        if not parts:
            return self._checked(module)
        inner = f"{module.name}.{parts[0]}".lstrip(".")
        if self._path(inner):
            return self.member(Module(inner), parts[1:])
        target = self.resolve(module.name, parts[0])
        if target is None and (home := self.module(module.name).lazy.get(parts[0])):
            target = self.member(module, [home, parts[0]])
        return target

    def _checked(self, target: Definition | Module) -> Target:
        dotted = f"{target.module}.{target.name}" if isinstance(target, Definition) else target.name
        parts = dotted.split(".")
        exempt = any(".".join(parts[:end]) in self.exempt for end in range(1, len(parts) + 1))
        return Exempt() if exempt else target

    def _find(self, module: str) -> Path | None:
        base = self.package.joinpath(*filter(None, module.split(".")))
        return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)

    def _read(self, module: str) -> "Names":
        path = self._path(module)
        names = Names({}, {}, {})
        if path:
            tree = ast.parse(path.read_text(encoding="utf-8"))
            names.collect(tree.body)
            names.lazy.update(_lazy_names(tree))
        return names


class Names(NamedTuple):
    """What the top level of a module binds."""

    imports: dict[str, str]  # name -> absolute dotted name
    statements: dict[str, list[ast.stmt]]  # name -> all statements that define or change it
    lazy: dict[str, str]  # name -> submodule that defines it (zfnet.core.lazy)

    def collect(self, body: Iterable[ast.stmt], whole: ast.stmt | None = None) -> None:
        """Add the names that `body` binds; `whole` is the compound statement that it is part of."""
        for statement in body:
            if isinstance(statement, ast.Import | ast.ImportFrom):
                self.imports.update(imported(statement))
            elif isinstance(statement, COMPOUND):
                if not _only_for_types(statement):
                    self.collect(_blocks(statement), whole or statement)
            else:
                changed, node = dict.fromkeys(_changed(statement)), whole or statement
                for name in changed:  # own copies where there are several, because definition_text changes them
                    copied = deepcopy(node) if whole or len(changed) > 1 else node
                    self.statements.setdefault(name, []).append(copied)


def imported(statement: ast.Import | ast.ImportFrom) -> dict[str, str]:
    """Return the names that an import binds, with the absolute dotted names they stand for."""
    if isinstance(statement, ast.ImportFrom):
        return {alias.asname or alias.name: f"{statement.module}.{alias.name}" for alias in statement.names}
    return {
        alias.asname or alias.name.split(".")[0]: alias.name if alias.asname else alias.name.split(".")[0]
        for alias in statement.names
    }


def _changed(statement: ast.stmt) -> Iterator[str]:
    """Yield the names that a statement binds, or whose objects it changes, such as `kernel.register(...)`."""
    if isinstance(statement, (*FUNCTIONS, ast.ClassDef)):
        yield statement.name
        yield from (_root(d) for d in statement.decorator_list if isinstance(_called(d), ast.Attribute))
    elif isinstance(statement, ast.Expr):
        yield _root(statement.value)
    else:
        stored = (n for n in ast.walk(statement) if isinstance(getattr(n, "ctx", None), ast.Store | ast.Del))
        yield from map(_root, stored)


def _called(node: ast.expr) -> ast.expr:
    return node.func if isinstance(node, ast.Call) else node


def _root(node: ast.AST) -> str:
    """Return the name that an expression such as `name.attribute[index](argument)` begins with, or ''."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call | ast.Starred):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def _blocks(statement: ast.stmt) -> Iterator[ast.stmt]:
    for field in ("body", "handlers", "orelse", "finalbody"):
        for part in getattr(statement, field, ()):
            yield from part.body if isinstance(part, ast.ExceptHandler) else [part]


def _only_for_types(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.If) and ast.unparse(statement.test).endswith("TYPE_CHECKING")


def _lazy_names(tree: ast.Module) -> dict[str, str]:
    calls = (n for n in ast.walk(tree) if isinstance(n, ast.Call) and _root(n.func) == "exports")
    return {name: home for call in calls for name, home in ast.literal_eval(call.args[1]).items()}
