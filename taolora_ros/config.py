"""Settings: frozen, self-validating dataclasses, and the one strict reader that fills them."""

from __future__ import annotations

import dataclasses
import enum
import sys
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from taolora_ros.errors import ConfigError, nearest, quoted
from taolora_ros.plain_yaml import read_yaml

T = TypeVar('T')

MAX_MIN_DURATION_S = 10.0  # the outlier buffer reaches back so far before word of an onset
MAX_PATCH = 32  # rows; the shortest window of evidence holds as many
FOREVER_S = 1e9  # 30 years; stamps in ns hold more


def setting(
    default: Any,
    description: str,
    *,
    low: float | None = None,
    high: float | None = None,
    reconfigure: bool = True,
) -> Any:
    """A dataclass field with what a ROS parameter description needs.

    Args:
        default: value when the user says nothing.
        description: what it is, with its unit.
        low: smallest valid value, inclusive.
        high: largest valid value, inclusive.
        reconfigure: whether a change takes effect only when the node configures again.
    """
    limits = {'description': description, 'low': low, 'high': high, 'reconfigure': reconfigure}
    return field(default=default, metadata=limits)


class _Validated:
    """Refuses numbers outside the limits of their field."""

    def __post_init__(self) -> None:
        for entry in dataclasses.fields(self):  # type: ignore[arg-type]
            low, high = entry.metadata.get('low'), entry.metadata.get('high')
            value = getattr(self, entry.name)
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                continue
            if (low is not None and not value >= low) or (high is not None and not value <= high):
                span = f'{"-inf" if low is None else low} to {"inf" if high is None else high}'
                raise ConfigError(f'{entry.name}: {quoted(value)} is out of range; valid: {span}')


class Fill(enum.Enum):
    """What a grid cell without a sample holds."""

    HOLD = 'hold'
    LINEAR = 'linear'


class StampSource(enum.Enum):
    """Which clock dates a message."""

    AUTO = 'auto'  # the header's where it is sane, else receipt
    HEADER = 'header'
    RECEIPT = 'receipt'


class Activation(enum.Enum):
    """How the scale of a token's INT4 codes is chosen."""

    STATIC = 'static'
    PER_TOKEN = 'per_token'
    PER_GROUP = 'per_group'
    TIME_AWARE = 'time_aware'


class Device(enum.Enum):
    """Where the network runs."""

    AUTO = 'auto'
    CPU = 'cpu'
    CUDA = 'cuda'


@dataclass(frozen=True, kw_only=True)
class IngestConfig(_Validated):
    """From messages to rows of the common grid."""

    sample_rate_hz: float = setting(100.0, 'grid rate in Hz', low=0.0001, high=100_000.0)
    fill: Fill = setting(Fill.HOLD, 'what a cell without a sample holds: hold or linear')
    stamps: StampSource = setting(
        StampSource.AUTO, 'clock that dates a message: auto, header or receipt'
    )
    lateness_s: float = setting(
        0.05, 'how long a cell waits for a late topic, in s', low=0.0, high=60.0
    )
    max_gap_s: float = setting(
        1.0, 'silence of all topics that restarts the windows, in s', low=0.0, high=FOREVER_S
    )
    max_clock_skew_s: float = setting(
        5.0,
        'header stamps farther than this from receipt are not believed, in s',
        low=0.0,
        high=FOREVER_S,
    )
    stale_s: float = setting(
        5.0, 'silence of one channel that makes it stale, in s', low=0.0, high=FOREVER_S
    )


@dataclass(frozen=True, kw_only=True)
class WindowConfig(_Validated):
    """What the model sees at a time."""

    patch: int = setting(4, 'grid rows in a token; one token enters a hop', low=1, high=MAX_PATCH)
    length: int = setting(256, 'grid rows that the window holds', low=16, high=1_000_000)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.length % self.patch:
            raise ConfigError(f'length: {self.length} is not a multiple of patch {self.patch}')


@dataclass(frozen=True, kw_only=True)
class ModelConfig(_Validated):
    """Shape of the network."""

    order: int = setting(10, 'past rows that the autoregressive skip sees', low=1, high=256)
    width: int = setting(128, 'features d of a token', low=32, high=1024)
    blocks: int = setting(3, 'residual blocks; 0 leaves the linear skip alone', low=0, high=12)
    kernel: int = setting(4, 'taps of the causal convolution', low=1, high=16)
    expansion: int = setting(2, 'hidden features of the MLP over d', low=1, high=8)


@dataclass(frozen=True, kw_only=True)
class QuantizationConfig(_Validated):
    """How the dual-path layers round."""

    group: int = setting(32, 'codes that share a scale along K, a power of two', low=8, high=256)
    rank: int = setting(8, 'rank R of the FP16 path', low=0, high=128)
    activation: Activation = setting(Activation.TIME_AWARE, 'how a token is scaled')
    ridge: float = setting(
        1e-2, 'ridge of the low-rank fit over the mean input power', low=0.0, high=1e6
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.group & (self.group - 1):
            raise ConfigError(
                f'group: {self.group} is no power of two; valid: 8, 16, 32, 64, 128 or 256'
            )


@dataclass(frozen=True, kw_only=True)
class RouterConfig(_Validated):
    """When a token is a transient."""

    on: float = setting(
        1.0, 'evidence over its calibrated limit that starts a transient', low=0.1, high=100.0
    )
    off: float = setting(0.6, 'evidence below which a transient may end', low=0.05, high=100.0)
    hold_s: float = setting(0.1, 'shortest transient, in s', low=0.0, high=60.0)
    baseline_s: float = setting(
        10.0, 'time constant of the slow baseline, in s', low=0.01, high=FOREVER_S
    )
    steady_share: float = setting(
        0.01, 'share of normal tokens that may take the FP16 path', low=1e-5, high=0.5
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.off > self.on:
            raise ConfigError(f'off: {self.off} is above on {self.on}; hysteresis needs off <= on')


@dataclass(frozen=True, kw_only=True)
class PreservationConfig(_Validated):
    """Full-precision samples kept around an event."""

    pre_s: float = setting(2.0, 'kept before the onset, in s', low=0.0, high=600.0)
    post_s: float = setting(2.0, 'kept after the end, in s', low=0.0, high=600.0)
    max_mb: float = setting(16.0, 'memory for the samples kept, in MB', low=0.1, high=4096.0)


@dataclass(frozen=True, kw_only=True)
class DetectionConfig(_Validated):
    """From scores to events."""

    false_alarms_per_hour: float = setting(
        1.0, 'false alarms an hour that are acceptable', low=1e-4, high=3600.0, reconfigure=False
    )
    warmup_s: float = setting(
        2.0, 'time over which a session re-bases its channels, in s', low=0.0, high=600.0
    )
    tracking_s: float = setting(
        600.0,
        'time constant with which locations follow a normal session, in s',
        low=1.0,
        high=FOREVER_S,
    )
    merge_s: float = setting(
        0.5,
        'alarms closer than this, or than 128 grid rows, are one event, in s',
        low=0.0,
        high=FOREVER_S,
        reconfigure=False,
    )
    min_duration_s: float = setting(
        0.0,
        'alarms shorter than this are no event, in s',
        low=0.0,
        high=MAX_MIN_DURATION_S,
        reconfigure=False,
    )


@dataclass(frozen=True, kw_only=True)
class TrainingConfig(_Validated):
    """How the network is fitted to normal recordings."""

    epochs: int = setting(20, 'passes over the training tokens', low=0, high=10_000)
    learning_rate: float = setting(
        2e-3, 'step size of the gradient refinement', low=1e-8, high=1.0
    )
    seed: int = setting(0, 'seed of every random choice', low=0, high=2**32 - 1)


@dataclass(frozen=True, kw_only=True)
class Config(_Validated):
    """Everything a user may set; the YAML file has the same shape."""

    channels: tuple[str, ...] = setting((), 'watched fields, e.g. /imu/data:linear_acceleration.x')
    labels: str = setting('', 'ground truth for evaluation, e.g. /ground_truth/anomaly:data')
    device: Device = setting(Device.AUTO, 'where the network runs: auto, cpu or cuda')
    memory_budget_mb: float = setting(
        0.0, 'memory for the model and its buffers, in MB; 0 for no limit', low=0.0, high=1e6
    )
    ingest: IngestConfig = field(default_factory=IngestConfig)
    window: WindowConfig = field(default_factory=WindowConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    quantization: QuantizationConfig = field(default_factory=QuantizationConfig)
    router: RouterConfig = field(default_factory=RouterConfig)
    preservation: PreservationConfig = field(default_factory=PreservationConfig)
    detection: DetectionConfig = field(default_factory=DetectionConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        width, group = self.model.width, self.quantization.group
        if self.model.blocks and width % group:
            raise ConfigError(
                f'model.width: {width} is not a multiple of quantization.group {group}'
            )

    @property
    def period_s(self) -> float:
        """Time between two grid rows, in s."""
        return 1.0 / self.ingest.sample_rate_hz

    @property
    def hop_s(self) -> float:
        """Time between two tokens, in s."""
        return self.window.patch * self.period_s


def from_mapping(kind: type[T], values: Mapping[str, Any], path: str = '') -> T:
    """Fill a settings dataclass from plain data, refusing what it does not know.

    Args:
        kind: the dataclass.
        values: what YAML, an artifact's header or ROS parameters hold.
        path: where this stands in the whole, for error messages.

    Raises:
        ConfigError: unknown key, wrong type or a value out of range; names the path.
    """
    prefix = f'{path}: ' if path else ''
    if not isinstance(values, Mapping):
        raise ConfigError(f'{prefix}expected settings by name, got {quoted(values)}')
    hints = typing.get_type_hints(kind)
    known = [entry.name for entry in dataclasses.fields(kind)]  # type: ignore[arg-type]
    for key in values:
        if key not in known:
            close = nearest(str(key)[:80], known)
            raise ConfigError(f'{prefix}unknown key {quoted(key)}; {close}')
    for entry in dataclasses.fields(kind):  # type: ignore[arg-type]
        is_required = entry.default is entry.default_factory is dataclasses.MISSING
        if is_required and entry.name not in values:
            raise ConfigError(f'{prefix}{entry.name} is missing')
    arguments = {
        key: _convert(hints[key], value, f'{path}.{key}' if path else key)
        for key, value in values.items()
    }
    try:
        return kind(**arguments)
    except ConfigError as error:
        raise ConfigError(f'{path}.{error}' if path else str(error)) from None


def _convert(kind: Any, value: Any, path: str) -> Any:
    if dataclasses.is_dataclass(kind):
        return from_mapping(typing.cast(type[Any], kind), value, path)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        choices = [member.value for member in kind]
        if value not in choices:
            raise ConfigError(f'{path}: {quoted(value)} is none of {", ".join(map(str, choices))}')
        return kind(value)
    if typing.get_origin(kind) is tuple:
        if not isinstance(value, (list, tuple)):
            raise ConfigError(f'{path}: expected a list, got {quoted(value)}')
        (inner, *_) = typing.get_args(kind)
        return tuple(_convert(inner, item, f'{path}[{n}]') for n, item in enumerate(value))
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        inner = [option for option in typing.get_args(kind) if option is not type(None)]
        return None if value is None else _convert(inner[0], value, path)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        if abs(value) > sys.float_info.max:
            raise ConfigError(f'{path}: a number of {value.bit_length()} bits is out of range')
        return float(value)
    if type(value) is not kind:
        raise ConfigError(f'{path}: expected {kind.__name__}, got {quoted(value)}')
    if kind is str and any('\ud800' <= letter <= '\udfff' for letter in value):
        raise ConfigError(f'{path}: {quoted(value)} holds half a letter (a lone surrogate)')
    return value


def to_mapping(config: Any) -> dict[str, Any]:
    """Plain data that `from_mapping` turns back into an equal configuration."""

    def plain(value: Any) -> Any:
        if dataclasses.is_dataclass(value):
            return {
                item.name: plain(getattr(value, item.name)) for item in dataclasses.fields(value)
            }
        if isinstance(value, enum.Enum):
            return value.value
        return [plain(item) for item in value] if isinstance(value, tuple) else value

    return typing.cast(dict[str, Any], plain(config))


def flat(config: Any) -> dict[str, Any]:
    """Plain values of all settings by dotted name, e.g. 'detection.merge_s'."""

    def leaves(values: Mapping[str, Any], path: str) -> Iterator[tuple[str, Any]]:
        for key, value in values.items():
            if isinstance(value, Mapping):
                yield from leaves(value, f'{path}{key}.')
            else:
                yield f'{path}{key}', value

    return dict(leaves(to_mapping(config), ''))


def overlay(base: T, changes: Mapping[str, Any]) -> T:
    """A copy of settings in which some are changed, validated as a whole.

    Args:
        base: settings that hold where `changes` says nothing.
        changes: plain data of the same shape; any part may be missing.

    Raises:
        ConfigError: unknown key, wrong type or a value out of range; names the path.
    """
    return from_mapping(type(base), _merged(to_mapping(base), changes))


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in changes.items():
        below = merged.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            merged[key] = _merged(below, value)
        else:
            merged[key] = value
    return merged


def read_config(path: Path, base: Config | None = None) -> Config:
    """Read a YAML file of settings.

    Args:
        path: the file.
        base: settings that hold where the file says nothing; the defaults unless given.

    Raises:
        ConfigError: the file is missing, is no YAML, or holds a setting that is not valid.
    """
    values = read_yaml(path)
    if values is not None and not isinstance(values, Mapping):
        raise ConfigError(f'{path}: expected settings by name, got {quoted(values)}')
    try:
        return overlay(base or Config(), values or {})
    except ConfigError as error:
        raise ConfigError(f'{path}: {error}') from None
