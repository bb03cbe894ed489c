"""The one family of errors: each says in one sentence what must hold, what came, and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class PartimentoError(Exception):
    """Root of every error that a user can cause; its text is one clear sentence, shown without a traceback."""


class ReadError(PartimentoError):
    """A file or folder that cannot be read as music."""


class WriteError(PartimentoError):
    """A file that could not be written; nothing half-written is left behind."""


class RequestError(PartimentoError, ValueError):
    """A wish that cannot be met as it was put."""


class CheckpointError(PartimentoError):
    """A checkpoint that is truncated, of another kind, or from another format."""


class ModelError(PartimentoError):
    """A model that cannot do what was asked of it, or has not been fitted."""


def nearest(word: str, known: Iterable[str], kind: str) -> str:
    """Return ``no KIND named 'word'; did you mean 'x'?``, or the list of known names when none is near.

    >>> nearest("densty", ["density", "polyphony"], "control")
    "no control named 'densty'; did you mean 'density'?"
    """
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    if close:
        return f"no {kind} named {word!r}; did you mean {close[0]!r}?"
    return f"no {kind} named {word!r}; known: {', '.join(names)}"
