"""The canonical text of one definition: what it does, whatever it and its variables are called (see fingerprint.py)."""

import ast
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from zfnet.training.code_graph import FUNCTIONS, CodeGraph, Definition, External, Module, Target, imported

COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
FIELD = ast.Constant(None)  # replaces the annotation of a field of a dataclass or NamedTuple
SCOPES = (*FUNCTIONS, ast.Lambda, *COMPREHENSIONS)


def definition_text(graph: CodeGraph, definition: Definition, number: Callable[[Definition], int]) -> str:
    """Return the canonical text of `definition`, in which other definitions appear as their `number`.

    Its statements in `graph` are changed, so this can be called once for each definition.
    """
    canonical = _Canonical(graph, definition, number)
    statements = graph.module(definition.module).statements[definition.name]
    return "\n".join(ast.unparse(canonical.top(statement)) for statement in statements)


class _Canonical(ast.NodeTransformer):
    """Replaces names in the statements of one definition."""

    def __init__(self, graph: CodeGraph, definition: Definition, number: Callable[[Definition], int]) -> None:
        self.graph, self.module, self.number = graph, definition.module, number
        self.private = private_names(graph, definition)
        self.scopes: list[dict[str, str | Target | None]] = []  # name -> its replacement, or what it was imported as
        self.locals = 0

    def top(self, statement: ast.stmt) -> ast.stmt:
        """Return a top-level statement in canonical form, without its own name."""
        if isinstance(statement, (*FUNCTIONS, ast.ClassDef)):
            statement.name = "_"
        return ast.fix_missing_locations(self.visit(statement))

    def visit_ClassDef(self, node: ast.ClassDef) -> Any:
        node.body = [self._field(statement) for statement in node.body]
        node.name = self._renamed(node.name)
        return self._filled(self.generic_visit(node))

    def visit_FunctionDef(self, node: Any) -> Any:
        node.name, node.returns = self._renamed(node.name), None
        node.decorator_list = [self.visit(decorator) for decorator in node.decorator_list]
        node.args.defaults = [self.visit(default) for default in node.args.defaults]
        node.args.kw_defaults = [default and self.visit(default) for default in node.args.kw_defaults]
        self.scopes.append(self._scope(node, parameters_keep_names=True))
        for argument in _parameters(node.args):
            argument.annotation = None
        node.body = [new for old in node.body for new in _list(self.visit(old))]
        self.scopes.pop()
        return self._filled(node)

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815

    def _visit_scope(self, node: Any) -> Any:
        self.scopes.append(self._scope(node))
        for argument in _parameters(node.args) if isinstance(node, ast.Lambda) else ():
            argument.arg = self._renamed(argument.arg)
        node = self.generic_visit(node)
        self.scopes.pop()
        return node

    visit_Lambda = visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _visit_scope  # noqa: N815

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> Any:
        node.name = node.name and self._renamed(node.name)
        return self._filled(self.generic_visit(node))

    def visit_AnnAssign(self, node: ast.AnnAssign) -> Any:
        if self.scopes and node.value is None:
            return None
        if node.annotation is FIELD or node.value is None:  # a field's place in the class counts
            return self.generic_visit(node)
        return self.visit(ast.Assign([node.target], node.value))

    def visit_Expr(self, node: ast.Expr) -> Any:
        """Drop docstrings and printed messages."""
        message = isinstance(node.value, ast.Call) and ast.unparse(node.value.func) == "print"
        return None if message or isinstance(node.value, ast.Constant) else self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> Any:
        """Drop the texts of error messages."""
        return self.generic_visit(_WithoutTexts().visit(node))

    def visit_JoinedStr(self, node: ast.JoinedStr) -> Any:
        return ast.Tuple([self.visit(value) for value in node.values], ast.Load())

    def visit_FormattedValue(self, node: ast.FormattedValue) -> Any:
        spec = self.visit(node.format_spec) if node.format_spec else ast.Constant(None)
        return ast.Tuple([self.visit(node.value), ast.Constant(node.conversion), spec], ast.Load())

    def _drop(self, node: ast.AST) -> None:
        """Drop an import within a function: its names are resolved where they are used."""

    visit_Import = visit_ImportFrom = _drop  # noqa: N815

    def visit_Attribute(self, node: ast.Attribute) -> Any:
        parts, root = [node.attr], node.value
        while isinstance(root, ast.Attribute):
            parts, root = [root.attr, *parts], root.value
        target = self._target(root.id) if isinstance(root, ast.Name) else None
        if isinstance(target, External):
            return ast.Name(".".join([target.name, *parts]), node.ctx)
        if isinstance(target, Module):
            for used in range(1, len(parts) + 1):
                member = self.graph.member(target, parts[:used])
                if member is not None and not isinstance(member, Module):
                    return ast.Name(".".join([self._text(member), *parts[used:]]), node.ctx)
        node.attr = self.private.get(node.attr, node.attr)
        return self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> Any:
        target = self._target(node.id)
        node.id = self._renamed(node.id) if target is None else self._text(target)
        return node

    def _field(self, node: ast.stmt) -> ast.stmt:
        """Mark an annotated name of a class body."""
        if isinstance(node, ast.AnnAssign):
            node.annotation = FIELD
        return node

    def _scope(self, node: Any, parameters_keep_names: bool = False) -> dict[str, str | Target | None]:
        scope: dict[str, str | Target | None] = {}
        for name, dotted in _bound(node):
            scope[name] = self.graph.resolve_dotted(dotted) if dotted else ""  # numbered at its first appearance
        if parameters_keep_names:
            scope.update({argument.arg: argument.arg for argument in _parameters(node.args)})
        return scope

    def _renamed(self, name: str) -> str:
        """Return the replacement of a local variable or private name; `name` itself if it is neither."""
        for scope in reversed(self.scopes):
            if name in scope:
                if scope[name] == "":
                    self.locals += 1
                    scope[name] = f"v{self.locals}"
                return str(scope[name])
        return self.private.get(name, name)

    def _target(self, name: str) -> Target | None:
        """Return what a name that is no local variable stands for."""
        for scope in reversed(self.scopes):
            if name in scope:
                target = scope[name]
                return None if isinstance(target, str) else target
        return self.graph.resolve(self.module, name)

    def _text(self, target: Target) -> str:
        if isinstance(target, Definition):
            return f"d{self.number(target)}"
        return target.name if isinstance(target, External) else type(target).__name__

    @staticmethod
    def _filled(node: Any) -> Any:
        node.body = node.body or [ast.Pass()]
        return node


class _WithoutTexts(ast.NodeTransformer):
    def visit_JoinedStr(self, node: ast.JoinedStr) -> Any:
        return ast.Constant("")

    def visit_Constant(self, node: ast.Constant) -> Any:
        return ast.Constant("") if isinstance(node.value, str) else node


@cache  # filled before the statements are changed
def private_names(graph: CodeGraph, definition: Definition) -> dict[str, str]:
    """Number the private names that a class and its base classes within the package define, the bases' first."""
    names: dict[str, str] = {}
    for statement in graph.module(definition.module).statements[definition.name]:
        for base in statement.bases if isinstance(statement, ast.ClassDef) else ():
            target = graph.resolve(definition.module, base.id) if isinstance(base, ast.Name) else None
            names |= private_names(graph, target) if isinstance(target, Definition) else {}
        for name in _defined(statement) if isinstance(statement, ast.ClassDef) else ():
            if name.startswith("_") and not name.endswith("__"):
                names.setdefault(name, f"p{len(names)}")
    return names


def _defined(node: ast.ClassDef) -> Iterator[str]:
    """Yield the methods and attributes that a class defines, in order of appearance."""
    for statement in node.body:
        if isinstance(statement, FUNCTIONS):
            yield statement.name
        for part in ast.walk(statement):
            if isinstance(part, ast.Attribute) and isinstance(part.ctx, ast.Store):
                yield part.attr
        if isinstance(statement, ast.Assign | ast.AnnAssign):
            yield from filter(None, map(_stored, ast.walk(statement)))


def _bound(scope: ast.AST) -> Iterator[tuple[str, str | None]]:
    """Yield the names that a scope binds, and for imported ones their absolute dotted name."""
    if isinstance(scope, ast.Lambda):
        yield from ((argument.arg, None) for argument in _parameters(scope.args))
    pending = list(ast.iter_child_nodes(scope))
    while pending:
        node = pending.pop(0)
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from imported(node).items()
        elif name := _stored(node):
            yield name, None
        elif isinstance(node, (*FUNCTIONS, ast.ClassDef, ast.ExceptHandler)) and node.name:
            yield node.name, None
        if not isinstance(node, (*SCOPES, ast.ClassDef)):
            pending = [*ast.iter_child_nodes(node), *pending]


def _stored(node: ast.AST) -> str:
    """Return the name that a node assigns or deletes, or ''."""
    return node.id if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del) else ""


def _parameters(arguments: ast.arguments) -> list[ast.arg]:
    optional = [argument for argument in (arguments.vararg, arguments.kwarg) if argument]
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *optional]


def _list(result: Any) -> list[Any]:
    return result if isinstance(result, list) else [] if result is None else [result]
