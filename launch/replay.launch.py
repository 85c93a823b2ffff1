"""Play a recording into a detector: ros2 launch taolora_ros replay.launch.py bag:=… model:=…."""

from __future__ import annotations

from pathlib import Path

from launch import LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    IncludeLaunchDescription,
    RegisterEventHandler,
)
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

ARGUMENTS = (
    DeclareLaunchArgument('bag', description='recording to play: rosbag2 folder or mcap file'),
    DeclareLaunchArgument('model', description='artifact that `taolora train` wrote'),
    DeclareLaunchArgument(
        'rate', default_value='1.0', description='times faster than it was recorded'
    ),
    DeclareLaunchArgument(
        'loop',
        default_value='false',
        choices=['true', 'false'],
        description='whether to start again at the end',
    ),
)


def generate_launch_description() -> LaunchDescription:
    """The detector under the recording's time; when one of the two ends, so does all."""
    replay = Node(
        package='taolora_ros',
        executable='replay',
        name='taolora_replay',
        parameters=[
            {
                'bag': ParameterValue(LaunchConfiguration('bag'), value_type=str),
                'rate': ParameterValue(LaunchConfiguration('rate'), value_type=float),
                'loop': ParameterValue(LaunchConfiguration('loop'), value_type=bool),
            }
        ],
        output='screen',
    )
    detector = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(Path(__file__).with_name('detector.launch.py'))),
        launch_arguments={
            'model': LaunchConfiguration('model'),
            'use_sim_time': 'true',
        }.items(),
    )
    end = EmitEvent(event=Shutdown(reason='the recording is over, or the detector has ended'))
    return LaunchDescription(
        [
            *ARGUMENTS,
            detector,
            replay,
            RegisterEventHandler(OnProcessExit(on_exit=[end])),
        ]
    )
