"""A fleet: one detector a robot, each in its robot's namespace, with its robot's topics.

    ros2 launch taolora_ros fleet.launch.py model:=arm.safetensors robots:="robot1 robot2"

The artifact names topics as one robot spells them when it is alone, e.g. /imu/data. Robot robot1
publishes /robot1/imu/data: every topic that the artifact watches is moved into the namespace so.
Where the robots share one, `topics` lists the others. detector.launch.py's other arguments, such
as config and params_file, hold for all robots.
"""

from __future__ import annotations

from pathlib import Path

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration

from taolora_ros import artifact
from taolora_ros.ingest.channels import parse_channel

ARGUMENTS = (
    DeclareLaunchArgument('model', description='artifact that `taolora train` wrote'),
    DeclareLaunchArgument(
        'robots',
        default_value='robot1 robot2',
        description='namespaces of the robots, separated by spaces',
    ),
    DeclareLaunchArgument(
        'topics',
        default_value='',
        description='watched topics that each robot publishes in its namespace; empty for all',
    ),
    DeclareLaunchArgument(
        'snapshots',
        default_value='',
        description='folder for bags of the messages around events; empty for none',
    ),
)


def watched(model: Path) -> list[str]:
    """The topics that an artifact watches."""
    channels = map(parse_channel, artifact.load(model).channels)
    return list(dict.fromkeys(channel.topic for channel in channels))


def detectors(context: LaunchContext) -> list[IncludeLaunchDescription]:
    """The launch file of one detector, once a robot."""

    def words(name: str) -> list[str]:
        return LaunchConfiguration(name).perform(context).split()

    robots = words('robots')
    if not robots:
        raise ValueError("robots: empty; name the robots' namespaces, e.g. 'robot1 robot2'")
    topics = words('topics') or watched(Path(LaunchConfiguration('model').perform(context)))
    source = PythonLaunchDescriptionSource(str(Path(__file__).with_name('detector.launch.py')))
    return [
        IncludeLaunchDescription(
            source,
            launch_arguments={
                'model': LaunchConfiguration('model'),
                'namespace': robot,
                'topics': ' '.join(f'{topic}:=/{robot}{topic}' for topic in topics),
                'snapshots': LaunchConfiguration('snapshots'),
                'respawn': 'true',
            }.items(),
        )
        for robot in robots
    ]


def generate_launch_description() -> LaunchDescription:
    """What `ros2 launch` runs."""
    return LaunchDescription([*ARGUMENTS, OpaqueFunction(function=detectors)])
