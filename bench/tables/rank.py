"""`rank` put to the proof: real pieces beside the same made wrong in known ways, and real chorales beside made ones.

    python bench/run.py --tables rank
    python bench/tables/rank.py --rows permuted --most 10        # by hand, some pieces
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path += [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1])]
from corruptions import CORRUPTIONS
from peers import music, rows_by_hand
from pieces import CLOSED, SUFFIXES, half_of, work_of
from rank_reference import BARS, NOTES, drawn, long_enough

from partimento import checkpoint
from partimento.data.reading import read_one
from partimento.fingerprint import melody_print, near_duplicates
from partimento.formats import rebar
from partimento.judge.measures import MEASURES
from partimento.judge.rank import RankReference, bundled_reference, rank, rank_reference
from partimento.judge.rank_orders import heard_beginning, heard_piece, stock_bits
from partimento.models.base import Model, Piece
from partimento.models.markov import Markov
from partimento.sampling import generator
from partimento.score import Score, Track

PROTOCOL = (
    "Share of pairs in which the real piece ranks higher, with its 95 % interval, then set by set. Real pieces: "
    f"50 of each of four sets, of {BARS} bars and {NOTES} pitched notes or more, drawn by seed from the half of "
    "the works that the reference has nothing of (`bench/rank_reference.py`) and on which nothing was tried "
    "before (but an earlier form on 30 pieces of nottingham); of mutopia_midi only its CC-BY-SA files, of works "
    "of which the bundled model's ledger has none (no piece of the other sets taught it); pop909 with its bars "
    "found in the notes. `bench/corruptions.py` makes the wrong ones: pitches of each track dealt anew, 10 % of "
    "pitches changed, bars in another order, notes of the random family in the same frame. A tie is lost. `any`: "
    "any real piece of a set above any wrong one of it, the mean over sets. `bits`: fewer bits a note under the "
    "same model, on the same notes, in the key heard. `measure`: of the measures in the tables of papers (but "
    "structure indicators, which are slow) the one that does best there, chosen in hindsight; the piece wins that "
    "lies nearer to the mean of 60 pieces of nottingham and 60 of lieder from the other half. `js_fakes`: the "
    "chorales of J. S. Bach in the valid and test parts of jsb_chorales above 200 of js_fakes, every one beside "
    "every other, the interval by bootstrap over both; the training part and the first 120 files of each folder, "
    "by name, are left out: on them it was settled that notes, voices and form count alike, and how parallels are "
    "counted. Earlier forms were seen on these too: five orders that counted alike won 0.739 of the pairs, 0.802 with "
    "their own reference; the form of now on another draw of fakes 0.812 and 0.837. "
    "Both are read into frames of 16ths of four voices and made Scores by the same code: repeated notes joined, "
    "4/4 from the first frame, one velocity, no tempo, key or fermata. Chorales that are near duplicates of what "
    "taught the bundled model (three) are left out. `own reference and model`: means and deviations of the "
    "training part; `bits` there under a markov model fitted on it.")
SETS = {"mutopia_midi": 50, "pop909": 50, "nottingham": 50, "openscore_lieder": 50}      # pieces of each
FAKES = ("js_fakes", "js_fakes, own reference and model")
SEEN, COUNT = 120, 200
SLOW = "structure"          # measures of this name take longer than the rank, and are left out
Judge = Callable[[Score], float]


def rows() -> list[str]:
    """Return the names of the rows."""
    return [*CORRUPTIONS, *FAKES]


def row(name: str, most: int = COUNT) -> dict[str, Any]:
    """Return the cells of a row; `most` takes only so many pieces of each set."""
    return chorales(name == FAKES[1], most) if name in FAKES else corrupted(name, most)


def corrupted(kind: str, most: int) -> dict[str, Any]:
    """Return how many real pieces stand above the same made wrong, in all sets and in each."""
    judge, measures = two_judges(), measures_alone()
    pairs: list[tuple[str, Score, Score]] = []
    for place, (name, count) in enumerate(SETS.items()):
        for number, score in enumerate(taken(name, 1, min(count, most))):
            wrong = CORRUPTIONS[kind](score, generator(1, place, number))
            if wrong is not None:
                pairs.append((name, score, wrong))
    right, wrong = (np.array([judge(pair[side]) for pair in pairs]) for side in (1, 2))
    wins = right > wrong
    sets = np.array([name for name, *_ in pairs])
    alone = {name: float(np.mean([measure(score) > measure(wrong) for _, score, wrong in pairs]))
             for name, measure in measures.items()}
    best = max(alone, key=lambda name: alone[name])
    below = np.mean([(right[sets == name][:, None] > wrong[sets == name][None]).mean(axis=(0, 1)) for name in SETS], 0)
    return {"pieces": len(pairs), **interval("won", wins[:, 0]),
            **{name: round(float(wins[sets == name, 0].mean()), 3) for name in SETS}, "any": round(float(below[0]), 3),
            "bits": round(float(wins[:, 1].mean()), 3), "any: bits": round(float(below[1]), 3),
            "measure": f"{alone[best]:.3f} {best}"}


def interval(kind: str, wins: np.ndarray[Any, Any]) -> dict[str, Any]:
    """Return the share of wins and its interval, as two cells: E. B. Wilson, JASA 22 (1927).

    >>> interval("all", np.ones(200))
    {'all': 1.0, 'all ±': '0.981–1.000'}
    """
    count, share, z = len(wins), float(wins.mean()), 1.96
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    reach = z / (1 + z * z / count) * float(np.sqrt(share * (1 - share) / count + z * z / (4 * count * count)))
    return {kind: round(share, 4), f"{kind} ±": f"{middle - reach:.3f}–{middle + reach:.3f}"}


# --- the judges -----------------------------------------------------------------------------------------------------


def two_judges(reference: RankReference | None = None,
               model: Model | None = None) -> Callable[[Score], tuple[float, float]]:
    """Return what gives the rank of a piece, and its bits a note on the notes that the rank weighs, below zero."""
    told = reference or bundled_reference()

    def judge(score: Score) -> tuple[float, float]:
        found = rank(score, told)
        part = heard_beginning(heard_piece(score))
        if model is None:
            saved = next(one.value for one in found.parts if one.name == "syntax")
            assert saved is not None
            return found.value, saved - stock_bits(part)
        weighed = model.log_prob(part.score)
        assert weighed is not None
        return found.value, -weighed.bits_per_note

    return judge


def measures_alone() -> dict[str, Judge]:
    """Return every measure of papers as a judge: how near a piece lies to what real pieces that are not tested have."""
    real = [score for name in ("nottingham", "openscore_lieder") for score in taken(name, 0, 60)]
    out: dict[str, Judge] = {}
    for name, row_ in MEASURES.items():
        if name.startswith(SLOW):
            continue
        known = [value for score in real if (value := row_.measure(score)) is not None]
        if known:
            out[name] = near(row_.measure, float(np.mean(known)))
    return out


def near(measure: Callable[[Score], float | None], middle: float) -> Judge:
    """Return how near a measure lies to a value, below zero; −1e9 where it cannot be measured."""

    def judge(score: Score) -> float:
        value = measure(score)
        return -1e9 if value is None else -abs(value - middle)

    return judge


# --- the pieces -----------------------------------------------------------------------------------------------------


def taken(name: str, half: int, most: int) -> list[Score]:
    """Return pieces of one half of a set, drawn by seed."""
    folder = music(name)
    below = {"nottingham": "MIDI/*.mid", "pop909": "*/[0-9][0-9][0-9].mid"}.get(name, "**/*")
    places = [path for path in sorted(folder.glob(below)) if path.suffix in SUFFIXES
              and half_of(name, path.relative_to(folder).as_posix()) == half]
    if name == "mutopia_midi":
        taught = {work_of(name, entry.file.partition("/")[2]) for entry in
                  checkpoint.load(checkpoint.bundled()).ledger() if entry.file.startswith(name)}
        places = [path for path in places if path.relative_to(folder).as_posix().startswith(CLOSED)
                  and work_of(name, path.relative_to(folder).as_posix()) not in taught]
    if name == "pop909":
        return drawn(places, most, made=lambda score: rebar(score, None, "auto"))
    return drawn(places, most)


def chorales(own: bool, most: int) -> dict[str, Any]:
    """Return how many pairs of a real and a made chorale the real one wins, each beside every other."""
    told = json.loads((music("jsb_chorales") / "Jsb16thSeparated.json").read_text(encoding="utf-8"))
    seen = [of_frames(np.array(frames)) for frames in told["train"]]
    unseen = unlike_taught([score for part in ("valid", "test") for frames in told[part]
                            if long_enough(score := of_frames(np.array(frames)))])
    files = [path for part in ("midi", "jsf-extended")
             for path in sorted((music("js_fakes") / part).glob("*.mid"))[SEEN:]]
    real = [unseen[i] for i in np.argsort(generator(0).random(len(unseen)), kind="stable").tolist()[:most]]
    fakes = drawn(files, most, seed=1, made=lambda score: of_frames(frames_of(score)))
    judge = two_judges()
    if own:
        taught = Markov().fit([Piece(heard_piece(score).score, str(number)) for number, score in enumerate(seen)])
        judge = two_judges(rank_reference(seen, most=len(seen)), taught)
    one, other = (np.array([judge(score) for score in pieces]) for pieces in (real, fakes))
    wins = (one[:, None] > other[None]).astype(float)
    rng = generator(0)
    draws = [wins[..., 0][np.ix_(*((rng.random(n) * n).astype(int) for n in wins.shape[:2]))].mean()
             for _ in range(1000)]
    low, high = np.quantile(draws, [0.025, 0.975])
    alone = {name: float((np.array([measure(s) for s in real])[:, None]
                           > [measure(s) for s in fakes]).mean())
             for name, measure in measures_alone().items()}
    best = max(alone, key=lambda name: alone[name])
    return {"pieces": len(real), "won": round(float(wins[..., 0].mean()), 4), "won ±": f"{low:.3f}–{high:.3f}",
            "bits": round(float(wins[..., 1].mean()), 3), "measure": f"{alone[best]:.3f} {best}"}


def unlike_taught(scores: Sequence[Score]) -> list[Score]:
    """Return the pieces that are no near duplicates of what the bundled model learnt from J. S. Bach."""
    folder = music("mutopia_midi")
    known = [read_one(folder.parent / entry.file)[1] for entry in checkpoint.load(checkpoint.bundled()).ledger()
             if entry.file.startswith("mutopia_midi/") and "/BachJS/" in entry.file and entry.used != "no"]
    prints = [melody_print(score) for score in [*(score for score in known if score is not None), *scores]]
    first = len(prints) - len(scores)
    found = {b - first for a, b, _ in near_duplicates(prints) if a < first <= b}
    return [score for number, score in enumerate(scores) if number not in found]


def of_frames(frames: np.ndarray[Any, Any]) -> Score:
    """Return the Score of frames (int[n, 4], a pitch a voice and 16th, −1 for silence): equal neighbours are one note.

    >>> of_frames(np.array([[60, 57, 53, 48], [60, 57, 53, -1]])).notes()[:, :3].tolist()[-1]
    [0, 240, 60]
    """
    rows_ = []
    for voice, column in enumerate(frames.T):
        first = np.flatnonzero(np.append(True, column[1:] != column[:-1]))
        rows_ += [(120 * a, 120 * (b - a), int(column[a]), 80, voice)
                  for a, b in zip(first.tolist(), [*first[1:].tolist(), len(column)], strict=True) if column[a] >= 0]
    return Score.from_rows(rows_, end=120 * len(frames), tracks=tuple(Track(name) for name in
                                                                    ("soprano", "alto", "tenor", "bass")))


def frames_of(score: Score) -> np.ndarray[Any, Any]:
    """Return the frames of a Score of four tracks, up to the last that sounds."""
    begin, end = (np.rint(ticks * 4 / score.ticks_per_quarter).astype(int) for ticks in (score.onset, score.offset))
    frames = np.full((int(end.max()), 4), -1)
    for first, last, pitch, track in zip(begin, end, score.pitch, score.track, strict=True):
        frames[first:last, track] = pitch
    return frames


if __name__ == "__main__":
    rows_by_hand(__doc__, rows(), row, between=";", most=COUNT)
