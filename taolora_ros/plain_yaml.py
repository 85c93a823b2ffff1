"""YAML files of plain data, read so that no content can make the reader hang, grow or run code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from yaml.composer import ComposerError
from yaml.constructor import ConstructorError

from taolora_ros.errors import ConfigError, quoted

MAX_FILE_BYTES = 256 * 1024
MAX_NESTING = 8  # of values in a file; settings need 3


class _Loader(yaml.SafeLoader):
    """Plain data, scalars as in YAML 1.2: `on` and `off` are words, `2e-3` is a number.

    What settings have no use for, and what lets a small file grow without bounds, is refused:
    aliases (as in ROS 2's own parameter files), deep nesting, tags; a key twice in one place, too.
    """

    _nesting = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        mark: Any = event.start_mark
        if isinstance(event, yaml.AliasEvent):
            problem = 'aliases are not read; write the value out'
            raise ComposerError(problem=problem, problem_mark=mark)
        if self._nesting == MAX_NESTING:
            raise ComposerError(problem='nested too deeply', problem_mark=mark)
        self._nesting += 1
        node = super().compose_node(parent, index)
        self._nesting -= 1
        return node

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen: set[str] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise ConstructorError(
                    problem=f'{quoted(key.value)} stands here twice', problem_mark=key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _integer(loader: _Loader, node: Any) -> int:
    return int(loader.construct_scalar(node))


def _number(loader: _Loader, node: Any) -> float:
    text = str(loader.construct_scalar(node)).lower()
    return float(text.replace('.inf', 'inf').replace('.nan', 'nan'))


_TAG = 'tag:yaml.org,2002:'
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in pairs if tag == f'{_TAG}null']
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    f'{_TAG}bool', re.compile(r'^(true|True|TRUE|false|False|FALSE)$'), list('tTfF')
)
_Loader.add_implicit_resolver(
    f'{_TAG}int', re.compile(r'^[-+]?[0-9]{1,20}$'), list('-+0123456789')
)
_Loader.add_implicit_resolver(
    f'{_TAG}float',
    re.compile(
        r'^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$'
        r'|^[-+]?\.(inf|Inf|INF)$|^\.(nan|NaN|NAN)$'
    ),
    list('-+.0123456789'),
)
_Loader.yaml_constructors = {
    tag: yaml.SafeLoader.yaml_constructors[tag]
    for tag in (None, *(f'{_TAG}{name}' for name in ('null', 'bool', 'str', 'seq', 'map')))
}
_Loader.add_constructor(f'{_TAG}int', _integer)
_Loader.add_constructor(f'{_TAG}float', _number)


def read_yaml(path: Path) -> Any:
    """What a YAML file holds; None where it is empty.

    Args:
        path: the file, of at most `MAX_FILE_BYTES`.

    Raises:
        ConfigError: the file is missing, or no YAML of plain data.
    """
    try:
        return yaml.load(_read_text(path), _Loader)
    except (OSError, ValueError, LookupError, yaml.YAMLError) as error:
        reason = ' '.join(str(error).split())
        raise ConfigError(f'{path}: cannot be read as YAML: {reason}') from None


def _read_text(path: Path) -> str:
    if not path.exists():
        raise ConfigError(f'{path}: no such file; see config/ for examples')
    if not path.is_file():  # a pipe could keep the reader waiting
        raise OSError('it is no regular file')
    with path.open('rb') as file:
        content = file.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise OSError(f'it is larger than {MAX_FILE_BYTES >> 10} KiB')
    return content.decode()
