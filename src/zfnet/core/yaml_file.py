"""Read a YAML file of settings so that a mistake names its file and line, and no file costs more than its size.

Stricter than PyYAML: a key that occurs twice is an error instead of the last one winning. Bounded: files up to 1 MB,
nested up to 30 levels; and aliases, with which a kilobyte can describe gigabytes, up to 100,000 values in all.
"""

from pathlib import Path
from typing import Any

import yaml

from zfnet.core.errors import ZfnetError

MAX_BYTES = 1_000_000
MAX_DEPTH = 30
MAX_VALUES = 100_000


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, which also refuses duplicate keys, deep nesting and aliases that multiply."""

    depth = 0

    def get_single_node(self) -> Any:
        node = super().get_single_node()
        if node is not None:
            _check_values(node)
        return node

    def compose_node(self, parent: Any, index: Any) -> Any:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise _problem(f"more than {MAX_DEPTH} levels of nesting", self.peek_event())
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def compose_mapping_node(self, anchor: Any) -> Any:
        node = super().compose_mapping_node(anchor)
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key.value, str) and key.value in seen:
                raise _problem(f"the key {key.value!r} a second time; keep one of the two", key)
            seen |= {key.value} if isinstance(key.value, str) else set()
        return node

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep=deep)
        except (ValueError, LookupError, OverflowError, TypeError, AttributeError):
            shown = node.value if isinstance(node.value, str) else node.id
            raise _problem(f"{shown!r}, which is no {node.tag.rpartition(':')[2]}", node) from None


def _check_values(root: yaml.Node) -> None:
    """Count the values that a document stands for when its aliases are written out."""
    counts: dict[int, int] = {}

    def count(node: yaml.Node) -> int:
        if id(node) not in counts:
            counts[id(node)] = MAX_VALUES + 1  # what a node counts that contains itself
            counts[id(node)] = 1 + sum(map(count, _children(node)))
        if counts[id(node)] > MAX_VALUES:
            raise _problem(f"aliases that stand for more than {MAX_VALUES:,} values; write the values out", node)
        return counts[id(node)]

    count(root)


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [child for pair in node.value for child in pair]
    return node.value if isinstance(node, yaml.SequenceNode) else []


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the content of a YAML file with `key: value` lines.

    Raises
    ------
    ZfnetError
        The file is missing, no UTF-8, too large or no such YAML; the sentence names the line.
    """
    try:
        value = yaml.load(_text(path), Loader=_Loader)  # a safe loader
    except yaml.YAMLError as error:
        raise ZfnetError(f"{path}{_place(error)}") from None
    if not isinstance(value or {}, dict):
        raise ZfnetError(f"{path}: expected `key: value` lines, found {type(value).__name__}.")
    return value or {}


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ZfnetError(f"{path}: no such file.") from None
    except OSError as error:
        raise ZfnetError(f"{path}: cannot be read ({error.strerror}).") from None
    if len(content) > MAX_BYTES:
        raise ZfnetError(f"{path}: larger than {MAX_BYTES // 1000} kB, which no file of settings is.")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ZfnetError(f"{path}: not UTF-8 (byte {error.start}); save it as UTF-8.") from None


def _problem(found: str, where: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=f"found {found}", problem_mark=where.start_mark)


def _place(error: yaml.YAMLError) -> str:
    """Return the end of the sentence: line, column and what is wrong there."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    hint = "; indent with blanks, not with tabs" if "'\\t'" in problem else ""
    return f"{place}: not valid YAML: {problem}{hint}."
