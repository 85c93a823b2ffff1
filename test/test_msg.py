"""The message definitions, read as text: what a subscriber sees without our Python."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from taolora_ros.samples import EventState, Severity

FOLDER = Path(__file__).parent.parent / 'msg'
DEFINITIONS = sorted(FOLDER.glob('*.msg'))
LINE = re.compile(
    r'^(?P<type>[\w/]+(?:\[\d*\])?) +(?P<name>\w+)(?P<value>=\S+)? *(?:# *(?P<said>.+))?$'
)
UNITS = re.compile(
    r'in s\b|in bytes|in decades|no unit|0 to 1|messages\b|tokens\b|clock|number of|'
    r'channel specs|URI|INT4 or|MINOR|ONSET|stamp:'
)


def fields(definition: Path) -> list[re.Match[str]]:
    """Fields and constants of a definition, comments and empty lines left out."""
    lines = definition.read_text(encoding='utf-8').splitlines()
    matches = [LINE.match(line) for line in lines if line and not line.startswith('#')]
    assert all(matches), f'{definition.name} holds a line that is no field'
    return [match for match in matches if match]


@pytest.mark.parametrize('definition', DEFINITIONS, ids=lambda path: path.stem)
def test_every_field_is_commented_with_its_unit(definition: Path) -> None:
    for field in fields(definition):
        said = field['said'] or ''
        assert said, f'{definition.name}: {field["name"]} has no comment'
        assert field['value'] or UNITS.search(said), f'{definition.name}: {field["name"]}: unit?'


@pytest.mark.parametrize('definition', DEFINITIONS, ids=lambda path: path.stem)
def test_a_message_says_what_it_is_and_carries_a_stamp(definition: Path) -> None:
    assert definition.read_text(encoding='utf-8').startswith('# ')
    assert any(field['type'] == 'std_msgs/Header' for field in fields(definition))


def test_every_definition_is_built() -> None:
    listed = (FOLDER.parent / 'CMakeLists.txt').read_text(encoding='utf-8')
    assert re.findall(r'msg/\w+\.msg', listed) == [f'msg/{path.name}' for path in DEFINITIONS]


def test_constants_are_those_of_the_core() -> None:
    constants = {
        field['name']: int(field['value'][1:])
        for field in fields(FOLDER / 'AnomalyEvent.msg')
        if field['value']
    }
    core = {member.name: int(member.value) for kind in (EventState, Severity) for member in kind}
    assert constants == core
