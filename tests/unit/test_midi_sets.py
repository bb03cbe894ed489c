"""Real files: read, written and read again they are the same, and both readers give the same notes."""

from __future__ import annotations

import numpy as np
import pytest

from partimento.formats import midi
from partimento.formats.midi_fast import parse_fast
from partimento.formats.midi_read import NEVER_ENDED

SETS = ("mutopia_midi", "groove", "freedoom_midi", "nottingham", "js_fakes", "pop909")
A_SET = 34          # 204 files in all


def files_of(folder, count):
    found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in midi.SUFFIXES)
    return found[:: max(1, len(found) // count)][:count]


def riding(score):
    """What rides along, but for the tick where a program was said, which a first writing may settle."""
    extras = dict(score.extras.get("midi", {}))
    extras["parts"] = [place[:2] for place in extras.get("parts", ())]
    return extras


@pytest.mark.parametrize("name", SETS)
def test_real_files_read_written_and_read_again_are_the_same(music, name):
    files = files_of(music(name), A_SET)
    assert len(files) == A_SET
    for path in files:
        first = midi.parse(path.read_bytes()).score
        data = midi.dumps(first)
        again = midi.parse(data)
        assert again.score == first, path
        assert again.repairs == {}, path
        assert riding(again.score) == riding(first), path
        assert midi.dumps(again.score) == data, path


@pytest.mark.parametrize("name", SETS)
def test_both_readers_give_the_same_notes(music, name):
    for path in files_of(music(name), A_SET):
        data = path.read_bytes()
        careful, fast = midi.parse(data), parse_fast(data)
        never = careful.repairs.get(NEVER_ENDED, 0)
        assert len(fast) == len(careful.score) - never, path
        if not never:
            used = np.unique(careful.score.track)
            assert np.array_equal(fast.notes()[:, :4], careful.score.notes()[:, :4]), path
            assert np.array_equal(used[fast.track], careful.score.track), path


@pytest.mark.slow
@pytest.mark.parametrize("name", SETS)
def test_both_readers_on_every_file(music, name):
    for path in files_of(music(name), 10**6):
        data = path.read_bytes()
        careful, fast = midi.parse(data), parse_fast(data)
        never = careful.repairs.get(NEVER_ENDED, 0)
        quick, slow = ({tuple(row[:4]) for row in score.notes().tolist()} for score in (fast, careful.score))
        assert quick <= slow, path
        assert len(fast) == len(careful.score) - never, path
