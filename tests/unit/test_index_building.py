"""The index of a corpus is the same however little of it is looked at and sorted at once; and whose a note is."""

from __future__ import annotations

import io

import numpy as np
import pytest

from partimento.fingerprint import index as module
from partimento.fingerprint.index import STOP, Strung, bar_rows, build_index, read_index, write_strung
from partimento.fingerprint.passages import DRUM, FEWEST, strands
from partimento.score import Score, Track


def piece(seed: int) -> Score:
    """Two voices and drums, drawn."""
    random = np.random.default_rng(seed)
    rows = [(240 * i, 240, int(pitch), 80, track) for track in range(2)
            for i, pitch in enumerate(random.integers(50, 70, 40))]
    drums = [(120 * i, 120, int(pitch), 80, 2) for i, pitch in enumerate(random.choice([36, 38, 42], 40))]
    return Score.from_rows(sorted(rows + drums), tracks=(Track(), Track(), Track(is_drum=True)))


CORPUS = [(f"piece {seed}", piece(seed)) for seed in range(8)]


def steps(pitch: list[int], place: int) -> list[int]:
    """Whether it is drums, and fifteen steps, one by one."""
    out = [int(pitch[place] >= DRUM)]
    for now, after in zip(pitch[place:], pitch[place + 1:place + 16], strict=False):
        if after == STOP:
            break
        out.append(after % 16 if now >= DRUM else (after - now) % 12)
    return out + [15] * (16 - len(out))


@pytest.mark.parametrize(("part", "at_once"), [(1 << 20, 1 << 21), (100, 10), (1, 1)])
def test_places_are_sorted_by_their_steps_and_then_by_number(monkeypatch: pytest.MonkeyPatch, part: int,
                                                              at_once: int) -> None:
    monkeypatch.setattr(module, "PART", part)
    monkeypatch.setattr(module, "SORTED", at_once)
    index = read_index(build_index(CORPUS))
    pitch = index.pitch.tolist()
    usable = [i for i in range(len(pitch)) if STOP not in pitch[i:i + FEWEST]]
    assert index.places.tolist() == sorted(usable, key=lambda place: (steps(pitch, place), place))
    keys = [int("".join(f"{step:x}" for step in steps(pitch, place)), 16) for place in index.places[::16].tolist()]
    assert index.sample.tolist() == keys


def test_strands_that_are_known_give_the_same_index() -> None:
    out = io.BytesIO()
    write_strung((Strung(name, len(score), strands(score, whole=False), bar_rows(score)) for name, score in CORPUS),
                 out)
    assert out.getvalue() == build_index(CORPUS)


@pytest.mark.parametrize("corpus", [[], CORPUS[:1], CORPUS])
def test_every_note_is_known_by_its_strand(corpus: list[tuple[str, Score]]) -> None:
    index = read_index(build_index(corpus))
    length = np.diff(np.append(index.first, len(index.pitch)))
    assert index.strand_of(np.arange(len(index.pitch))).tolist() == np.repeat(np.arange(len(length)), length).tolist()
