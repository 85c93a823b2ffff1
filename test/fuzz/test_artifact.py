"""Crafted and damaged artifacts; a hostile author knows how to seal them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import save

from taolora_ros import artifact
from taolora_ros.detection.evidence import Evidence
from taolora_ros.engine import DetectorModel
from taolora_ros.errors import ArtifactError

FUZZ = settings(derandomize=True, database=None, deadline=None, max_examples=150)
# The file itself, its tensors, one tensor's bytes for the checksum; the header is parsed as JSON.
FACTOR = 24

Survives = Callable[..., Any]
Load = Callable[[bytes], Any]


@pytest.fixture(scope='module')
def content(rotor_model: DetectorModel, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A good artifact."""
    path = tmp_path_factory.mktemp('good') / 'rotor.safetensors'
    artifact.save(rotor_model, path)
    return path.read_bytes()


@pytest.fixture(scope='module')
def parts(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """Its JSON and its tensors."""
    path = tmp_path_factory.mktemp('parts') / 'rotor.safetensors'
    path.write_bytes(content)
    with safe_open(path, framework='numpy') as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return json.loads(file.metadata()['taolora'])['header'], tensors


@pytest.fixture(scope='module')
def load(survives: Survives, tmp_path_factory: pytest.TempPathFactory) -> Load:
    """Loads bytes as a file; the model or the error."""
    path = tmp_path_factory.mktemp('crafted') / 'crafted.safetensors'

    def attempt(data: bytes) -> Any:
        path.write_bytes(data)
        return survives(lambda: artifact.load(path), size=len(data), factor=FACTOR)

    return attempt


def framed(header: str, body: bytes, length: int | None = None) -> bytes:
    """A safetensors file: the header's length, the header, the tensors."""
    text = header.encode('utf-8', 'surrogatepass')
    return (len(text) if length is None else length).to_bytes(8, 'little') + text + body


def sealed(header_text: str, tensors: dict[str, Any]) -> bytes:
    """An artifact of any JSON text and tensors, with the checksum that goes with them."""
    try:
        plain = json.dumps(json.loads(header_text), sort_keys=True)
    except (ValueError, RecursionError):
        plain = ''
    digest = artifact._checksum(plain, tensors)
    return save(tensors, {'taolora': f'{{"sha256": "{digest}", "header": {header_text}}}'})


def split(content: bytes) -> tuple[dict[str, Any], bytes]:
    start = 8 + int.from_bytes(content[:8], 'little')
    return json.loads(content[8:start]), content[start:]


def test_a_good_artifact_loads(content: bytes, parts: Any, load: Load) -> None:
    header, tensors = parts
    for data in (content, framed(json.dumps(split(content)[0]), split(content)[1])):
        assert isinstance(load(data), DetectorModel)
    assert isinstance(load(sealed(json.dumps(header), tensors)), DetectorModel)


@FUZZ
@given(
    edits=st.lists(
        st.tuples(st.floats(0, 1), st.binary(max_size=9), st.integers(0, 9)),
        min_size=1,
        max_size=4,
    )
)
def test_changed_bytes_are_refused(content: bytes, load: Load, edits: Any) -> None:
    data = bytearray(content)
    for where, new, old in edits:
        place = round(where * len(data))
        data[place : place + old] = new
    if data != content:
        assert isinstance(load(bytes(data)), ArtifactError)


def test_a_file_cut_at_any_boundary_is_refused(content: bytes, load: Load) -> None:
    header, body = split(content)
    start = len(content) - len(body)
    ends = {0, 8, start, *(start + part['data_offsets'][1] for part in _tensors(header))}
    for end in sorted(end + step for end in ends for step in (-1, 0, 1)):
        if 0 <= end < len(content):
            assert isinstance(load(content[:end]), ArtifactError), end


def _tensors(header: dict[str, Any]) -> Iterator[dict[str, Any]]:
    return (part for name, part in header.items() if name != '__metadata__')


@pytest.mark.parametrize('length', [0, 1, 7, 2**31, 2**32 - 1, 2**62, 2**63 - 1, 2**63, 2**64 - 1])
def test_a_header_of_any_length_is_refused(content: bytes, load: Load, length: int) -> None:
    header, body = split(content)
    assert isinstance(load(framed(json.dumps(header), body, length)), ArtifactError)


SIZES = (
    st.sampled_from([0, 1, 2, 31, 2**31, 2**32, 2**53, 2**63 - 1, 2**63, 2**64]) | st.integers()
)
TYPES = [
    'F64',
    'F32',
    'F16',
    'BF16',
    'F8_E4M3',
    'F4',
    'C64',
    'I64',
    'I8',
    'U8',
    'U64',
    'BOOL',
    'X',
]
LEAVES = st.none() | st.booleans() | SIZES | st.floats() | st.text(max_size=9)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)


@FUZZ
@given(
    which=st.integers(0, 27),
    changes=st.fixed_dictionaries(
        {},
        optional={
            'dtype': st.sampled_from(TYPES) | VALUES,
            'shape': st.lists(SIZES, max_size=70) | VALUES,
            'data_offsets': st.lists(SIZES, min_size=2, max_size=2) | VALUES,
        },
    ),
    is_dropped=st.booleans(),
)
def test_tensors_that_overlap_lie_outside_or_are_of_any_type_are_refused(
    content: bytes, load: Load, which: int, changes: dict[str, Any], is_dropped: bool
) -> None:
    header, body = split(content)
    names = sorted(header.keys() - {'__metadata__'})
    name = names[which % len(names)]
    before = json.dumps(header)
    if is_dropped:
        del header[name]
    else:
        header[name] |= changes
    if json.dumps(header) != before:
        assert isinstance(load(framed(json.dumps(header), body)), ArtifactError)


# What json.dumps does not write, or not so.
RAW = [
    '[' * 100_000 + ']' * 100_000,
    '{"a":' * 900 + '0' + '}' * 900,
    '9' * 5000,
    '-' + '9' * 400,
    '1e999',
    'NaN',
    '-Infinity',
    '"\\ud800"',
    '"\\n\\u2028\\u0000"',
    f'"{"x" * 100_000}"',
    f'{{"{"y" * 100_000}": 1}}',
    '{"a": 1, "a": 2}',
]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every path in JSON data."""
    yield path
    if isinstance(value, (dict, list)):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[key], (*path, key))


def put(data: Any, path: tuple[Any, ...], value: Any) -> Any:
    """JSON data with something else at a path."""
    if not path:
        return value
    copy = data.copy()
    copy[path[0]] = put(data[path[0]], path[1:], value)
    return copy


@FUZZ
@given(where=st.integers(0, 10**6), value=VALUES | st.sampled_from(RAW).map(lambda text: (text,)))
def test_any_json_under_a_right_checksum_is_taken_or_refused(
    parts: Any, load: Load, where: int, value: Any
) -> None:
    header, tensors = parts
    paths = list(places(header))
    raw = value[0] if isinstance(value, tuple) else json.dumps(value)
    text = json.dumps(put(header, paths[where % len(paths)], '@')).replace('"@"', raw)
    outcome = load(sealed(text, tensors))
    assert isinstance(outcome, (DetectorModel, ArtifactError))


@pytest.mark.parametrize('raw', RAW, ids=lambda raw: raw[:12])
@pytest.mark.parametrize('place', [(), ('config',), ('channels', 1), ('alarms', 'level')])
def test_extreme_json_is_refused_or_taken_for_a_name(
    parts: Any, load: Load, raw: str, place: tuple[Any, ...]
) -> None:
    header, tensors = parts
    text = json.dumps(put(header, place, '@')).replace('"@"', raw)
    outcome = load(sealed(text, tensors))
    is_name = place == ('channels', 1) and raw.startswith('"') and 'ud800' not in raw
    assert isinstance(outcome, DetectorModel if is_name else ArtifactError)


@pytest.mark.parametrize('raw', [*RAW, '[]', '"header"', '{"sha256": 1}', '{"header": {}}', ''])
def test_metadata_that_is_no_sealed_header_is_refused(parts: Any, load: Load, raw: str) -> None:
    assert isinstance(load(save(parts[1], {'taolora': raw})), ArtifactError)


KINDS = ['f8', 'f4', 'f2', 'i8', 'i1', 'u1', 'u8', '?']


@FUZZ
@given(
    which=st.integers(0, 28),
    kind=st.sampled_from(KINDS),
    shape=st.lists(st.integers(0, 12), max_size=4),
    fill=st.sampled_from([0.0, 1.0, -1.0, 1e-300, 1e300, np.nan, np.inf, -np.inf, 127.0]),
    name=st.none() | st.text(max_size=8) | st.just('norm.\n'),
)
def test_any_tensor_under_a_right_checksum_is_taken_or_refused(
    parts: Any, load: Load, which: int, kind: str, shape: list[int], fill: float, name: str | None
) -> None:
    header, tensors = parts
    victim = sorted(tensors)[which % len(tensors)]
    changed = dict(tensors)
    with np.errstate(all='ignore'):
        new = np.full(shape if len(shape) > 2 else tensors[victim].shape, fill).astype(kind)
    changed[victim if name is None else name] = new
    outcome = load(sealed(json.dumps(header), changed))
    assert isinstance(outcome, (DetectorModel, ArtifactError))
    if isinstance(outcome, DetectorModel):
        assert new.dtype == tensors[victim].dtype
        assert np.isfinite(new).all()


def test_settings_cannot_make_much_of_a_small_file(parts: Any, load: Load) -> None:
    """An order of 256 over 20,000 inputs, told in JSON alone."""
    header, tensors = parts
    count = 20_000
    header = put(header, ('channels',), ['/a:b'] * count)
    header = put(header, ('config', 'model', 'order'), 256)
    wide = {
        **{f'prior.{name}': np.ones(count) for name in ('location', 'scale', 'shrink', 'active')},
        **{
            f'norm.{name}': np.ones((len(Evidence), count))
            for name in ('typical', 'shrink', 'center', 'spread')
        },
        'network.skip.spread': np.ones(count, np.float16),
    }
    outcome = load(sealed(json.dumps(header), {**tensors, **wide}))
    assert isinstance(outcome, ArtifactError)
    assert "'network.skip.own' is float16 [8, 4]" in str(outcome)


def test_a_long_header_is_refused_before_it_is_parsed(load: Load) -> None:
    entry = '"%07d":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}'
    text = '{' + ','.join(entry % number for number in range(80_000)) + '}'
    outcome = load(framed(text, b''))
    assert isinstance(outcome, ArtifactError)
    assert 'this is no artifact' in str(outcome)


@pytest.mark.parametrize('name', ['x' * 300, '\0', '.', '/dev/zero', '/proc/self/mem'])
def test_a_path_that_cannot_be_one_is_refused(survives: Survives, name: str) -> None:
    outcome = survives(lambda: artifact.load(Path(name)), size=len(name), factor=FACTOR)
    assert isinstance(outcome, ArtifactError)
