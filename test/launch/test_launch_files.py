"""The launch files, where ROS 2's launch system is installed: they load and mean what they say."""

from __future__ import annotations

from pathlib import Path

import pytest

# Not `launch` alone: this repository's folder of that name would pass for it.
pytest.importorskip('launch.actions', reason='needs the launch system of ROS 2')
pytest.importorskip('launch_ros.actions', reason='needs launch_ros')

from launch import LaunchContext, LaunchDescription
from launch.actions import (
    EmitEvent,
    IncludeLaunchDescription,
    OpaqueFunction,
    RegisterEventHandler,
)
from launch.events.process import ProcessExited
from launch.launch_description_sources import get_launch_description_from_python_launch_file
from launch_ros.actions import Node

from taolora_ros import artifact
from taolora_ros.engine import DetectorModel

FOLDER = Path(__file__).parents[2] / 'launch'
DETECTOR, REPLAY = FOLDER / 'detector.launch.py', FOLDER / 'replay.launch.py'
FLEET = FOLDER / 'fleet.launch.py'


def _description(path: Path) -> LaunchDescription:
    return get_launch_description_from_python_launch_file(str(path))


def _detector(**arguments: str) -> tuple[Node, LaunchContext]:
    """The node that the launch file makes of some arguments."""
    context = LaunchContext()
    context.launch_configurations.update(arguments)
    nodes: list[Node] = []
    for entity in _description(DETECTOR).entities:
        nodes += entity.visit(context) or []
    (node,) = nodes
    return node, context


def _parameters(node: Node, context: LaunchContext) -> str:
    node._perform_substitutions(context)
    return ' '.join(
        Path(argument[0]).read_text(encoding='utf-8') if argument[1] else str(argument[0])
        for argument in node._Node__expanded_parameter_arguments
    )


@pytest.mark.parametrize('path', [DETECTOR, REPLAY], ids=lambda path: path.stem)
def test_every_argument_is_described(path: Path) -> None:
    arguments = _description(path).get_launch_arguments()
    assert {'model', 'config', 'namespace', 'topics', 'device', 'log_level', 'respawn'} <= {
        argument.name for argument in arguments
    }
    for argument in arguments:
        assert len(argument.description) > 10, argument.name


def test_only_what_has_no_sensible_default_must_be_given() -> None:
    def required(path: Path) -> set[str]:
        arguments = _description(path).get_launch_arguments()
        return {argument.name for argument in arguments if argument.default_value is None}

    assert required(DETECTOR) == {'model'}
    assert required(REPLAY) == {'model', 'bag'}


def test_the_detector_gets_its_parameters_namespace_and_remappings() -> None:
    node, context = _detector(
        model='/m.safetensors',
        config='/c.yaml',
        namespace='robot',
        topics='/imu:=/robot/imu taolora/scores:=scores',
    )
    told = _parameters(node, context)
    assert node.expanded_node_namespace == '/robot'
    assert node.expanded_remapping_rules == [('/imu', '/robot/imu'), ('taolora/scores', 'scores')]
    assert 'model: /m.safetensors' in told
    assert 'config: /c.yaml' in told


def test_what_is_not_asked_for_is_left_to_the_settings() -> None:
    told = _parameters(*_detector(model='/m.safetensors'))
    assert 'device' not in told
    assert 'config' not in told
    assert 'use_sim_time: false' in told
    assert 'autostart: true' in told


def test_a_remapping_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="'/imu' is no remapping; write /from:=/to"):
        _detector(model='/m.safetensors', topics='/imu')


def test_a_parameter_file_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match=r"params_file: '/nowhere\.yaml' is no file"):
        _detector(model='/m.safetensors', params_file='/nowhere.yaml')


def test_replay_starts_both_nodes_and_ends_with_either() -> None:
    description = _description(REPLAY)
    kinds = [type(entity) for entity in description.entities]
    assert IncludeLaunchDescription in kinds
    (node,) = (entity for entity in description.entities if isinstance(entity, Node))
    (registered,) = (
        entity for entity in description.entities if isinstance(entity, RegisterEventHandler)
    )
    detector, _ = _detector(model='/m.safetensors')
    for action in (node, detector):
        exited = ProcessExited(
            action=action, name='', cmd=[], cwd=None, env=None, pid=1, returncode=1
        )
        assert registered.event_handler.matches(exited)
        (end,) = registered.event_handler.handle(exited, LaunchContext())
        assert isinstance(end, EmitEvent)


def test_parameters_of_the_node_can_be_launch_arguments() -> None:
    told = _parameters(*_detector(model='/m', snapshots='/bags', publishers='refuse'))
    assert 'snapshots.directory: /bags' in told
    assert 'intake.publishers: refuse' in told
    assert 'intake.reliability' not in told


def test_a_fleet_is_one_detector_a_robot_in_its_namespace_with_its_topics() -> None:
    context = LaunchContext()
    context.launch_configurations.update(
        {'model': '/m', 'robots': 'a b', 'topics': '/imu /odom', 'snapshots': ''}
    )
    (function,) = (
        entity for entity in _description(FLEET).entities if isinstance(entity, OpaqueFunction)
    )
    included = function.visit(context) or []
    arguments = [dict(entity.launch_arguments) for entity in included]
    assert [entry['namespace'] for entry in arguments] == ['a', 'b']
    assert arguments[1]['topics'] == '/imu:=/b/imu /odom:=/b/odom'
    assert {entry['respawn'] for entry in arguments} == {'true'}


def test_a_fleet_s_topics_are_those_that_the_artifact_watches(
    rotor_model: DetectorModel, tmp_path: Path
) -> None:
    artifact.save(rotor_model, tmp_path / 'rotor.safetensors')
    context = LaunchContext()
    context.launch_configurations.update(
        {
            'model': str(tmp_path / 'rotor.safetensors'),
            'robots': 'a',
            'topics': '',
            'snapshots': '',
        }
    )
    (function,) = (
        entity for entity in _description(FLEET).entities if isinstance(entity, OpaqueFunction)
    )
    (included,) = function.visit(context) or []
    assert dict(included.launch_arguments)['topics'] == '/rotor:=/a/rotor'


def test_a_fleet_of_no_robot_is_refused() -> None:
    context = LaunchContext()
    context.launch_configurations.update({'model': '/m', 'robots': ' ', 'topics': ''})
    (function,) = (
        entity for entity in _description(FLEET).entities if isinstance(entity, OpaqueFunction)
    )
    with pytest.raises(ValueError, match="robots: empty; name the robots' namespaces"):
        function.visit(context)
