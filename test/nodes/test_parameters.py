from __future__ import annotations

import enum
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import rclpy
from rcl_interfaces.msg import SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter

from taolora_ros.config import Config, setting
from taolora_ros.errors import ConfigError
from taolora_ros.nodes.parameters import Kind, Parameters, settings_of


class Color(enum.Enum):
    RED = 'red'
    BLUE = 'blue'


@dataclass(frozen=True, kw_only=True)
class Inner:
    size: int = setting(3, 'how many', low=1, high=9)
    share: float = setting(0.5, 'how much', low=0.0, reconfigure=False)


@dataclass(frozen=True, kw_only=True)
class Outer:
    names: tuple[str, ...] = setting((), 'which')
    color: Color = setting(Color.RED, 'what color')
    on: bool = setting(True, 'whether')
    inner: Inner = field(default_factory=Inner)


@dataclass(frozen=True, kw_only=True)
class Other:
    path: str = setting('', 'where')


Make = Callable[..., Parameters]


@pytest.fixture
def nodes(ros: int) -> Iterator[list[Node]]:
    made: list[Node] = []
    yield made
    for node in made:
        node.destroy_node()


@pytest.fixture
def make(nodes: list[Node]) -> Make:
    """Parameters of `Outer` and `Other` on a node that was started with overrides."""

    def build(**overrides: Any) -> Parameters:
        arguments = [
            part
            for name, value in overrides.items()
            for part in ('-p', f'{name.replace("__", ".")}:={value}')
        ]
        node = rclpy.create_node(
            'probe',
            cli_args=['--ros-args', *arguments] if arguments else None,
        )
        nodes.append(node)
        return Parameters(node, settings_of(Outer) + settings_of(Other))

    return build


def _set(node: Node, **values: Any) -> SetParametersResult:
    return node.set_parameters_atomically(
        [Parameter(name.replace('__', '.'), value=value) for name, value in values.items()]
    )


def test_every_leaf_of_the_settings_becomes_a_parameter_of_its_type() -> None:
    kinds = {entry.name: entry.kind for entry in settings_of(Outer)}
    assert kinds == {
        'names': Kind.STRING_ARRAY,
        'color': Kind.STRING,
        'on': Kind.BOOL,
        'inner.size': Kind.INTEGER,
        'inner.share': Kind.DOUBLE,
    }


def test_descriptions_choices_and_ranges_come_from_the_fields() -> None:
    described = {entry.name: entry.descriptor for entry in settings_of(Outer)}
    assert described['inner.size'].description == 'how many'
    (integers,) = described['inner.size'].integer_range
    assert (integers.from_value, integers.to_value) == (1, 9)
    (floats,) = described['inner.share'].floating_point_range
    assert (floats.from_value, floats.to_value) == (0.0, math.inf)
    assert described['color'].additional_constraints == 'one of red, blue'


def test_all_settings_of_the_detector_can_be_parameters(nodes: list[Node], ros: int) -> None:
    nodes.append(rclpy.create_node('probe'))
    parameters = Parameters(nodes[0], settings_of(Config))
    parameters.show(Config())
    assert nodes[0].get_parameter('detection.false_alarms_per_hour').value == 1.0
    assert parameters.fill(Config()) == Config()


def test_sections_can_be_left_out() -> None:
    names = {entry.name for entry in settings_of(Outer, without=('inner', 'on'))}
    assert names == {'names', 'color'}


def test_what_nobody_set_leaves_the_base_alone(make: Make) -> None:
    base = Outer(color=Color.BLUE, inner=Inner(size=7))
    assert make().fill(base) == base


def test_what_the_user_set_wins_over_the_base(make: Make) -> None:
    parameters = make(inner__size=2, color='blue', names="['/a', '/b']", path='/tmp/x')
    filled = parameters.fill(Outer(inner=Inner(size=7, share=0.9)))
    expected = Outer(names=('/a', '/b'), color=Color.BLUE, inner=Inner(size=2, share=0.9))
    assert filled == expected
    assert parameters.fill(Other()) == Other(path='/tmp/x')


def test_a_whole_number_will_do_where_any_number_will(make: Make) -> None:
    assert make(inner__share=2).fill(Outer()).inner.share == 2.0


@pytest.mark.parametrize(
    ('overrides', 'said'),
    [
        ({'inner__sise': 2}, r"unknown name 'inner\.sise'; did you mean 'inner\.size'"),
        ({'inner__size': 'many'}, r"inner\.size: expected integer, got 'many'"),
        ({'inner__size': 2.5}, r'inner\.size: expected integer, got 2\.5'),
        ({'on': 1}, r'on: expected bool, got 1'),
        ({'inner__size': 10}, r'inner\.size: .*out of range'),
        ({'names': '[1, 2]'}, r'names: expected string array'),
        ({'inner__size': '[]'}, r'inner\.size: expected integer, got \[\]'),
    ],
)
def test_an_override_that_cannot_be_is_refused_at_start(
    make: Make, overrides: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        make(**overrides)
    assert '\n' not in str(caught.value)


def test_a_choice_that_does_not_exist_is_refused_with_those_that_do(make: Make) -> None:
    with pytest.raises(ConfigError, match="color: 'green' is none of red, blue"):
        make(color='green').fill(Outer())


def test_an_empty_list_as_ros2_param_dump_writes_it_is_one(make: Make) -> None:
    assert make(names='[]').fill(Outer(names=('a',))).names == ()


def test_ros_own_parameters_pass(make: Make, nodes: list[Node]) -> None:
    make(use_sim_time='true')
    assert nodes[0].get_parameter('use_sim_time').value is True


def test_parameters_show_what_is_in_force(make: Make, nodes: list[Node]) -> None:
    parameters = make()
    parameters.show(Outer(names=('/a',), inner=Inner(size=5)))
    assert nodes[0].get_parameter('inner.size').value == 5
    assert nodes[0].get_parameter('color').value == 'red'
    assert list(nodes[0].get_parameter('names').value) == ['/a']


def test_showing_a_value_does_not_make_it_the_users(make: Make) -> None:
    parameters = make(inner__size=2)
    parameters.show(Outer(color=Color.BLUE, inner=Inner(size=2)))
    assert parameters.fill(Outer(inner=Inner(size=8))) == Outer(inner=Inner(size=2))


def test_a_change_at_run_time_is_reviewed_as_a_whole_and_kept(
    make: Make, nodes: list[Node]
) -> None:
    reviewed: list[Mapping[str, Any]] = []
    parameters = make()
    parameters.on_change(reviewed.append)
    assert _set(nodes[0], inner__size=4, inner__share=0.25).successful
    assert reviewed == [{'inner.size': 4, 'inner.share': 0.25}]
    assert parameters.fill(Outer()).inner == Inner(size=4, share=0.25)


def test_a_refused_change_gives_its_reason_and_changes_nothing(
    make: Make, nodes: list[Node]
) -> None:
    def refuse(changes: Mapping[str, Any]) -> None:
        raise ConfigError('inner.size: not today')

    parameters = make(inner__size=2)
    parameters.on_change(refuse)
    result = _set(nodes[0], inner__size=4)
    assert (result.successful, result.reason) == (False, 'inner.size: not today')
    assert nodes[0].get_parameter('inner.size').value == 2
    assert parameters.fill(Outer()).inner.size == 2


def test_a_change_out_of_range_is_refused_before_anybody_sees_it(
    make: Make, nodes: list[Node]
) -> None:
    reviewed: list[Mapping[str, Any]] = []
    make().on_change(reviewed.append)
    result = _set(nodes[0], inner__size=10)
    assert not result.successful
    assert 'out of range' in result.reason
    assert not reviewed


def test_only_a_new_configuration_can_change_some_settings(make: Make, nodes: list[Node]) -> None:
    parameters = make()
    parameters.show(Outer())
    parameters.on_change(parameters.require_live)
    refused = _set(nodes[0], inner__size=4, inner__share=0.25)
    assert refused.reason.startswith('inner.size: needs re-configure')
    assert _set(nodes[0], inner__share=0.25).successful
    assert _set(nodes[0], inner__size=3).successful  # what it is already
