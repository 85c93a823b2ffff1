from __future__ import annotations

import inspect
import re

import pytest

from taolora_ros import errors
from taolora_ros.errors import TaoloraError, nearest


def test_the_docstring_draws_the_tree_as_it_is() -> None:
    drawn: list[tuple[int, str]] = [
        (len(line) - len(line.lstrip('│ ├└─')), name)
        for line in (errors.__doc__ or '').splitlines()
        if (name := next(iter(re.findall(r'\b[A-Z]\w+Error\b', line)), ''))
    ]
    parents: dict[str, str] = {}
    path: list[tuple[int, str]] = []
    for depth, name in drawn:
        path = [(above, known) for above, known in path if above < depth]
        parents[name] = path[-1][1] if path else 'Exception'
        path.append((depth, name))
    classes = inspect.getmembers(errors, inspect.isclass)
    built = {name: kind.__bases__[0].__name__ for name, kind in classes if name in kind.__name__}
    built = {name: base for name, base in built.items() if name.endswith('Error')}
    assert parents == built


def test_every_error_can_be_caught_as_one() -> None:
    for name, kind in inspect.getmembers(errors, inspect.isclass):
        if name.endswith('Error'):
            assert issubclass(kind, TaoloraError)
            assert kind.__doc__


@pytest.mark.parametrize(
    ('name', 'known', 'said'),
    [
        ('lenght', ['length', 'hop'], "did you mean 'length'?"),
        ('hop', ['hop', 'hops'], "did you mean 'hop' or 'hops'?"),
        ('zzz', ['b', 'a'], 'known: a, b'),
        ('zzz', [], 'known: none'),
    ],
)
def test_nearest_names_what_was_meant(name: str, known: list[str], said: str) -> None:
    assert nearest(name, known) == said


def test_nearest_cuts_a_long_list() -> None:
    assert nearest('?', [f'{n:02}' for n in range(13)]).endswith(', 11, …')
