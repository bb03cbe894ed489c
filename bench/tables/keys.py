"""The key found from the notes alone, beside three textbook profiles and music21's analysis of the same notes.

    python bench/run.py --tables keys
    python bench/tables/keys.py --rows "nottingham" --limit 50        # by hand, some pieces
    python bench/tables/keys.py --misses nottingham                   # where ours says another key than the field
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

sys.path += [str(Path(__file__).resolve().parents[1])]
import keys_fit
from peers import Missing, music, peer, rows_by_hand
from pieces import half_of

from partimento import features, theory
from partimento.data.reading import read_one
from partimento.features.keys import key_chances
from partimento.features.keys_view import key_view
from partimento.formats import tunes_of
from partimento.score import Score
from partimento.theory import KeyName

PROTOCOL = (
    "Percent of pieces; a finder gets a Score with notes and meters only (no key, chord, text, name, spelling). "
    "`signature`: the signature of the key found is the one written, enharmonics alike. `key`: its tonic and mode, "
    "too. MIREX: 1 for the key, .5 a fifth away in the same mode, .3 the relative, .2 the parallel key. Taken are "
    "pieces with one signature and 16 notes or more that sound; the others are counted in `left out`. No weights "
    "saw the set tested, or not the half of its works that is tested (lieder, open_hymnal, mutopia_midi: `halves` "
    "of bench/keys_fit.py, both ways). lieder: no mode is declared. open_hymnal: its `K:` fields state the "
    "signature alone ('K: F % key signature', as major whatever the hymn), so the signature is what counts. `other "
    "modes`: pieces whose last bass note is the tonic of neither key of the signature, as Dorian and Phrygian "
    "hymns; `signature without them`; and `key by the final`, where the last bass note says which of the two keys "
    "it is (a tune's last note is its bass). nottingham: `K:` fields, none of another mode than major or minor; "
    "`misses ending on ours`: of those, the tunes that end on the tonic found and not on the field's; tunes that "
    "occur twice count twice. mutopia_midi: PD and CC BY, without Chopin, whom other teachers have too. pop909: the"
    " longest key of key_audio.txt, which a program wrote; one constant (`LEAN`) was chosen with an eye to it, and "
    "that teachers in minor are also taught as dorian lines with an eye to nottingham. Profiles by correlation with"
    " sounding time: AS Albrecht and Shanahan 2013, KK Krumhansl and Kessler 1982, T Temperley 2007 (Kostka-Payne)."
    " music21: `analyze('key')` on a sample drawn with seed 0. `ms`: median time of one piece. Row `path`: the "
    "share of notes under the signature written there, by `key_path` and by one key for the whole, in the songs of "
    "lieder with several signatures, of the half of works on which its four constants were not chosen (the key of "
    "the whole, which it leans to, by the weights of the package, which lieder taught); `regions` a one-signature "
    "song."
    " The network's settings, the modal lessons and what was left out as a teacher were chosen with nottingham and "
    "the halves in sight.")
SAMPLE = 100
FEWEST = 16
BY_HALVES = ("openscore_lieder", "open_hymnal", "mutopia_midi")
KRUMHANSL = np.array([
    [6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88],
    [6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17]])
TEMPERLEY = np.array([
    [.748, .060, .488, .082, .670, .460, .096, .715, .104, .366, .057, .400],
    [.712, .084, .474, .618, .049, .460, .105, .747, .404, .067, .133, .330]])
SETS = {"openscore_lieder": "*.mxl", "open_hymnal": "*.abc", "nottingham": "ABC_cleaned/*.abc",
        "mutopia_midi": "*.mid", "pop909": "???/???.mid"}
Finder = Callable[[Score], KeyName | None]


class Piece(NamedTuple):
    """A Score of notes alone, the key declared (its mode empty where none is), and the half of its work."""

    name: str
    score: Score
    truth: KeyName
    side: int


def rows() -> list[str]:
    """Return the names of the rows."""
    return [*SETS, "path"]


def row(name: str, limit: int | None = None) -> dict[str, Any]:
    """Return the cells of a row; `limit` takes only so many files."""
    if name == "path":
        return path_row(limit)
    found, left = pieces(name, limit)
    taken = [ours(name, piece) for piece in found]
    spent = [seconds for _, seconds in taken]
    cells: dict[str, Any] = {"pieces": len(found), "left out": left}
    moded = name != "openscore_lieder"
    cells |= judged("", found, [key for key, _ in taken], True)
    cells |= by_final(found, [key for key, _ in taken])
    if moded:
        cells["misses ending on ours"] = sum(ends_on(piece, key) for piece, (key, _) in zip(found, taken, strict=True))
    for short, profiles in (("AS ", features.KEY_PROFILES), ("KK ", KRUMHANSL), ("T ", TEMPERLEY)):
        theirs = [by_profile(piece.score, profiles) for piece in found]
        cells |= judged(short, found, theirs, moded)
        cells[f"{short}by the final"] = by_final(found, theirs)["key by the final"]
    cells |= music21_cells(found, [key for key, _ in taken], moded)
    cells["ms"] = round(1000 * float(np.median(spent)), 2)
    return cells


def judged(short: str, found: list[Piece], keys: list[KeyName], moded: bool) -> dict[str, Any]:
    """Return percents: of signatures, and where modes are declared of keys and of MIREX's score."""
    hits = [same_signature(key, piece.truth) for key, piece in zip(keys, found, strict=True)]
    cells: dict[str, Any] = {f"{short}signature": percent(hits)}
    if moded and all(piece.truth.mode for piece in found):
        cells[f"{short}key"] = percent([key == piece.truth for key, piece in zip(keys, found, strict=True)])
        cells[f"{short}MIREX"] = percent([mirex(key, piece.truth) for key, piece in zip(keys, found, strict=True)])
    return cells


def percent(values: list[Any]) -> float:
    """Return the mean as percent with two places."""
    return round(100 * float(np.mean(values)), 2)


def same_signature(key: KeyName, truth: KeyName) -> bool:
    """Whether two keys have one signature, enharmonics alike."""
    return (theory.fifths(*key) - theory.fifths(truth.tonic, truth.mode or "major")) % 12 == 0


def mirex(key: KeyName, truth: KeyName) -> float:
    """Return the score of MIREX's task of audio key detection.

    >>> mirex(KeyName(0), KeyName(0)), mirex(KeyName(7), KeyName(0)), mirex(KeyName(9, "minor"), KeyName(0))
    (1.0, 0.5, 0.3)
    """
    if key == truth:
        return 1.0
    if key.mode == truth.mode:
        return 0.5 if (key.tonic - truth.tonic) % 12 in (5, 7) else 0.0
    return 0.3 if same_signature(key, truth) else 0.2 if key.tonic == truth.tonic else 0.0


# --- the pieces --------------------------------------------------------------------------------------------------


def pieces(name: str, limit: int | None) -> tuple[list[Piece], int]:
    """Return the pieces of a set with one signature, and how many are left out."""
    found: list[Piece] = []
    left = 0
    for file, score in scores(name, limit):
        truth = heading(music(name) / file) if name == "pop909" else declared(name, score)
        if truth is None or "ChopinFF" in file or features.pitched(score).sum() < FEWEST:
            left += 1
        else:
            found.append(Piece(file, bare(score), truth, half_of(name, file)))
    return found, left


@cache
def read_set(name: str) -> tuple[tuple[str, Score], ...]:
    """Return the files of a set, by name below its folder, with their Scores."""
    folder = music(name)
    paths = sorted(path for path in folder.rglob(SETS[name]) if "CC-BY-SA" not in path.parts)
    read = ((tune, read_one(tune)[1]) for path in paths for tune in tunes_of(path))
    return tuple((Path(tune).relative_to(folder).as_posix(), score) for tune, score in read if score is not None)


def scores(name: str, limit: int | None) -> Iterator[tuple[str, Score]]:
    """Give the first files of a set."""
    yield from read_set(name)[:limit]


def declared(name: str, score: Score) -> KeyName | None:
    """Return the key that is written, its mode empty where none is said; None where there is no one key."""
    if len({key[1:] for key in score.keys}) != 1:
        return None
    mode = "" if name == "openscore_lieder" else score.keys[0].mode
    return KeyName(theory.from_fifths(score.keys[0].fifths, mode or "major").tonic, mode)


def heading(path: Path) -> KeyName | None:
    """Return the key that key_audio.txt beside a song of pop909 gives for the longest time."""
    time_of: Counter[str] = Counter()
    for line in (path.parent / "key_audio.txt").read_text(encoding="utf-8").splitlines():
        begin, end, name = line.split()
        time_of[name] += float(end) - float(begin)          # type: ignore[assignment]
    if not time_of:
        return None
    tonic, _, mode = time_of.most_common(1)[0][0].partition(":")
    return theory.parse_key(f"{tonic} {mode}")


def bare(score: Score) -> Score:
    """Return the notes and meters, without anything that could tell the key."""
    tracks = tuple(track._replace(name="") for track in score.tracks)
    return Score(score.onset, score.duration, score.pitch, score.velocity, score.track, end=score.end,
                 ticks_per_quarter=score.ticks_per_quarter, meters=score.meters, tempos=score.tempos, tracks=tracks)


def final(piece: Piece) -> int:
    """Return the pitch class of the last bass note."""
    return int(piece.score.pitch[piece.score.onset == piece.score.onset.max()].min()) % 12


def ends_on(piece: Piece, key: KeyName) -> bool:
    """Whether another key than the one declared is found, and the piece ends on its tonic, not on the other."""
    return key != piece.truth and final(piece) == key.tonic != piece.truth.tonic


def by_final(found: list[Piece], keys: list[KeyName]) -> dict[str, Any]:
    """Return percents of the pieces that end on a tonic of their signature, and how many do not."""
    told = []
    for piece, key in zip(found, keys, strict=True):
        signature = theory.fifths(piece.truth.tonic, piece.truth.mode or "major")
        pair = [theory.from_fifths(signature, mode) for mode in ("major", "minor")]
        told += [(same_signature(key, one), key == one) for one in pair if one.tonic == final(piece)]
    return {"other modes": len(found) - len(told), "signature without them": percent([a for a, _ in told]),
            "key by the final": percent([b for _, b in told])}


# --- the finders -------------------------------------------------------------------------------------------------


@cache
def taught() -> Any:
    """Return the weights to hear each half of the works with, fitted on the other."""
    return keys_fit.halves()


def ours(name: str, piece: Piece) -> tuple[KeyName, float]:
    """Return the key found by weights that saw neither this piece nor its half, and the seconds `find_key` took."""
    begin = time.perf_counter()
    heard = features.find_key(piece.score)
    spent = time.perf_counter() - begin
    assert heard is not None
    if name not in BY_HALVES:
        return heard.key, spent
    view = key_view(piece.score)
    assert view is not None
    best = int(key_chances(view, taught()[piece.side]).argmax())
    return KeyName(best % 12, "major" if best < 12 else "minor"), spent


def by_profile(score: Score, profiles: npt.NDArray[np.float64]) -> KeyName:
    """Return the key whose profile correlates best with the sounding time of the pitch classes."""
    turned = [np.roll(profile, tonic) for profile in profiles for tonic in range(12)]
    time = features.pitch_classes(score)
    k = int(np.argmax([np.corrcoef(time, profile)[0, 1] for profile in turned]))
    return KeyName(k % 12, "major" if k < 12 else "minor")


def music21_cells(found: list[Piece], ours: list[KeyName], moded: bool) -> dict[str, Any]:
    """Return music21's percents on a sample, and ours on the same; nothing where it is not installed."""
    try:
        music21 = peer("music21")
    except Missing:
        return {}
    chosen = sorted(random.Random(0).sample(range(len(found)), min(SAMPLE, len(found))))
    sample = [found[i] for i in chosen]
    theirs = []
    for piece in sample:
        stream = music21.stream.Stream()
        score = piece.score
        for i in np.flatnonzero(features.pitched(score)):
            note = music21.note.Note(int(score.pitch[i]))
            note.quarterLength = max(int(score.duration[i]), 1) / score.ticks_per_quarter
            stream.insert(int(score.onset[i]) / score.ticks_per_quarter, note)
        key = stream.analyze("key")
        theirs.append(KeyName(key.tonic.pitchClass, key.mode))
    return {"sample": len(sample), **judged("music21 ", sample, theirs, moded),
            "ours in sample": judged("", sample, [ours[i] for i in chosen], moded)["key" if moded else "signature"]}


# --- the path ----------------------------------------------------------------------------------------------------


def path_row(limit: int | None) -> dict[str, Any]:
    """Return how well the path follows signatures that change, beside one key for all."""
    shares: list[tuple[float, float]] = []
    regions: list[int] = []
    for file, score in scores("openscore_lieder", limit):
        if not score.keys or half_of("openscore_lieder", file) != 1:
            continue
        path = features.key_path(bare(score))
        if len({key.fifths for key in score.keys}) == 1:
            regions.append(len(path))
        elif path and (heard := features.find_key(bare(score))):
            shares.append((followed(score, path), followed(score, ((0, heard.key),))))
    along, whole = np.mean(shares, axis=0)
    return {"pieces": len(shares), "path": round(100 * float(along), 2), "one key": round(100 * float(whole), 2),
            "regions": round(float(np.mean(regions)), 2), "one region": percent([n == 1 for n in regions])}


def followed(score: Score, path: tuple[tuple[int, KeyName], ...]) -> float:
    """Return the share of notes that stand under the signature of the key heard there."""
    def at(ticks: list[int], values: list[int]) -> npt.NDArray[np.int64]:
        return np.array(values)[np.maximum(np.searchsorted(ticks, score.onset, side="right") - 1, 0)]

    heard = at([tick for tick, _ in path], [theory.fifths(*key) for _, key in path])
    written = at([key.tick for key in score.keys], [key.fifths for key in score.keys])
    return float(np.mean((heard - written) % 12 == 0))


def misses(name: str) -> None:
    """Print the pieces where ours says another key than the field."""
    for piece in pieces(name, None)[0]:
        key, _ = ours(name, piece)
        if not same_signature(key, piece.truth) or (piece.truth.mode and key != piece.truth):
            last = int(piece.score.pitch[piece.score.onset == piece.score.onset.max()].min())
            print(piece.name, theory.key_name(*key), "| field", theory.key_name(piece.truth.tonic, piece.truth.mode
                  or "major"), "| ends on", theory.pitch_name(last), "| ends on ours" * ends_on(piece, key))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--misses"]:
        misses(sys.argv[2])
    else:
        rows_by_hand(__doc__, rows(), row, limit=None)
