"""The tutorial's network in Keras, the same network in our loop, and the rnn family, five minutes of training each.

    python bench/run.py --tables tutorial
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1]))
import keras_peer
from keras_peer import Made, distinct, melodies, pitches, repeats

PROTOCOL = (
    "Melodies of pop909, every tenth song held out, one core. Bits a pitch: of held-out notes from the 101st of each "
    "melody on (2,000 notes and up to the end of that melody); the tutorial's network is given 100 pitches, the rnn "
    "family all notes before and when this one comes. Then three held-out beginnings of 100 notes are gone on with, "
    "the tutorial's network by argmax as the tutorial does. `immediate repeats`: share of notes with the pitch of the "
    "note before; `different runs`: of 8 pitches, as a share of all such runs. Notes a second: written, the rnn "
    "family's with when, how long and how loud; a step of the tutorial's network is 64 pitches, one of the rnn family "
    "16 windows of 256 events.")
MINUTES = 5.0
MUSIC = "held-out melodies"
ROWS = {"tutorial, Keras on torch": keras_peer.their_side, "the same network, our loop": keras_peer.our_tutorial,
        "rnn family": keras_peer.our_side}


def rows() -> list[str]:
    """Return the names of the rows."""
    return [*ROWS, MUSIC]


def row(name: str) -> dict[str, Any]:
    """Return the cells of a row."""
    if name == MUSIC:
        lines = [pitches(piece)[keras_peer.WINDOW:][:keras_peer.GOES_ON] for piece in melodies().test]
        made = Made(float("nan"), lines, float("nan"), float("nan"))
    else:
        made = ROWS[name](60 * MINUTES)
    cells = {"bits a pitch": made.bits, "immediate repeats": repeats(made.lines),
             "different runs": distinct(made.lines), "notes/s": made.notes, "steps/s": made.steps}
    return {key: None if value != value else round(value, 4) for key, value in cells.items()}
