"""The artifact: a trained detector in one safetensors file.

Arrays are tensors named by their place (`prior.location`, `network.skip.linear.packed`, …);
everything else is JSON under the metadata key `taolora`. A SHA-256 over the JSON and all tensors
tells a damaged file. Nothing in it is executed.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from taolora_ros import __version__
from taolora_ros.config import Config, from_mapping, to_mapping
from taolora_ros.detection.evidence import Evidence, EvidenceNorm
from taolora_ros.detection.scoring import ScoreCalibration
from taolora_ros.detection.tails import BODY_POINTS, Tail
from taolora_ros.detection.thresholds import AlarmRate
from taolora_ros.detection.watch import WatchModel
from taolora_ros.engine import DetectorModel
from taolora_ros.errors import ArtifactError, ConfigError
from taolora_ros.model.network import NetworkWeights
from taolora_ros.model.relation import RelationWeights
from taolora_ros.routing.router import RouterLimits
from taolora_ros.signals.inputs import InputLayout
from taolora_ros.signals.session import SessionPrior

FORMAT = 3  # raised when an older reader could not read the file rightly
MAX_BYTES = 256 * 1024 * 1024

Tensors = dict[str, npt.NDArray[Any]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Header:
    """What an artifact holds beside its tensors."""

    format: int
    version: str  # of the package that wrote it
    channels: tuple[str, ...]
    trained_on: tuple[str, ...]
    config: Config
    limits: RouterLimits
    alarms: AlarmRate


def save(model: DetectorModel, path: Path) -> None:
    """Write an artifact.

    Raises:
        ArtifactError: the file can't be written.
    """
    watch = model.watch
    header = Header(
        format=FORMAT,
        version=__version__,
        channels=model.channels,
        trained_on=model.trained_on,
        config=model.config,
        limits=watch.limits,
        alarms=model.alarms,
    )
    tensors: Tensors = {
        **_prefixed('prior', vars(watch.prior)),
        **_prefixed('layout', vars(watch.layout)),
        **_prefixed('norm', vars(watch.norm)),
        **_prefixed('network', watch.network.to_tensors()),
        **_prefixed('relation', watch.relation.to_tensors()),
        'tails': _pack_tails((*model.scores.tails, model.scores.combined)),
    }
    tensors = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    text = json.dumps(to_mapping(header), sort_keys=True)
    sealed = {'sha256': _checksum(text, tensors), 'header': to_mapping(header)}
    try:  # one key, since safetensors writes several in any order
        save_file(tensors, path, metadata={'taolora': json.dumps(sealed, sort_keys=True)})
    except (OSError, SafetensorError) as error:
        raise ArtifactError(f'{path}: cannot be written: {error}') from None


def load(path: Path) -> DetectorModel:
    """Read and verify an artifact.

    Raises:
        ArtifactError: the file is missing, no artifact, damaged, too new or inconsistent.
    """
    text, tensors = _read(path)
    try:
        sealed = json.loads(text)
        values = sealed['header']
        if _checksum(json.dumps(values, sort_keys=True), tensors) != sealed['sha256']:
            raise ArtifactError('the checksum does not match; the file is damaged, copy it anew')
        if isinstance(values, dict) and values.get('format') != FORMAT:
            raise ArtifactError(
                f'format {values.get("format")!r}, this version reads {FORMAT}; '
                'train again or upgrade taolora_ros'
            )
        header = from_mapping(Header, values)
        return _assemble(header, tensors)
    except ArtifactError as error:
        raise ArtifactError(f'{path}: {error}') from None
    except (ValueError, KeyError, TypeError, IndexError, ConfigError) as error:
        raise ArtifactError(f'{path}: inconsistent artifact: {error}; train again') from None


def _read(path: Path) -> tuple[str, Tensors]:
    if not path.is_file():
        raise ArtifactError(f'{path}: no such artifact; make one with `taolora train`')
    if path.stat().st_size > MAX_BYTES:
        raise ArtifactError(f'{path}: larger than {MAX_BYTES >> 20} MiB; this is no artifact')
    try:
        with safe_open(path, framework='numpy') as file:
            metadata = file.metadata() or {}
            if 'taolora' not in metadata:
                raise ArtifactError(f'{path}: no taolora artifact; make one with `taolora train`')
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise ArtifactError(f'{path}: damaged or no artifact: {error}') from None
    return metadata['taolora'], tensors


def _assemble(header: Header, tensors: Tensors) -> DetectorModel:
    prior = SessionPrior(**_under('prior', tensors))
    layout = InputLayout(**_under('layout', tensors))
    norm = EvidenceNorm(**_under('norm', tensors))
    network = NetworkWeights.from_tensors(_under('network', tensors), header.config)
    channels, statistics = len(header.channels), len(Evidence)
    inputs = channels + len(layout.peak_channels)
    relation = RelationWeights.from_tensors(_under('relation', tensors), channels, header.config)
    shapes = {
        'prior.location': (prior.location, (channels,)),
        'prior.scale': (prior.scale, (channels,)),
        'prior.shrink': (prior.shrink, (channels,)),
        'prior.active': (prior.active, (channels,)),
        'layout.peak_scale': (layout.peak_scale, (inputs - channels,)),
        **{f'norm.{name}': (part, (statistics, inputs)) for name, part in vars(norm).items()},
        'tails': (tensors['tails'], (statistics + 1, BODY_POINTS + 3)),
    }
    for name, (tensor, shape) in shapes.items():
        if tensor.shape != shape:
            raise ValueError(f'{name} has shape {tensor.shape}, not {shape}')
    peaks = layout.peak_channels
    if peaks.dtype != np.int64 or ((peaks < 0) | (peaks >= channels)).any():
        raise ValueError('layout.peak_channels names a channel that is not there')
    if network.inputs != inputs:
        raise ValueError(f'the network has {network.inputs} inputs, the channels make {inputs}')
    for name, tensor in tensors.items():
        if tensor.dtype.kind == 'f' and not np.isfinite(tensor).all():
            raise ValueError(f'{name} is not finite')
    for name in ('prior.scale', 'layout.peak_scale', 'norm.spread'):
        if (tensors[name] <= 0).any():
            raise ValueError(f'{name} is not positive')
    *tails, combined = _unpack_tails(tensors['tails'])
    _require_positive('limits', header.limits)
    _require_positive('alarms', header.alarms)
    return DetectorModel(
        channels=header.channels,
        watch=WatchModel(
            config=header.config,
            prior=prior,
            layout=layout,
            network=network,
            relation=relation,
            limits=header.limits,
            norm=norm,
        ),
        scores=ScoreCalibration(tuple(tails), combined),
        alarms=header.alarms,
        trained_on=header.trained_on,
    )


def _pack_tails(tails: tuple[Tail, ...]) -> npt.NDArray[np.float64]:
    """One row a tail: body, then share, scale and shape."""
    return np.array([[*tail.body, tail.share, tail.scale, tail.shape] for tail in tails])


def _unpack_tails(rows: npt.NDArray[np.float64]) -> list[Tail]:
    share, scale, shape = rows[:, -3:].T
    falls = (np.diff(rows[:, :-3], axis=1) < 0).any()
    if falls or ((share <= 0) | (share >= 1) | (scale <= 0) | (shape < 0)).any():
        raise ValueError('tails hold no distribution')
    return [Tail(row[:-3], float(row[-3]), float(row[-2]), float(row[-1])) for row in rows]


def _require_positive(name: str, numbers: RouterLimits | AlarmRate) -> None:
    for field, value in vars(numbers).items():
        if not (np.isfinite(value) and value > 0):
            raise ValueError(f'{name}.{field} is {value}')


def _prefixed(prefix: str, tensors: Tensors) -> Tensors:
    return {f'{prefix}.{name}': tensor for name, tensor in tensors.items()}


def _under(prefix: str, tensors: Tensors) -> Tensors:
    start = f'{prefix}.'
    return {
        name[len(start) :]: tensor for name, tensor in tensors.items() if name.startswith(start)
    }


def _checksum(text: str, tensors: Tensors) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f'{name} {tensor.dtype.str} {tensor.shape}'.encode())
        digest.update(tensor.tobytes())
    return digest.hexdigest()
