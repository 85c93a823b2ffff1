"""Start the detector: ros2 launch taolora_ros detector.launch.py model:=rosa.safetensors."""

from __future__ import annotations

from pathlib import Path

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

BOOLEANS = ['true', 'false']
# Launch arguments that set one parameter each, if they are not empty.
PARAMETERS = {
    'model': 'model',
    'config': 'config',
    'device': 'device',
    'snapshots': 'snapshots.directory',
    'publishers': 'intake.publishers',
    'reliability': 'intake.reliability',
    'durability': 'intake.durability',
}
ARGUMENTS = (
    DeclareLaunchArgument('model', description='artifact that `taolora train` wrote'),
    DeclareLaunchArgument(
        'config',
        default_value='',
        description="YAML file with settings that replace the artifact's",
    ),
    DeclareLaunchArgument(
        'params_file', default_value='', description='YAML file with ROS parameters of the node'
    ),
    DeclareLaunchArgument(
        'namespace',
        default_value='',
        description='namespace of the node and of the topics that it publishes',
    ),
    DeclareLaunchArgument(
        'topics',
        default_value='',
        description='remappings, separated by spaces, e.g. /imu/data:=/robot/imu',
    ),
    DeclareLaunchArgument(
        'device',
        default_value='',
        choices=['', 'auto', 'cpu', 'cuda'],
        description='where the network runs; empty for what the settings say',
    ),
    DeclareLaunchArgument(
        'snapshots',
        default_value='',
        description='folder for bags of the messages around events; empty for none',
    ),
    DeclareLaunchArgument(
        'publishers',
        default_value='',
        choices=['', 'merge', 'refuse'],
        description='what becomes of a topic that several nodes publish; empty for merge',
    ),
    DeclareLaunchArgument(
        'reliability',
        default_value='',
        choices=['', 'auto', 'reliable', 'best_effort'],
        description='what to ask of publishers; empty for what all of them offer',
    ),
    DeclareLaunchArgument(
        'durability',
        default_value='',
        choices=['', 'auto', 'volatile', 'transient_local'],
        description='what to ask of publishers; empty for what all of them offer',
    ),
    DeclareLaunchArgument(
        'log_level',
        default_value='info',
        choices=['debug', 'info', 'warn', 'error', 'fatal'],
        description='least severity that is logged',
    ),
    DeclareLaunchArgument(
        'respawn',
        default_value='false',
        choices=BOOLEANS,
        description='whether to start the detector again when it dies',
    ),
    DeclareLaunchArgument(
        'respawn_delay', default_value='2.0', description='time before it starts again, in s'
    ),
    DeclareLaunchArgument(
        'use_sim_time',
        default_value='false',
        choices=BOOLEANS,
        description='whether time is what /clock says',
    ),
    DeclareLaunchArgument(
        'autostart',
        default_value='true',
        choices=BOOLEANS,
        description='whether the detector configures and activates itself',
    ),
)


def detector(context: LaunchContext) -> list[Node]:
    """The node, with only those parameters set that the user asked for."""

    def value(name: str) -> str:
        return LaunchConfiguration(name).perform(context)

    remappings = []
    for rule in value('topics').split():
        source, separator, target = rule.partition(':=')
        if not (source and separator and target):
            raise ValueError(f'topics: {rule!r} is no remapping; write /from:=/to')
        remappings.append((source, target))
    params_file = value('params_file')
    if params_file and not Path(params_file).is_file():  # launch would start the node without it
        raise ValueError(f'params_file: {params_file!r} is no file')
    parameters = {
        'use_sim_time': value('use_sim_time') == 'true',
        'autostart': value('autostart') == 'true',
        **{parameter: value(name) for name, parameter in PARAMETERS.items() if value(name)},
    }
    return [
        Node(
            package='taolora_ros',
            executable='detector',
            name='taolora_detector',
            namespace=value('namespace'),
            parameters=[*filter(None, [params_file]), parameters],
            remappings=remappings,
            ros_arguments=['--log-level', value('log_level')],
            respawn=value('respawn') == 'true',
            respawn_delay=float(value('respawn_delay')),
            output='screen',
        )
    ]


def generate_launch_description() -> LaunchDescription:
    """What `ros2 launch` runs."""
    return LaunchDescription([*ARGUMENTS, OpaqueFunction(function=detector)])
