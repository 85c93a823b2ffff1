from __future__ import annotations

import dataclasses
import enum
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from taolora_ros.config import (
    Activation,
    Config,
    IngestConfig,
    ModelConfig,
    RouterConfig,
    WindowConfig,
    from_mapping,
    read_config,
    to_mapping,
)
from taolora_ros.errors import ConfigError

ROOT = Path(__file__).parent.parent
SECTIONS = [entry for entry in dataclasses.fields(Config) if not entry.metadata]


def settings() -> list[tuple[str, dataclasses.Field[Any]]]:
    """Every setting with the path of its section, '' for the top."""
    top = [('', entry) for entry in dataclasses.fields(Config) if entry.metadata]
    nested = [
        (section.name, entry)
        for section in SECTIONS
        for entry in dataclasses.fields(type(getattr(Config(), section.name)))
    ]
    return top + nested


@pytest.mark.parametrize(
    ('values', 'said'),
    [
        ({'window': {'lenght': 8}}, "window: unknown key 'lenght'; did you mean 'length'?"),
        ({'windows': {}}, "unknown key 'windows'; did you mean 'window' or"),
        ({'window': 8}, 'window: expected settings by name, got 8'),
        ({'window': {'patch': 4.5}}, 'window.patch: expected int, got 4.5'),
        ({'window': {'patch': True}}, 'window.patch: expected int, got True'),
        ({'window': {'patch': 0}}, 'window.patch: 0 is out of range; valid: 1 to 32'),
        (
            {'quantization': {'group': 48}},
            'quantization.group: 48 is no power of two; valid: 8, 16, 32, 64, 128 or 256',
        ),
        ({'model': {'width': 100}}, 'model.width: 100 is not a multiple of quantization.group 32'),
        ({'window': {'length': 258}}, 'window.length: 258 is not a multiple of patch 4'),
        ({'ingest': {'lateness_s': '1'}}, "ingest.lateness_s: expected float, got '1'"),
        (
            {'ingest': {'max_gap_s': -1}},
            'ingest.max_gap_s: -1.0 is out of range; valid: 0.0 to 1000000000.0',
        ),
        ({'ingest': {'fill': 'spline'}}, "ingest.fill: 'spline' is none of hold, linear"),
        ({'ingest': {'fill': ['hold']}}, "ingest.fill: ['hold'] is none of hold, linear"),
        ({'router': {'on': 1.0, 'off': 2.0}}, 'router.off: 2.0 is above on 1.0'),
        ({'channels': '/imu:x'}, "channels: expected a list, got '/imu:x'"),
        ({'channels': ['/imu:x', 3]}, 'channels[1]: expected str, got 3'),
        ({'seed': 1}, "unknown key 'seed'; known: channels, detection, device"),
        ({'ingest': {'max_gap_s': 10**400}}, 'ingest.max_gap_s: a number of 1329 bits is out of'),
        ({'device': 'tpu'}, "device: 'tpu' is none of auto, cpu, cuda"),
    ],
)
def test_a_bad_setting_is_refused_with_its_path(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        from_mapping(Config, values)
    assert str(refused.value).startswith(said)


def test_nan_is_out_of_every_range() -> None:
    with pytest.raises(ConfigError, match='lateness_s: nan is out of range'):
        IngestConfig(lateness_s=float('nan'))


def test_a_whole_number_stands_for_a_float() -> None:
    config = from_mapping(IngestConfig, {'sample_rate_hz': 50})
    assert config.sample_rate_hz == 50.0
    assert isinstance(config.sample_rate_hz, float)


def test_nothing_said_means_the_defaults() -> None:
    assert from_mapping(Config, {}) == Config()


def test_period_and_hop_follow_from_rate_and_patch() -> None:
    config = Config(ingest=IngestConfig(sample_rate_hz=200.0), window=WindowConfig(patch=8))
    assert config.period_s == 0.005
    assert config.hop_s == 0.04


def values_of(entry: dataclasses.Field[Any], low: float, high: float) -> st.SearchStrategy[Any]:
    default = entry.default
    if isinstance(default, enum.Enum):
        return st.sampled_from(list(type(default)))
    if isinstance(default, int):
        return st.integers(int(low), int(high))
    return st.floats(low, high)


def sections() -> st.SearchStrategy[Config]:
    """Configurations whose numbers lie anywhere in their ranges."""
    bound = {
        'length': st.integers(1, 900).map(lambda n: n * 16),
        'off': st.floats(0.05, 0.1),
        'group': st.sampled_from([8, 16, 32, 64, 128, 256]),
    }

    def section(kind: type[Any]) -> st.SearchStrategy[Any]:
        limits = {
            entry.name: (entry.metadata['low'] or 0.0, entry.metadata['high'] or 1e6)
            for entry in dataclasses.fields(kind)
        }
        arguments = {
            entry.name: bound.get(entry.name, values_of(entry, *limits[entry.name]))
            for entry in dataclasses.fields(kind)
        }
        if kind is WindowConfig:
            arguments['patch'] = st.sampled_from([1, 2, 4, 8, 16])
        if kind is ModelConfig:  # a multiple of every group
            arguments['width'] = st.sampled_from([256, 512, 768, 1024])
        return st.builds(kind, **arguments)

    names = {entry.name: type(getattr(Config(), entry.name)) for entry in SECTIONS}
    return st.builds(
        Config,
        channels=st.lists(st.text(), max_size=4).map(tuple),
        **{name: section(kind) for name, kind in names.items()},
    )


@given(sections())
def test_a_configuration_survives_yaml(config: Config) -> None:
    text = yaml.safe_dump(to_mapping(config))
    assert from_mapping(Config, yaml.safe_load(text)) == config


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    ),
    st.sampled_from([path for path in settings() if path[0]]),
)
def test_any_value_is_taken_or_refused_in_one_line(
    value: object, setting: tuple[str, dataclasses.Field[Any]]
) -> None:
    section, entry = setting
    outcome = outcome_of({section: {entry.name: value}})
    if isinstance(outcome, Config):
        assert type(getattr(getattr(outcome, section), entry.name)) is type(entry.default)
    else:
        assert outcome.startswith(f'{section}.')
        assert '\n' not in outcome


def outcome_of(values: dict[str, Any]) -> Config | str:
    """The configuration, or why there is none."""
    try:
        return from_mapping(Config, values)
    except ConfigError as error:
        return str(error)


def test_every_setting_says_what_it_is() -> None:
    for section, entry in settings():
        assert entry.metadata['description'], f'{section}.{entry.name}'


def test_settings_do_not_change() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Config().window.patch = 8  # type: ignore[misc]


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / 'arm.yaml'
    path.write_text('channels: [/imu:x]\nquantization: {activation: static}\n', encoding='utf-8')
    config = read_config(path)
    assert config.channels == ('/imu:x',)
    assert config.quantization.activation is Activation.STATIC


def test_an_empty_file_means_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / 'empty.yaml'
    path.write_text('', encoding='utf-8')
    assert read_config(path) == Config()


@pytest.mark.parametrize(
    ('content', 'said'),
    [
        (b'window: {patch: 0}', 'window.patch: 0 is out of range'),
        (b'window: [', 'cannot be read as YAML'),
        (b'\xff\xfe\x00', 'cannot be read as YAML'),
        (b'- 1\n- 2\n', 'expected settings by name, got [1, 2]'),
    ],
)
def test_a_bad_file_is_refused_by_name(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / 'bad.yaml'
    path.write_bytes(content)
    with pytest.raises(ConfigError) as refused:
        read_config(path)
    assert str(refused.value).startswith(f'{path}: {said}')
    assert '\n' not in str(refused.value)


def test_a_missing_file_points_to_the_examples(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='no such file; see config/ for examples'):
        read_config(tmp_path / 'none.yaml')


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='cannot be read as YAML'):
        read_config(tmp_path)


@pytest.mark.parametrize('path', sorted((ROOT / 'config').glob('*.yaml')), ids=lambda p: p.name)
def test_the_shipped_examples_are_valid(path: Path) -> None:
    assert read_config(path).channels


def test_hysteresis_needs_room() -> None:
    assert RouterConfig(on=1.0, off=1.0).off == 1.0
    with pytest.raises(ConfigError, match='hysteresis'):
        RouterConfig(on=0.5)


def test_on_and_off_are_settings_and_not_booleans(tmp_path: Path) -> None:
    path = tmp_path / 'detector.yaml'
    path.write_text('router: {on: 2.0, off: 1.5}\ntraining: {learning_rate: 1e-3}\n')
    config = read_config(path)
    assert (config.router.on, config.router.off) == (2.0, 1.5)
    assert config.training.learning_rate == 0.001


def test_example_configuration_shows_every_setting_with_its_default() -> None:
    path = ROOT / 'config' / 'detector.yaml'
    assert dataclasses.replace(read_config(path), channels=()) == Config()
    told = path.read_text(encoding='utf-8')
    assert [entry.name for _, entry in settings() if f'{entry.name}:' not in told] == []
