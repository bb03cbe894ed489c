"""Written note values found again in performances made of written scores."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
import time
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from peers import Missing, music, peer, rows_by_hand

from partimento.errors import PartimentoError
from partimento.formats import read, write
from partimento.notation.quantise import quantise
from partimento.notation.quantise_beats import in_bar, on_fine
from partimento.score import Score, Tempo

PROTOCOL = (
    "Pieces of mutopia_midi whose notes all stand on 32nds, triplets of sixteenths or quintuplets, 40 of them with an"
    " odd crc32 of their name (the even ones taught the prior), drawn with seed 0, their first 64 bars. Played: "
    "onsets with Gaussian jitter of so many ms each on its own, a tempo that goes up and down by 8 % (the beats go "
    "with it), one chord of three or more notes in eight rolled by 12 ms a note, lengths of 50 to 110 % (drawn for "
    "each bar of each track, then 5 % of jitter). Counted: notes whose onset, and whose value, is the written one. "
    "Grids: the nearest 16th; the nearest of 16ths and triplet eighths, note by note (what music21's quantize does). "
    "MuseScore and music21 read the same performance as a MIDI file; a note that they lose counts as wrong."
)
MILLISECONDS = (0, 10, 20, 30)
METHODS = ("partimento", "nearest 16th", "nearest of 4 and 3", "music21", "MuseScore")
PIECES, BARS = 40, 64
Times = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]


def rows() -> list[str]:
    """Return ``METHOD, JITTER ms`` for every row."""
    return [f"{method}, {jitter} ms" for method in METHODS for jitter in MILLISECONDS]


def row(name: str, limit: int | None = None) -> dict[str, Any]:
    """Return what one method gives on performances of one looseness."""
    method, _, jitter = name.removesuffix(" ms").rpartition(", ")
    pieces = written()[:limit]
    onsets = values = both = notes = 0
    seconds = 0.0
    for number, piece in enumerate(pieces):
        played = perform(piece, float(jitter), np.random.default_rng(number))
        begin = time.perf_counter()
        onset, duration = read_by(method, played, piece)
        seconds += time.perf_counter() - begin
        truth = in_lanes(piece)
        right, long = onset == piece.onset[truth], duration == piece.duration[truth]
        onsets, values, both = onsets + right.sum(), values + long.sum(), both + (right & long).sum()
        notes += len(piece)
    return {"onsets right %": round(100 * onsets / notes, 2), "values right %": round(100 * values / notes, 2),
            "both %": round(100 * both / notes, 2), "notes": notes, "notes/s": round(notes / seconds)}  # fmt: skip


def written() -> list[Score]:
    """Return the pieces that stand wholly on a grid, 480 ticks a quarter, cut after their first bars."""
    paths = [p for p in sorted(music("mutopia_midi").rglob("*.mid")) if zlib.crc32(p.name.encode()) % 2 == 1]
    found: list[Score] = []
    for number in np.random.default_rng(0).permutation(len(paths)):
        with contextlib.suppress(PartimentoError):
            score = read(paths[number])
            ticks = (in_bar(score, score.onset), in_bar(score, score.offset))
            if len(score) < 100 or not all(on_fine(t, score.ticks_per_quarter, (24, 8, 5)).all() for t in ticks):
                continue
            score = quantise(score)
            if score.n_bars > BARS:
                stop = int(score.bar_starts[BARS])
                score = score.select(score.offset <= stop).replace(end=stop)
            found.append(score)
        if len(found) == PIECES:
            break
    return found


def perform(score: Score, jitter: float, rng: np.random.Generator) -> Score:
    """Return the score as a player might play it; `jitter` in ms. The notes keep their order within each pitch."""
    beats = np.arange(0, score.end + 1, score.ticks_per_quarter)
    rates = [score.tempo_at(int(tick)).us_per_quarter for tick in beats]
    waves = 1 + .08 * np.sin(2 * np.pi * np.arange(len(beats)) / rng.uniform(12, 40))
    tempos = tuple(Tempo(int(t), round(r * w)) for t, r, w in zip(beats, rates, waves, strict=True))
    score = score.replace(tempos=tempos)
    beat = np.minimum(score.onset // score.ticks_per_quarter, len(beats) - 1)
    per_ms = score.ticks_per_quarter / (np.array([t.us_per_quarter for t in score.tempos])[beat] / 1000)
    late = rng.normal(0, jitter, len(score))
    chord = np.unique(score.onset.astype(np.int64) * len(score.tracks) + score.track, return_inverse=True)[1]
    size = np.bincount(chord)
    rolled = ((size >= 3) & (rng.random(len(size)) < 1 / 8))[chord]
    place = np.empty(len(score), np.int64)
    by_chord = np.argsort(chord, kind="stable")
    place[by_chord] = np.arange(len(score)) - np.repeat(np.cumsum(size) - size, size)
    late += np.where(rolled & (jitter > 0), 12.0 * (place - (size[chord] - 1) / 2), 0)
    bar = np.searchsorted(score.bar_starts, score.onset, side="right")
    held = rng.uniform(.5, 1.1, (score.n_bars + 2, len(score.tracks)))[bar, score.track]
    held *= rng.normal(1, .05, len(score))
    onset = np.maximum(np.rint(score.onset + late * per_ms), 0).astype(np.int64)
    duration = np.maximum(np.rint(score.duration * np.clip(held, .4, 1.2)), 1).astype(np.int64)
    lanes = np.lexsort((score.onset, score.pitch, score.track))        # a pitch struck again stays after
    same = np.diff(score.track[lanes] * 128 + score.pitch[lanes]) == 0
    for i in np.flatnonzero(same):
        a, b = lanes[i], lanes[i + 1]
        onset[b] = max(onset[b], onset[a] + (score.onset[b] > score.onset[a]))
    return score.replace(onset=onset, duration=duration)


def in_lanes(score: Score) -> npt.NDArray[np.intp]:
    """Return the notes by track, pitch and onset."""
    return np.lexsort((score.duration, score.onset, score.pitch, score.track))


def read_by(method: str, played: Score, piece: Score) -> Times:
    """Return onset and duration of every note as a method reads them, by track, pitch and onset."""
    if method == "partimento":
        found = quantise(played)
        lanes = in_lanes(found)
        return found.onset[lanes].astype(np.int64), found.duration[lanes].astype(np.int64)
    lanes = in_lanes(played)
    onset, end = played.onset[lanes].astype(np.int64), played.offset[lanes].astype(np.int64)
    if method == "nearest 16th":
        start = (onset + 60) // 120 * 120
        return start, np.maximum((end - onset + 60) // 120 * 120, 120)
    if method == "nearest of 4 and 3":
        return nearest(onset), np.maximum(nearest(end - onset), 120)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "played.mid")
        write(played, path)
        notes = by_music21(path) if method == "music21" else by_musescore(path)
    return matched(notes, played, lanes)


def nearest(ticks: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the nearest of 16ths and triplet eighths."""
    fourth, third = (ticks + 60) // 120 * 120, (ticks + 80) // 160 * 160
    return np.where(np.abs(ticks - fourth) <= np.abs(ticks - third), fourth, third)


def by_music21(path: Path) -> npt.NDArray[np.float64]:
    """Return onset, duration (quarters) and pitch of the notes that music21 reads, quantised by its own means."""
    stream = peer("music21").converter.parse(path, forceSource=True, quantizePost=True, quarterLengthDivisors=(4, 3))
    return np.array([(float(n.getOffsetInHierarchy(stream)), float(n.quarterLength), pitch.midi)
                     for n in stream.stripTies().flatten().notes for pitch in n.pitches])  # fmt: skip


def by_musescore(path: Path) -> npt.NDArray[np.float64]:
    """Return onset, duration (quarters) and pitch of the notes on MuseScore's page of a MIDI file."""
    partitura = peer("partitura")
    page = path.with_suffix(".musicxml")
    try:
        subprocess.run(["mscore3", "-o", str(page), str(path)], check=True, capture_output=True, timeout=300,
                       env={"QT_QPA_PLATFORM": "offscreen", "PATH": "/usr/bin:/bin", "HOME": str(path.parent)})
    except FileNotFoundError as absent:
        raise Missing("no mscore3 here") from absent
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = partitura.load_musicxml(str(page)).note_array()
    return np.stack([found["onset_quarter"], found["duration_quarter"], found["pitch"]], axis=1).astype(float)


def matched(notes: npt.NDArray[np.float64], played: Score, lanes: npt.NDArray[np.intp]) -> Times:
    """Return onset and duration of the note of the same pitch nearest to each played one; −1 where none is left."""
    onset, duration = np.full(len(lanes), -1), np.full(len(lanes), -1)
    begin = played.onset[lanes]
    for pitch in np.unique(played.pitch):
        theirs = notes[notes[:, 2] == pitch]
        theirs = theirs[np.argsort(theirs[:, 0])]
        ours = np.flatnonzero(played.pitch[lanes] == pitch)
        used = np.zeros(len(theirs), bool)
        for i in ours[np.argsort(begin[ours])]:
            away = np.abs(theirs[:, 0] * 480 - begin[i]) + 1e9 * used
            if len(away) and away.min() < 240:
                best = int(away.argmin())
                used[best] = True
                onset[i], duration[i] = np.rint(theirs[best, :2] * 480)
    return onset, duration


if __name__ == "__main__":
    rows_by_hand(__doc__, rows(), row, between=";", limit=None)
