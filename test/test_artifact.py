from __future__ import annotations

import json
import resource
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from taolora_ros import artifact
from taolora_ros.engine import DetectorModel, Engine
from taolora_ros.errors import ArtifactError
from taolora_ros.samples import Recording, Row


@pytest.fixture(scope='module')
def saved(rotor_model: DetectorModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp('artifact') / 'rotor.safetensors'
    artifact.save(rotor_model, path)
    return path


def _scores(model: DetectorModel, recording: Recording) -> list[float]:
    engine = Engine(model)
    rows = zip(recording.stamps_ns, recording.values, recording.peaks, strict=True)
    hops = [engine.push(Row(int(t), v, p, np.ones(4, dtype=bool))) for t, v, p in rows]
    return [hop.score for hop in hops if hop]


def _rewrite(source: Path, target: Path, change: Callable[[dict, dict], None]) -> None:
    """Write a copy with other content and a right checksum, as a hostile author could."""
    with safe_open(source, framework='numpy') as file:
        header = json.loads(file.metadata()['taolora'])['header']
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    change(header, tensors)
    text = json.dumps(header, sort_keys=True)
    sealed = {'sha256': artifact._checksum(text, tensors), 'header': header}
    save_file(tensors, target, metadata={'taolora': json.dumps(sealed)})


def test_a_loaded_detector_scores_exactly_as_the_one_that_was_saved(
    rotor_model: DetectorModel, saved: Path, make_rotor: Callable[[float, int], Recording]
) -> None:
    recording = make_rotor(10.0, 90)
    loaded = artifact.load(saved)
    assert _scores(loaded, recording) == _scores(rotor_model, recording)
    assert loaded.config == rotor_model.config
    assert loaded.channels == rotor_model.channels
    assert loaded.trained_on == ('rotor_0', 'rotor_1', 'rotor_2')


def test_an_artifact_stays_as_it_is_when_another_cannot_be_written_over_it(
    rotor_model: DetectorModel, saved: Path
) -> None:
    before = saved.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))  # as on a disk that is full
    try:
        with pytest.raises(ArtifactError, match='cannot be written'):
            artifact.save(rotor_model, saved)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


def test_one_changed_byte_anywhere_is_refused_in_one_line(saved: Path, tmp_path: Path) -> None:
    content = bytearray(saved.read_bytes())
    damaged = tmp_path / 'damaged.safetensors'
    generator = np.random.default_rng(0)
    places = [0, 9, len(content) - 1, *generator.integers(0, len(content), 60)]
    for place in places:
        changed = content.copy()
        changed[place] ^= 0x5A
        damaged.write_bytes(changed)
        with pytest.raises(ArtifactError) as caught:
            artifact.load(damaged)
        assert '\n' not in str(caught.value)


@pytest.mark.parametrize('length', [0, 7, 100, 5000])
def test_a_truncated_file_is_refused(saved: Path, tmp_path: Path, length: int) -> None:
    short = tmp_path / 'short.safetensors'
    short.write_bytes(saved.read_bytes()[:length])
    with pytest.raises(ArtifactError, match='damaged or no artifact'):
        artifact.load(short)


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match='no such artifact; make one with `taolora train`'):
        artifact.load(tmp_path / 'none.safetensors')


def test_a_foreign_safetensors_file_is_no_artifact(tmp_path: Path) -> None:
    path = tmp_path / 'foreign.safetensors'
    save_file({'weight': np.zeros(3)}, path)
    with pytest.raises(ArtifactError, match='no taolora artifact'):
        artifact.load(path)


def test_a_newer_format_says_to_upgrade(saved: Path, tmp_path: Path) -> None:
    path = tmp_path / 'newer.safetensors'
    _rewrite(saved, path, lambda header, tensors: header.update(format=artifact.FORMAT + 1))
    said = f'format {artifact.FORMAT + 1}, this version reads {artifact.FORMAT}'
    with pytest.raises(ArtifactError, match=said):
        artifact.load(path)


@pytest.mark.parametrize(
    ('change', 'reason'),
    [
        (lambda header, tensors: header['channels'].pop(), 'does not fit'),
        (lambda header, tensors: header.update(surprise=1), "unknown key 'surprise'"),
        (lambda header, tensors: tensors.pop('tails'), 'tails'),
        (lambda header, tensors: tensors.update(tails=np.zeros((2, 2))), "'tails' is float64"),
        (lambda header, tensors: header['config']['window'].update(patch='4'), 'expected int'),
        (lambda header, tensors: tensors['norm.center'].fill(np.nan), "'norm.center' holds NaN"),
        (lambda header, tensors: tensors['norm.spread'].fill(0.0), 'norm.spread is not positive'),
        (lambda header, tensors: tensors['tails'].fill(0.0), 'tails hold no distribution'),
        (
            lambda header, tensors: tensors['network.skip.linear.steady'].fill(0.0),
            r"'skip\.linear\.steady' holds a scale that is not positive",
        ),
        (
            lambda header, tensors: tensors.pop('network.skip.linear.smooth'),
            r"'skip\.linear\.smooth' is missing",
        ),
        (
            lambda header, tensors: tensors['relation.steady'].fill(np.inf),
            "'steady' holds NaN or infinity",
        ),
        (
            lambda header, tensors: header['config']['quantization'].update(group=24),
            'group: 24 is no power of two',
        ),
        (lambda header, tensors: header['alarms'].update(scale=-10.0), 'alarms.scale is -10.0'),
        (
            lambda header, tensors: header['limits'].update(clip_share=0.0),
            'limits.clip_share is 0',
        ),
    ],
)
def test_inconsistent_content_is_refused_with_its_reason(
    saved: Path, tmp_path: Path, change: Callable[[dict, dict], None], reason: str
) -> None:
    path = tmp_path / 'inconsistent.safetensors'
    _rewrite(saved, path, change)
    with pytest.raises(ArtifactError, match=reason):
        artifact.load(path)
