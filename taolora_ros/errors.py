"""The errors a caller may catch; each says what, where, the value and the remedy.

TaoloraError
├── ConfigError          a setting that is unknown, of the wrong type or out of range
├── InputError           something that came from outside and can't be used
│   ├── BagError         a recording that is missing, truncated or empty
│   ├── ChannelError     a channel that names no topic or field there is
│   └── MessageError     one message that can't be read (counted and skipped)
├── CalibrationError     normal data too short or too uniform to learn from
├── ArtifactError        a model file that is damaged, foreign or too new
└── DeviceError          a device that is absent or too small for the model
"""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Iterable, Sequence


class TaoloraError(Exception):
    """Anything this package reports to its user in one line."""


class ConfigError(TaoloraError):
    """A setting that is unknown, of the wrong type or out of range."""


class InputError(TaoloraError):
    """Something that came from outside and can't be used."""


class BagError(InputError):
    """A recording that is missing, truncated or empty."""


class ChannelError(InputError):
    """A channel that names no topic or field there is."""


class MessageError(InputError):
    """One message that can't be read; callers count it and go on."""


class CalibrationError(TaoloraError):
    """Normal data too short or too uniform to learn from."""


class ArtifactError(TaoloraError):
    """A model file that is damaged, foreign or too new."""


class DeviceError(TaoloraError):
    """A device that is absent or too small for the model."""


def nearest(name: str, known: Iterable[str], *, count: int = 3) -> str:
    """The known names closest to a mistyped one, as a phrase for an error message."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=count, cutoff=0.4)
    if close:
        return 'did you mean ' + ' or '.join(repr(match) for match in close) + '?'
    return 'known: ' + (', '.join(names[:12]) or 'none') + (', …' if len(names) > 12 else '')


def nearest_told(name: str, told: Sequence[str]) -> str:
    """As `nearest`, of names that came from outside, however many and however long they are."""
    return nearest(name, [known[:80] for known in told[:100]])


class _Quoting(reprlib.Repr):
    """Values in error messages: in full where short, and never long, however large they are."""

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = 80
        self.maxlevel = 2

    def repr_int(self, x: int, level: int) -> str:
        # Python refuses to write out numbers of thousands of digits.
        return repr(x) if x.bit_length() <= 128 else f'a number of {x.bit_length()} bits'


quoted = _Quoting().repr
