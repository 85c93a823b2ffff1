"""The artifact: a trained detector in one safetensors file.

Arrays are tensors named by their place (`prior.location`, `network.skip.linear.packed`, …);
everything else is JSON under the metadata key `taolora`. A SHA-256 over the JSON and all tensors
tells a damaged file. Nothing in it is executed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import save_file

from taolora_ros import __version__
from taolora_ros.config import Config, from_mapping, to_mapping
from taolora_ros.detection.evidence import Evidence, EvidenceNorm
from taolora_ros.detection.scoring import ScoreCalibration
from taolora_ros.detection.tails import BODY_POINTS, Tail
from taolora_ros.detection.thresholds import AlarmRate
from taolora_ros.detection.watch import WatchModel
from taolora_ros.engine import DetectorModel
from taolora_ros.errors import ArtifactError, ConfigError, nearest
from taolora_ros.model.network import NetworkWeights
from taolora_ros.model.relation import RelationWeights
from taolora_ros.model.tensors import TensorReader, Tensors, parse
from taolora_ros.routing.router import RouterLimits
from taolora_ros.samples import Floats
from taolora_ros.signals.inputs import InputLayout
from taolora_ros.signals.session import SessionPrior

FORMAT = 3  # raised when an older reader could not read the file rightly
MAX_BYTES = 256 * 1024 * 1024

# What content that does not fit together makes the readers of its parts raise.
_INCONSISTENT = (ValueError, LookupError, TypeError, OverflowError, RecursionError, ConfigError)


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
    """Write an artifact; one that is there stays until the new one is complete.

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
    partial = path.with_name(f'{path.name}.partial')
    try:  # one key, since safetensors writes several in any order
        save_file(tensors, partial, metadata={'taolora': json.dumps(sealed, sort_keys=True)})
        partial.replace(path)
    except (OSError, SafetensorError) as error:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise ArtifactError(f'{path}: cannot be written: {error}') from None


def load(path: Path) -> DetectorModel:
    """Read and verify an artifact.

    Raises:
        ArtifactError: the file is missing, no artifact, damaged, too new or inconsistent.
    """
    content = _read(path)
    try:
        metadata, tensors = parse(content)
        if 'taolora' not in metadata:
            raise ArtifactError('no taolora artifact; make one with `taolora train`')
        sealed = json.loads(metadata['taolora'])
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
    except _INCONSISTENT as error:
        raise ArtifactError(f'{path}: inconsistent artifact: {error}; train again') from None


def _read(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise ArtifactError(f'{path}: no such artifact; make one with `taolora train`')
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise ArtifactError(f'{path}: larger than {MAX_BYTES >> 20} MiB; this is no artifact')
        with path.open('rb') as file:
            return file.read(size)  # mapped, it would kill us if somebody cut it short meanwhile
    except OSError as error:
        raise ArtifactError(f'{path}: cannot be read: {error.strerror}') from None


def _assemble(header: Header, tensors: Tensors) -> DetectorModel:
    known = {'tails', *_names('prior', SessionPrior), *_names('layout', InputLayout)}
    known |= _names('norm', EvidenceNorm)
    for name in tensors:
        if name not in known and not name.startswith(('network.', 'relation.')):
            raise ArtifactError(f'unknown tensor {name!r}; {nearest(name, known)}')
    reader = TensorReader(tensors)
    channels, statistics, config = len(header.channels), len(Evidence), header.config
    (peaks,) = reader.shape('layout.peak_channels', dimensions=1)
    inputs = channels + peaks

    def vectors(name: str, kind: type[Any], shape: tuple[int, ...]) -> dict[str, Floats]:
        return {
            part: reader.take(f'{name}.{part}', np.float64, shape)
            for part in (field.name for field in dataclasses.fields(kind))
        }

    prior = SessionPrior(**vectors('prior', SessionPrior, (channels,)))
    layout = InputLayout(
        peak_channels=reader.take('layout.peak_channels', np.int64, (peaks,)),
        peak_scale=reader.take('layout.peak_scale', np.float64, (peaks,)),
    )
    norm = EvidenceNorm(**vectors('norm', EvidenceNorm, (statistics, inputs)))
    if ((layout.peak_channels < 0) | (layout.peak_channels >= channels)).any():
        raise ValueError('layout.peak_channels names a channel that is not there')
    for name in ('prior.scale', 'layout.peak_scale', 'norm.spread'):
        if (tensors[name] <= 0).any():
            raise ValueError(f'{name} is not positive')
    # As large as the settings say, before what is computed from them.
    reader.take('network.skip.own', np.float16, (config.model.order, inputs))
    network = NetworkWeights.from_tensors(_under('network', tensors), config)
    if network.inputs != inputs:
        raise ValueError(f'the network has {network.inputs} inputs, the channels make {inputs}')
    relation = RelationWeights.from_tensors(_under('relation', tensors), channels, config)
    rows = reader.take('tails', np.float64, (statistics + 1, BODY_POINTS + 3))
    *tails, combined = _unpack_tails(rows)
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


def _names(prefix: str, kind: type[Any]) -> set[str]:
    return {f'{prefix}.{field.name}' for field in dataclasses.fields(kind)}


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
