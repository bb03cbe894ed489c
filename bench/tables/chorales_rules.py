"""Melodies of Bach chorales harmonised by the rules family: parallels, ranges, cadences, time; and Bach's own beside.

    python bench/run.py --tables chorales_rules
    python bench/tables/chorales_rules.py --rows rules --seeds 1     # by hand
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

sys.path.append(str(Path(__file__).resolve().parents[1]))
from peers import music, rows_by_hand

from partimento.errors import ModelError
from partimento.formats import read
from partimento.models.rules.chorale import VOICES, harmonise
from partimento.score import Score

PROTOCOL = (
    "chorale_melodies: the 184 sopranos with their fermatas, key signatures and metres, nothing of the other parts; "
    "6 seeds each. A pair of voices co-moves where both attack at once and both change their pitch; a parallel is a "
    "perfect fifth (octave or unison) that follows one, both voices going the same way; rates are of a thousand "
    "co-moving pairs. `contrary`: the same, the voices going opposite ways. `out of range`: notes of the lower three "
    "parts outside the ranges of `VOICES`. `cadences`: fermatas whose chord is a triad in root position over another "
    "root than the chord before, or in first inversion after a leading tone, in percent. "
    "`six-four`: chords on fermatas in second inversion, in percent. `bass still`: moves of the soprano under which "
    "the bass repeats its pitch class, in percent. Bach is counted by the same code, on `jsb_chorales` (16ths, all "
    "382) and on the parts of the same 184 files. No number of the tables was fitted; they were settled by hand, with "
    "pages of these melodies in view; `rules: open_hymnal` are upper lines of 256 hymns that were not, one seed each, "
    "those left out that span more than a voice (`refused`).")
SEEDS = 6
PUBLISHED = [
    {"name": "Bach, as told at second hand", "fifths": 1.4, "octaves": 1.1, "source": "told at second hand, not seen"},
]
ROWS = ("Bach: jsb_chorales", "Bach: the same files", "rules", "rules: open_hymnal")
Lines = list[npt.NDArray[np.int64]]


def rows() -> list[str]:
    """Return the names of the rows."""
    return list(ROWS)


def row(name: str, seeds: int = SEEDS, most: int = 0) -> dict[str, Any]:
    """Return the cells of a row; `most` takes the first so many pieces only."""
    count = {"pairs": 0, "fifths": 0, "octaves": 0, "contrary": 0, "moves": 0, "still": 0, "ends": 0, "cadences": 0,
             "six": 0, "notes": 0, "out": 0}
    seconds: list[float] = []
    for lines, ends in _pages(name, seeds, most, seconds):
        _count(count, lines, ends)
    rate = 1000 / max(count["pairs"], 1)
    cells: dict[str, Any] = {
        "pages": count.get("pages", 0), "co-moving pairs": count["pairs"], "fifths": round(count["fifths"] * rate, 2),
        "octaves": round(count["octaves"] * rate, 2), "contrary": round(count["contrary"] * rate, 2),
        "bass still": round(100 * count["still"] / max(count["moves"], 1), 1)}
    if count["ends"]:
        cells |= {"fermatas": count["ends"], "cadences": round(100 * count["cadences"] / count["ends"], 2),
                  "six-four": round(100 * count["six"] / count["ends"], 2)}
    if "refused" in count:
        cells["refused"] = count["refused"]
    if seconds:
        cells |= {"out of range": count["out"], "s a melody, median": round(float(np.median(seconds)), 3),
                  "s, slowest": round(max(seconds), 3)}
    return cells


def _pages(name: str, seeds: int, most: int, seconds: list[float]) -> Iterator[tuple[Lines, list[int]]]:
    """The four lines (int64[n, 3]: onset, end, pitch; the highest first) of every page of a row, and its fermatas."""
    if name == "Bach: jsb_chorales":
        data = json.loads((music("jsb_chorales") / "Jsb16thSeparated.json").read_text(encoding="utf-8"))
        pages = [page for part in ("train", "valid", "test") for page in data[part]]
        for page in pages[:most or None]:
            table = np.array(page, np.int64)
            yield [_runs(table[:, v]) for v in range(4)], []
        return
    if name == "rules: open_hymnal":
        for path in sorted(music("open_hymnal").rglob("*.abc"))[:most or None]:
            tune = _upper(read(path))
            begin = time.perf_counter()
            try:
                made = harmonise(tune, 0, rng=np.random.default_rng(0)).score
            except ModelError:
                yield [], []
                continue
            seconds.append(time.perf_counter() - begin)
            yield [_lines(made, v) for v in range(4)], []
        return
    for path in sorted(music("chorale_melodies").glob("*.krn"))[:most or None]:
        score = read(path)
        if name == "rules":
            tune = _melody(score)
            for seed in range(seeds):
                begin = time.perf_counter()
                made = harmonise(tune, 0, rng=np.random.default_rng(seed)).score
                seconds.append(time.perf_counter() - begin)
                yield [_lines(made, v) for v in range(4)], _fermatas(tune)
        else:
            order = sorted({int(t) for t in score.track}, key=lambda t: -float(score.pitch[score.track == t].mean()))
            yield [_lines(score, t) for t in order[:4]], _fermatas(score)


def _melody(score: Score) -> Score:
    """The soprano alone: the first track, as the file has it."""
    return score.select(score.track == 0).replace(chords=(), tracks=score.tracks[:1], extras={},
                                                  texts=tuple(t for t in score.texts if t.track <= 0))


def _upper(score: Score) -> Score:
    """The highest note of every onset of the first track that has notes."""
    first = int(score.track.min())
    own = np.flatnonzero(score.track == first)
    own = own[np.lexsort((-score.pitch[own], score.onset[own]))]
    top = own[np.append(True, np.diff(score.onset[own]) > 0)]
    found = score.select(np.sort(top))
    return found.replace(track=np.zeros(len(found), np.int32), tracks=(score.tracks[first],), extras={}, chords=(),
                         texts=(), controls=type(score.controls).empty())


def _fermatas(score: Score) -> list[int]:
    return sorted({mark.tick for mark in score.marks if mark.kind == "fermata"
                   and (not mark.text or "0" in mark.text.split())})


def _lines(score: Score, track: int) -> npt.NDArray[np.int64]:
    own = score.track == track
    return np.stack([score.onset[own], score.offset[own], score.pitch[own]], axis=1).astype(np.int64)


def _runs(pitches: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    edges = np.flatnonzero(np.append(True, pitches[1:] != pitches[:-1]))
    stops = np.append(edges[1:], len(pitches))
    found = np.stack([edges, stops, pitches[edges]], axis=1)
    return np.asarray(found[found[:, 2] >= 0])


def parallels(one: npt.NDArray[np.int64], two: npt.NDArray[np.int64]) -> tuple[int, int, int, int]:
    """Return co-moving pairs, parallel fifths, parallel octaves and those by contrary motion between two lines."""
    _, at, to = np.intersect1d(one[:, 0], two[:, 0], return_indices=True)
    keep = (at > 0) & (to > 0)
    at, to = at[keep], to[keep]
    joined = (one[at - 1, 1] >= one[at, 0]) & (two[to - 1, 1] >= two[to, 0])
    at, to = at[joined], to[joined]
    a, b = one[at, 2] - one[at - 1, 2], two[to, 2] - two[to - 1, 2]
    moving = (a != 0) & (b != 0)
    before, after = (one[at - 1, 2] - two[to - 1, 2]) % 12, (one[at, 2] - two[to, 2]) % 12
    same = moving & (before == after)
    way = np.sign(a) == np.sign(b)
    return (int(moving.sum()), int((same & way & (after == 7)).sum()), int((same & way & (after == 0)).sum()),
            int((same & ~way & np.isin(after, (0, 7))).sum()))


def _count(count: dict[str, int], lines: Lines, ends: list[int]) -> None:
    """Add what one page has."""
    if not lines:
        count["refused"] = count.get("refused", 0) + 1
        return
    count["pages"] = count.get("pages", 0) + 1
    for one, two in itertools.combinations(lines, 2):
        for kind, found in zip(("pairs", "fifths", "octaves", "contrary"), parallels(one, two), strict=True):
            count[kind] += found
    top, bass = lines[0], lines[-1]
    moves = top[1:][(top[1:, 2] != top[:-1, 2]) & (top[:-1, 1] >= top[1:, 0])]
    for tick in moves[:, 0].tolist():
        now, before = _at(bass, tick), _at(bass, tick - 1)
        if now is not None and before is not None:
            count["moves"] += 1
            count["still"] += now % 12 == before % 12
    for line, part in zip(lines[1:], VOICES[1:], strict=False):
        count["notes"] += len(line)
        count["out"] += int(((line[:, 2] < part.low) | (line[:, 2] > part.high)).sum())
    for tick in ends:
        start = max((int(note[0]) for note in top if note[0] <= tick), default=None)
        if start is None:
            continue
        count["ends"] += 1
        stop = int(top[top[:, 0] == start][0, 1])
        last, old = ([p for line in lines if (p := _at(line, when)) is not None] for when in (stop - 1, start - 1))
        root, place = _triad(last)
        count["six"] += place == 2
        leads = (root + 11) % 12 in {p % 12 for p in old}
        count["cadences"] += (place == 0 and _triad(old)[0] != root) or (place == 1 and leads)


def _at(line: npt.NDArray[np.int64], tick: int) -> int | None:
    i = int(np.searchsorted(line[:, 0], tick, side="right")) - 1
    return int(line[i, 2]) if i >= 0 and line[i, 1] > tick else None


def _triad(pitches: list[int]) -> tuple[int, int]:
    """Root and inversion of the major or minor triad (its fifth may be missing) that pitches make; −1 where none."""
    classes, bass = {p % 12 for p in pitches}, min(pitches, default=0) % 12
    for root in classes:
        for third in (4, 3):
            tones = [root, (root + third) % 12, (root + 7) % 12]
            if classes <= set(tones) and tones[1] in classes:
                return root, tones.index(bass)
    return -1, -1


if __name__ == "__main__":
    rows_by_hand(__doc__, rows(), row, seeds=SEEDS, most=0)
