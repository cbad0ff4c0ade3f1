"""Parsing YAML that anybody may have written: no key wins silently, and nothing grows beyond what people write."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import yaml

_DEEPEST = 50
_MOST_VALUES = 100_000
"""Counted as they are used: a list that is referred to ten times counts ten times."""


def parse_yaml(text: str) -> Any:
    """The value of a YAML document; what is wrong with it is a `YAMLError` that knows the place."""
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _count(node, {})
        return loader.construct_document(node)
    except RecursionError:
        raise _problem("nested too deeply", None) from None
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        # PyYAML's own constructors, of a tagged date or number that is none.
        raise _problem(f"a value that is not what its tag says ({error})", None) from None
    finally:
        loader.dispose()


class _Loader(yaml.SafeLoader):
    """YAML lets a repeated key win silently; a configuration must not."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise _problem(f"nested more than {_DEEPEST} deep", self.get_mark())
        node: yaml.Node | None = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[object] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                raise _problem("a key must be a word", key_node.start_mark)
            if key in seen:
                raise _problem(f"the key '{key}' is given twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


def _count(node: yaml.Node, known: dict[int, int | None]) -> int:
    """How many values a node has with all that it refers to; aliases can make a short text immense, or endless."""
    if id(node) in known:
        size = known[id(node)]
        if size is None:
            raise _problem("a value that holds itself", node.start_mark)
        return size
    known[id(node)] = None
    size = 1
    for part in _parts(node):
        size += _count(part, known)
        if size > _MOST_VALUES:
            raise _problem(f"more than {_MOST_VALUES} values, with what its aliases repeat", node.start_mark)
    known[id(node)] = size
    return size


def _parts(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _problem(words: str, mark: Any) -> yaml.YAMLError:
    return yaml.constructor.ConstructorError(None, None, words, mark)
