"""Small files that the kernel keeps under /proc and /sys: what they say, or None.

A reading may be absent, belong to root, or fail while its hardware is off (on Orin, the thermal
zones of idle accelerators answer EAGAIN). None of that is an error of ours.
"""

from __future__ import annotations

from pathlib import Path

UNKNOWN = 'unknown'


def read_text(path: Path) -> str | None:
    """What a file says, without the ends' white space and NUL bytes."""
    try:
        return path.read_bytes().decode(errors='replace').strip('\0 \t\r\n')
    except OSError:
        return None


def read_number(path: Path, *, scale: float = 1.0) -> float | None:
    """The number that a file holds, times `scale`.

    Args:
        path: the file.
        scale: from the file's unit to the one wanted.
    """
    text = read_text(path)
    try:
        return None if text is None else float(text) * scale
    except ValueError:
        return None


def children(folder: Path) -> list[Path]:
    """What a folder holds, by name; nothing where it can't be read."""
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def memory_mb(meminfo: Path, entry: str) -> int | None:
    """One entry of /proc/meminfo in whole MiB, e.g. 'MemTotal'."""
    for line in (read_text(meminfo) or '').splitlines():
        name, _, amount = line.partition(':')
        fields = amount.split()
        if name == entry and fields and fields[0].isdigit():
            return int(fields[0]) // 1024
    return None


def in_words(value: float | None, unit: str, *, digits: int = 0) -> str:
    """A reading with its unit, or 'unknown'."""
    return UNKNOWN if value is None else f'{value:.{digits}f} {unit}'
