from __future__ import annotations

from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from std_srvs.srv import SetBool, Trigger
from taolora_ros.srv import LoadModel

from taolora_ros import artifact
from taolora_ros.bags import read_messages, topics
from taolora_ros.engine import DetectorModel


def test_reset_begins_a_new_session_and_counts_anew(watching: Any) -> None:
    answer = watching.call(Trigger, 'reset', Trigger.Request())
    assert (answer.success, answer.message) == (True, 'new session: warming up')
    watching.sent = 0
    watching.play(1.0)
    watching.await_report('detector', 'warming up')
    watching.spin_until(lambda: watching.value('input', 'received') == str(watching.sent))


def test_what_is_off_scores_nothing_and_counts_everything(watching: Any) -> None:
    assert watching.call(SetBool, 'enable', SetBool.Request(data=False)).success
    watching.play(2.0, watching.hit)
    watching.await_report('detector', 'scoring is off')
    watching.spin_until(lambda: watching.value('input', 'received') == str(watching.sent))
    assert watching.onsets() == 0
    assert watching.call(SetBool, 'enable', SetBool.Request(data=True)).success
    watching.play(4.0)
    watching.await_report('detector', 'watching')
    watching.find()


def test_rebase_warms_up_and_goes_on_counting(watching: Any) -> None:
    assert watching.call(Trigger, 'rebase', Trigger.Request()).success
    watching.play(0.5)
    watching.await_report('detector', 'warming up')
    watching.play(4.0)
    watching.await_report('detector', 'watching')
    watching.spin_until(lambda: watching.value('input', 'received') == str(watching.sent))
    watching.find()


def test_what_needs_an_active_detector_is_refused_with_its_reason(rig: Any) -> None:
    rig.detect({'autostart': False})
    answer = rig.call(Trigger, 'reset', Trigger.Request())
    assert not answer.success
    assert answer.message == 'the detector is not active; activate it first'


def test_a_snapshot_on_demand_answers_the_path_of_a_bag(
    rig: Any, model_path: Path, tmp_path: Path
) -> None:
    rig.detect({'model': model_path, 'snapshots.directory': tmp_path / 'bags'})
    rig.play(3.0)
    answer = rig.call(Trigger, 'snapshot', Trigger.Request())
    assert answer.success, answer.message
    path = Path(answer.message)
    assert path.parent == tmp_path / 'bags'
    assert topics(path) == {
        '/rotor/imu': 'sensor_msgs/msg/Imu',
        '/rotor/joints': 'sensor_msgs/msg/JointState',
    }
    assert len(list(read_messages(path))) == rig.sent


def test_a_snapshot_without_a_directory_is_refused(watching: Any) -> None:
    answer = watching.call(Trigger, 'snapshot', Trigger.Request())
    assert (answer.success, answer.message) == (
        False,
        'snapshots.directory: not set; set it and configure again',
    )


def test_an_artifact_that_cannot_be_read_or_does_not_fit_is_refused_and_the_old_one_goes_on(
    watching: Any, model: DetectorModel, model_path: Path, tmp_path: Path
) -> None:
    damaged = tmp_path / 'damaged.safetensors'
    damaged.write_bytes(model_path.read_bytes()[:-5])
    for path, said in (
        ('', 'model: not set'),
        ('/nowhere.safetensors', 'no such artifact'),
        (str(damaged), 'damaged'),
    ):
        answer = watching.call(LoadModel, 'load_model', LoadModel.Request(path=path))
        assert not answer.success
        assert said in answer.message
    watching.find()


def test_a_swap_under_load_loses_no_message_and_finds_events_afterwards(
    watching: Any, model: DetectorModel, tmp_path: Path
) -> None:
    """Messages keep coming while the artifact is loaded."""
    path = tmp_path / 'new.safetensors'
    artifact.save(model, path)
    client = watching.node.create_client(LoadModel, '/taolora_detector/load_model')
    watching.spin_until(client.service_is_ready)
    future = client.call_async(LoadModel.Request(path=str(path)))
    while not future.done():
        watching.play(0.2)
    assert future.result().success, future.result().message
    watching.play(5.0)
    watching.await_report('detector', 'watching')
    watching.spin_until(lambda: watching.value('input', 'received') == str(watching.sent))
    assert watching.value('input', 'lost') == '0'
    assert watching.onsets() == 0
    watching.find()
    assert watching.told('detector')[0] == DiagnosticStatus.OK
    assert watching.arrays[-1].status[0].hardware_id == str(path)
