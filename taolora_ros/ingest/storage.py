"""Rosbag2 storage: the raw messages of a recording and the types that it defines."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rosbags.interfaces import Connection, MessageDefinitionFormat
from rosbags.rosbag2 import Reader

from taolora_ros.errors import BagError, nearest
from taolora_ros.ingest.types import TypeRegistry
from taolora_ros.samples import RawMessage

_SUFFIXES = ('.mcap', '.db3')
_LATEST_NS = 2**63 - 1


@contextmanager
def open_bag(path: Path | str) -> Iterator[Reader]:
    """Open a recording: a bag's folder, or one .mcap or .db3 file of it.

    Raises:
        BagError: it is missing, damaged or of an unknown kind; also for damage met while reading.
    """
    path = Path(path)
    _check_exists(path)
    try:
        with Reader(path) as reader:
            yield reader
    except BagError:
        raise
    except Exception as error:  # damaged bytes make rosbags and decompressors raise anything
        raise _damaged(path, error) from error


def topics(path: Path | str) -> dict[str, str]:
    """Type names by topic.

    Raises:
        BagError: see `open_bag`.
    """
    with open_bag(path) as reader:
        return {connection.topic: connection.msgtype for connection in reader.connections}


def bag_types(path: Path | str) -> TypeRegistry:
    """The message types of a bag: those it defines itself, else those known here.

    Raises:
        BagError: see `open_bag`.
    """
    with open_bag(path) as reader:
        return _types(reader.connections)


def read_messages(path: Path | str, topics: Collection[str] | None = None) -> Iterator[RawMessage]:
    """The messages of a bag in the order of their receipt.

    Args:
        path: the recording.
        topics: those to read; all where None.

    Raises:
        BagError: see `open_bag`.
    """
    with open_bag(path) as reader:
        chosen = [
            connection
            for connection in reader.connections
            if topics is None or connection.topic in topics
        ]
        if not chosen:
            return
        for connection, receive_ns, data in reader.messages(chosen):
            if receive_ns > _LATEST_NS:
                raise _damaged(Path(path), ValueError(f'a message received at {receive_ns} ns'))
            yield RawMessage(connection.topic, connection.msgtype, data, receive_ns)


def _types(connections: Sequence[Connection]) -> TypeRegistry:
    registry = TypeRegistry()
    for connection in connections:
        text = connection.msgdef.data
        if connection.msgdef.format is MessageDefinitionFormat.NONE or not text:
            continue
        is_idl = connection.msgdef.format is MessageDefinitionFormat.IDL
        registry.add_text(connection.msgtype, text, idl=is_idl)
    return registry


def _check_exists(path: Path) -> None:
    if not path.exists():
        around = path.parent if path.parent.is_dir() else Path()
        siblings = [item.name for item in around.iterdir()]
        raise BagError(f'{path}: no such bag; {nearest(path.name, siblings)}')
    if path.is_dir() and not (path / 'metadata.yaml').is_file():
        files = sorted(item.name for item in path.iterdir() if item.suffix in _SUFFIXES)
        remedy = (
            f'run `ros2 bag reindex`, or name the file: {path / files[0]}'
            if files
            else 'name a folder that `ros2 bag record` wrote, or an .mcap file'
        )
        raise BagError(f'{path}: no bag: it has no metadata.yaml; {remedy}')


def _damaged(path: Path, error: Exception) -> BagError:
    reason = ' '.join(str(error).split()) or type(error).__name__
    return BagError(
        f'{path}: truncated or damaged: {reason}; '
        f'try `mcap recover` on the file, or record it again'
    )
