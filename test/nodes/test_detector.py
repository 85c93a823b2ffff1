from __future__ import annotations

import itertools
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.srv import GetParameters, SetParametersAtomically
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from taolora_ros.msg import AnomalyEvent, AnomalyScore, RoutingStatus

DETECTOR = 'taolora_ros.nodes.detector'
REPLAY = 'taolora_ros.nodes.replay'
NODE = '/taolora_detector'
WAIT_S = 40.0
ASK_AGAIN_S = 10.0

Spin = Callable[[Callable[[], bool]], None]
Launch = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def call(probe: Node, executor: SingleThreadedExecutor, spin_until: Spin) -> Callable:
    """Calls a service and waits for its answer."""
    if probe not in executor.get_nodes():
        executor.add_node(probe)

    def request(kind: type, name: str, question: object) -> object:
        client = probe.create_client(kind, name)
        spin_until(client.service_is_ready)
        # A server that has just come up may answer before its writer knows this reader: ask again.
        answers = [client.call_async(question)]
        asked = time.monotonic()

        def is_answered() -> bool:
            nonlocal asked
            if time.monotonic() - asked > ASK_AGAIN_S:
                answers.append(client.call_async(question))
                asked = time.monotonic()
            return any(future.done() for future in answers)

        spin_until(is_answered)
        probe.destroy_client(client)
        return next(future.result() for future in answers if future.done())

    return request


@pytest.fixture
def transit(call: Callable) -> Callable[[int], bool]:
    """Asks the detector for a lifecycle transition."""

    def change(transition: int) -> bool:
        question = ChangeState.Request(transition=Transition(id=transition))
        return call(ChangeState, f'{NODE}/change_state', question).success

    return change


@pytest.fixture
def set_parameters(call: Callable) -> Callable[..., str]:
    """Sets parameters of the detector at once; the reason why they were refused, or ''."""

    def change(**values: object) -> str:
        parameters = [
            Parameter(name.replace('__', '.'), value=value).to_parameter_msg()
            for name, value in values.items()
        ]
        question = SetParametersAtomically.Request(parameters=parameters)
        name = f'{NODE}/set_parameters_atomically'
        result = call(SetParametersAtomically, name, question).result
        return '' if result.successful else result.reason or 'refused without a reason'

    return change


def _levels(arrays: list[DiagnosticArray], task: str) -> list[bytes]:
    return [
        status.level for array in arrays for status in array.status if status.name.endswith(task)
    ]


@pytest.mark.parametrize(
    ('parameters', 'said'),
    [
        ({'model': "''"}, 'model: not set; pass the artifact'),
        ({'model': '/nowhere.safetensors'}, '/nowhere.safetensors: no such artifact'),
        ({'detction.merge_s': 1.0}, "unknown name 'detction.merge_s'; did you mean"),
        ({'detection.merge_s': -1.0}, 'detection.merge_s: '),
        ({'window.patch': 8}, 'window.patch: 8 is asked for'),
        ({'device': 'cuda'}, 'device: cuda is asked for, but'),
        ({'device': 'tpu'}, "device: 'tpu' is none of"),
        ({'memory_budget_mb': 1.0}, 'memory_budget_mb: the detector needs'),
        ({'config': '/no.yaml'}, '/no.yaml: no such file'),
    ],
)
def test_what_cannot_be_configured_ends_with_one_line_and_status_1(
    start: Launch,
    model_path: Path,
    output: Callable[[], str],
    parameters: dict[str, object],
    said: str,
) -> None:
    process = start(DETECTOR, {'model': model_path, **parameters})
    assert process.wait(WAIT_S) == 1
    lines = output().splitlines()
    assert len(lines) == 1, lines
    assert said in lines[0]


@pytest.mark.parametrize(
    ('text', 'said'),
    [
        (None, "params file: '--params-file /"),
        ('a: [1\n b: {', 'Error: Sequences can only be values and not keys in params'),
    ],
)
def test_a_file_of_parameters_that_ros_cannot_read_ends_without_a_traceback(
    dds_domain: int, tmp_path: Path, text: str | None, said: str
) -> None:
    path = tmp_path / 'detector.params.yaml'
    if text is not None:
        path.write_text(text)
    command = [sys.executable, '-m', DETECTOR, '--ros-args', '--params-file', str(path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S, check=False)
    assert ended.returncode == 1
    line = ended.stderr.splitlines()[-1]  # ROS's own log says before that arguments failed
    assert 'Traceback' not in ended.stderr
    assert line.startswith("error: --ros-args: Couldn't parse params file")
    assert said in line
    assert '.c:' not in line


def test_a_damaged_artifact_is_refused(
    start: Launch, model_path: Path, tmp_path: Path, output: Callable[[], str]
) -> None:
    data = bytearray(model_path.read_bytes())
    data[-5] ^= 1
    (tmp_path / 'damaged.safetensors').write_bytes(data)
    process = start(DETECTOR, {'model': tmp_path / 'damaged.safetensors'})
    assert process.wait(WAIT_S) == 1
    assert 'damaged' in output()
    assert 'Traceback' not in output()


def test_topics_follow_the_namespace_and_remappings(
    start: Launch, model_path: Path, probe: Node, spin_until: Spin
) -> None:
    start(
        DETECTOR,
        {'model': model_path},
        '__ns:=/robot',
        'taolora/scores:=/scores',
        '/rotor/imu:=/robot/imu',
    )
    expected = {
        '/robot/taolora/anomalies': 'taolora_ros/msg/AnomalyEvent',
        '/robot/taolora/routing': 'taolora_ros/msg/RoutingStatus',
        '/scores': 'taolora_ros/msg/AnomalyScore',
        '/diagnostics': 'diagnostic_msgs/msg/DiagnosticArray',
    }
    spin_until(lambda: all(probe.count_publishers(topic) for topic in expected))
    assert {
        topic: info.topic_type
        for topic in expected
        for info in probe.get_publishers_info_by_topic(topic)
    } == expected


def test_it_waits_for_transitions_if_not_started_automatically(
    start: Launch, model_path: Path, transit: Callable[[int], bool], output: Callable[[], str]
) -> None:
    process = start(DETECTOR, {'model': model_path, 'autostart': False})
    assert transit(Transition.TRANSITION_CONFIGURE)
    assert transit(Transition.TRANSITION_ACTIVATE)
    assert transit(Transition.TRANSITION_DEACTIVATE)
    assert transit(Transition.TRANSITION_ACTIVATE)
    assert transit(Transition.TRANSITION_ACTIVE_SHUTDOWN)
    assert process.wait(WAIT_S) == 0
    assert 'Traceback' not in output()


def test_a_failed_configuration_can_be_mended_and_tried_again(
    start: Launch,
    model_path: Path,
    transit: Callable[[int], bool],
    set_parameters: Callable[..., str],
    output: Callable[[], str],
) -> None:
    start(DETECTOR, {'autostart': False})
    assert not transit(Transition.TRANSITION_CONFIGURE)
    assert 'model: not set' in output()
    assert set_parameters(model=str(model_path)) == ''
    assert transit(Transition.TRANSITION_CONFIGURE)
    assert transit(Transition.TRANSITION_CLEANUP)


def test_settings_change_at_run_time_if_they_can_and_all_hold_together(
    start: Launch, model_path: Path, tmp_path: Path, set_parameters: Callable[..., str]
) -> None:
    settings = tmp_path / 'settings.yaml'
    settings.write_text('detection: {merge_s: 2.0}\n')
    start(DETECTOR, {'model': model_path, 'config': settings})
    assert set_parameters(detection__false_alarms_per_hour=20.0, detection__merge_s=1.0) == ''
    assert 'needs re-configure' in set_parameters(ingest__lateness_s=0.2)
    assert 'needs re-configure' in set_parameters(detection__merge_s=0.1, model='/other')
    assert 'out of range' in set_parameters(detection__merge_s=-1.0)


def test_parameters_win_over_the_file_and_the_file_over_the_artifact(
    start: Launch, model_path: Path, tmp_path: Path, probe: Node, call: Callable
) -> None:
    settings = tmp_path / 'settings.yaml'
    settings.write_text('detection: {merge_s: 2.0, min_duration_s: 0.3}\n')
    start(DETECTOR, {'model': model_path, 'config': settings, 'detection.merge_s': 3})
    names = ['merge_s', 'min_duration_s', 'false_alarms_per_hour']
    question = GetParameters.Request(names=[f'detection.{name}' for name in names])
    values = call(GetParameters, f'{NODE}/get_parameters', question).values
    assert [value.double_value for value in values] == [3.0, 0.3, 6.0]


def test_diagnostics_begin_with_an_error_and_end_well(
    start: Launch, model_path: Path, hit_bag: Path, listen: Callable, spin_until: Spin
) -> None:
    arrays = listen(DiagnosticArray, '/diagnostics')
    start(DETECTOR, {'model': model_path, 'status_s': 0.2, 'use_sim_time': True})
    spin_until(lambda: bool(_levels(arrays, ': detector')))
    assert _levels(arrays, ': detector')[0] == DiagnosticStatus.ERROR
    assert arrays[0].status[1].message.startswith('no publisher of /rotor/')
    start(REPLAY, {'bag': hit_bag, 'rate': 2.0})
    spin_until(lambda: DiagnosticStatus.OK in _levels(arrays, ': detector'))
    spin_until(lambda: DiagnosticStatus.OK in _levels(arrays, ': input'))
    spin_until(lambda: DiagnosticStatus.OK in _levels(arrays, ': speed'))
    levels = _levels(arrays, ': detector')
    assert DiagnosticStatus.WARN in levels[: levels.index(DiagnosticStatus.OK)]


def test_the_fidelity_watch_compares_between_drains(
    start: Launch, model_path: Path, hit_bag: Path, listen: Callable, spin_until: Spin
) -> None:
    arrays = listen(DiagnosticArray, '/diagnostics')
    start(
        DETECTOR,
        {'model': model_path, 'status_s': 0.2, 'use_sim_time': True, 'shadow_fraction': 1.0},
    )
    start(REPLAY, {'bag': hit_bag, 'rate': 2.0})
    spin_until(lambda: DiagnosticStatus.OK in _levels(arrays, ': fidelity'))
    last = next(status for status in arrays[-1].status if status.name.endswith(': fidelity'))
    values = {value.key: value.value for value in last.values}
    assert int(values['hops compared']) > 0


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_closes_the_open_event_before_it_leaves(
    start: Launch,
    model_path: Path,
    hit_bag: Path,
    listen: Callable,
    spin_until: Spin,
    output: Callable[[], str],
    number: signal.Signals,
) -> None:
    events = listen(AnomalyEvent, '/taolora/anomalies')
    # Alarms of the whole recording are one event, so it is open when the signal comes.
    detector = start(
        DETECTOR,
        {
            'model': model_path,
            'use_sim_time': True,
            'detection.merge_s': 60,
        },  # open at the end of the recording
    )
    start(REPLAY, {'bag': hit_bag, 'rate': 2.0})
    spin_until(lambda: any(event.state == AnomalyEvent.ONSET for event in events))
    assert not any(event.state == AnomalyEvent.END for event in events)
    detector.send_signal(number)
    spin_until(lambda: any(event.state == AnomalyEvent.END for event in events))
    assert detector.wait(WAIT_S) == 0
    assert len({event.id for event in events}) == 1
    assert 'Traceback' not in output()


def test_scores_and_routes_are_published_while_watching(
    start: Launch, model_path: Path, hit_bag: Path, listen: Callable, spin_until: Spin
) -> None:
    scores = listen(AnomalyScore, '/taolora/scores')
    routes = listen(RoutingStatus, '/taolora/routing')
    # However far the machine falls behind, no row is passed over.
    settings = {'status_s': 0.2, 'use_sim_time': True, 'intake.backlog_s': 600.0}
    start(DETECTOR, {'model': model_path, **settings})
    start(REPLAY, {'bag': hit_bag, 'rate': 2.0})
    spin_until(lambda: len(scores) > 50 and bool(routes) and routes[-1].steady_tokens > 50)
    stamps = [rclpy.time.Time.from_msg(score.header.stamp).nanoseconds for score in scores]
    assert {after - before for before, after in itertools.pairwise(stamps)} == {40_000_000}
    assert all(0.0 <= score.p_value <= 1.0 for score in scores)
    assert routes[-1].samples_received > 0
    assert routes[-1].samples_dropped == 0
    assert max(route.hop_latency_max_s for route in routes) > 0.0
    assert routes[-1].hop_latency_p999_s >= routes[-1].hop_latency_p50_s
    assert 0 < routes[-1].steady_hop_bytes < routes[-1].transient_hop_bytes
    assert routes[-1].bytes_moved >= routes[-1].steady_tokens * routes[-1].steady_hop_bytes
