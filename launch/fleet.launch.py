"""A fleet: one detector a robot, each in its robot's namespace, with its robot's topics.

    ros2 launch taolora_ros fleet.launch.py model:=arm.safetensors robots:="robot1 robot2"

The artifact names topics as one robot spells them when it is alone, e.g. /imu/data. Robot robot1
publishes /robot1/imu/data; `topics` lists those that are moved into the namespace so: all that
the artifact watches, unless the robots share one. detector.launch.py's other arguments, such as
config and params_file, hold for all robots.
"""

from __future__ import annotations

from pathlib import Path

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration

ARGUMENTS = (
    DeclareLaunchArgument('model', description='artifact that `taolora train` wrote'),
    DeclareLaunchArgument(
        'robots',
        default_value='robot1 robot2',
        description='namespaces of the robots, separated by spaces',
    ),
    DeclareLaunchArgument(
        'topics',
        default_value='/joint_states /imu/data',
        description='watched topics that each robot publishes in its namespace',
    ),
    DeclareLaunchArgument(
        'snapshots',
        default_value='',
        description='folder for bags of the messages around events; empty for none',
    ),
)


def detectors(context: LaunchContext) -> list[IncludeLaunchDescription]:
    """The launch file of one detector, once a robot."""

    def words(name: str) -> list[str]:
        return LaunchConfiguration(name).perform(context).split()

    robots = words('robots')
    if not robots:
        raise ValueError("robots: empty; name the robots' namespaces, e.g. 'robot1 robot2'")
    source = PythonLaunchDescriptionSource(str(Path(__file__).with_name('detector.launch.py')))
    return [
        IncludeLaunchDescription(
            source,
            launch_arguments={
                'model': LaunchConfiguration('model'),
                'namespace': robot,
                'topics': ' '.join(f'{topic}:=/{robot}{topic}' for topic in words('topics')),
                'snapshots': LaunchConfiguration('snapshots'),
                'respawn': 'true',
            }.items(),
        )
        for robot in robots
    ]


def generate_launch_description() -> LaunchDescription:
    """What `ros2 launch` runs."""
    return LaunchDescription([*ARGUMENTS, OpaqueFunction(function=detectors)])
