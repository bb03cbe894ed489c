"""Bars of a piece as they sound, and sound made small enough to lie inside a page."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt

from partimento import features
from partimento.errors import WriteError
from partimento.render.audio import same_serial
from partimento.score import Controls, Score

OPUS_RATES = (8000, 12000, 16000, 24000, 48000)
_SMALL = 0.9                   # libsndfile's scale from 0 (256 kbit a second and channel) to 1 (6): some 60 kbit in all


def sounding_bars(score: Score, first: int, stop: int) -> Score:
    """Return the bars with the indices from `first` up to `stop` as they sound: tempos, and controllers as they stand.

    What rings in begins with the first bar; what was said of pedal, volume or bend before it holds from there.

    >>> from partimento.score import Tempo
    >>> song = Score([0, 1920], [480, 480], [60, 62], [80, 80], [0, 0], tempos=(Tempo(0, 400_000),), end=3840)
    >>> sounding_bars(song, 1, 2).tempos
    (Tempo(tick=0, us_per_quarter=400000),)
    """
    begin, end = int(score.bar_starts[first]), int(score.bar_starts[stop])
    rows = score.controls.select(score.controls.tick < end).rows()
    rows[:, 0] = np.maximum(rows[:, 0] - begin, 0)
    tempos = (score.tempo_at(begin)._replace(tick=begin), *(t for t in score.tempos if begin < t.tick < end))
    return features.excerpt(score, first, stop, held=True).replace(
        tempos=tuple(t._replace(tick=t.tick - begin) for t in tempos), controls=Controls.of(rows.tolist()))


def compact_sound(sound: npt.NDArray[np.float32], rate: int = 48000) -> bytes:
    """Return a sound (float32[n, 2] in −1…1) as Ogg Opus (RFC 7845) of some half a megabyte a minute.

    The same sound gives the same bytes. WriteError where there is nothing to write, at a rate that Opus has not, or
    where soundfile is absent.

    >>> compact_sound(np.zeros((4800, 2), np.float32))[:4]
    b'OggS'
    """
    if not len(sound):
        raise WriteError("a sound file must hold some sound; this piece has no length at all")
    if rate not in OPUS_RATES:
        raise WriteError(f"Opus must have one of {', '.join(map(str, OPUS_RATES))} samples a second; got {rate}")
    try:
        import soundfile
    except (ImportError, OSError) as error:
        raise WriteError(f"writing sound needs the soundfile package ({error}); try pip install soundfile") from None
    buffer = io.BytesIO()
    try:
        with soundfile.SoundFile(buffer, "w", rate, 2, "OPUS", format="OGG", compression_level=_SMALL) as target:
            for start in range(0, len(sound), 1 << 15):
                target.write(sound[start:start + (1 << 15)])
    except (soundfile.LibsndfileError, ValueError, TypeError) as error:
        raise WriteError(f"cannot write Opus sound: {error}") from None
    return same_serial(buffer.getvalue())
