"""How like players the performances are: drums on the test split of groove, and the loudness of pop909's pianists.

    python bench/run.py --tables humanize
    python bench/tables/humanize.py --rows "MELODY: r" --limit 20      # by hand, some songs
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

sys.path += [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1])]
from downbeat_fit import halves
from drum_feel_fit import FAR, delays, performances
from peers import music, rows_by_hand

from partimento import formats
from partimento.features.meter import note_levels
from partimento.formats.rebar import rebar
from partimento.notation.ready import ready
from partimento.performance.drums import STEPS, drum_feel, drum_places, kit_parts
from partimento.performance.perform import DB, humanize_score
from partimento.performance.rules import LOUDNESS, RULES, Hearing
from partimento.request import Request
from partimento.score import Score

PROTOCOL = (
    "Drums: the 123 performances of groove's own test split that are here (73 beats, 50 fills) are written down "
    "(every hit on the nearest sixteenth, or triplet of eighths where a beat is nearer to these; velocity 80) and "
    "performed again. `r` is Pearson's, over all hits; `r within` the mean over performances of 20 hits and more, "
    "which no drummer's own level can raise; MAE of velocity (1-127) and of the ms behind the written place, hits "
    "more than 90 ms off left out. `flat`: the mean of the training split; `part`: that of each part of the kit; "
    "`random`: a hit of the same part drawn from it. The weights were learnt on the training split and chosen on the "
    "validation split. MELODY, BRIDGE, PIANO: tracks of pop909 with all velocities made equal, bars found by "
    "`--input-meter auto`, performed at strength 1 without chance; dB are 40 log10 of the velocity, above the mean of "
    "the track. `r` and MAE are means over songs; `random` are the same deviations shuffled; for MAE ours is at "
    "strength 0.2, which the other half of the songs chose (`--choose`), for no rule was fitted: quantities are those "
    "published. The half that chose nothing is tested. `page`: pieces of mutopia_midi (PD), velocity 80, performed at "
    "the default strength and made ready for a page: the share of notes with the onset (and the length) that the page "
    "of the piece itself has; `random`: after every onset and end was moved by chance, a deviation of 10 ms.")
STRENGTH = 0.2          # where the error on 60 songs of the first half of pop909 is lowest, of 0, 0.1, ... 1
PIECES, LONGEST = 100, 3000     # of mutopia_midi; pieces of more notes are left out
FEWEST = 20             # notes of a piece, or of a track, that are compared by themselves
KEPT = {name: 0.0 for name in RULES if name not in LOUDNESS}
TRACKS = ("MELODY", "BRIDGE", "PIANO")
Floats = npt.NDArray[np.float64]


def rows() -> list[str]:
    """Return the names of the rows."""
    of_drums = [f"drums, {what}: {measure}" for what in ("velocity", "ms behind")
                for measure in ("r", "r within", "MAE")]
    of_notes = [f"{track}: {measure}" for track in TRACKS for measure in (
        "r", "MAE", "dB, first of bar", "dB, off beat", "dB, phrase turn above ends")]
    return [*of_drums, *of_notes, "page: onsets", "page: onsets and lengths"]


def row(name: str, limit: int | None = None) -> dict[str, Any]:
    """Return the cells of a row; `limit` takes only so many pieces."""
    kind, _, measure = name.partition(": ")
    if kind == "page":
        return page_kept(limit)[measure]
    if kind in TRACKS:
        return notes(kind, limit)[measure]
    found = [drums(what, limit)[f"{kind.removeprefix('drums, ')}: {measure}"] for what in ("all", "beats", "fills")]
    return {**found[0], "ours, beats": found[1]["ours"], "ours, fills": found[2]["ours"]}


# --- drums -------------------------------------------------------------------------------------------------------


def written(score: Score) -> tuple[Score, Any]:
    """Return a performance as it would be written, and where each of its notes went (int64[n])."""
    _, place = drum_places(score, 0)
    onset = np.rint(place * score.ticks_per_quarter / STEPS).astype(np.int64)
    tagged = score.replace(onset=onset, duration=np.full(len(score), 30), velocity=np.full(len(score), 80),
                           staff=np.arange(len(score)))
    assert tagged.staff is not None
    return tagged.replace(staff=None), np.argsort(tagged.staff)


@cache
def learnt() -> tuple[Floats, Any]:
    """Return velocity and delay of every hit of the training split, and its part."""
    pieces = [score for _, _, score in performances("train")]
    done = np.concatenate([np.stack([score.velocity, delays(score)], axis=1) for score in pieces])
    return done, np.concatenate([kit_parts(score.pitch) for score in pieces])


@cache
def drums(what: str, limit: int | None) -> dict[str, dict[str, Any]]:
    """Return the cells of the drums of one kind of performance (``all``, ``beats``, ``fills``), by measure."""
    done, known = learnt()
    near = np.abs(done[:, 1]) < FAR
    rng = np.random.default_rng(0)
    of_part = [np.flatnonzero(known == k) for k in range(int(known.max()) + 1)]
    means = np.array([[done[own, 0].mean(), done[own[near[own]], 1].mean()] for own in of_part])
    told: dict[str, list[Floats]] = {way: [] for way in ("played", "ours", "flat", "part", "random")}
    chosen = [score for name, _, score in performances("test") if what == "all" or f"_{what[:-1]}_" in name]
    for score in chosen[:limit]:
        page, where = written(score)
        feel = drum_feel(page, 0)
        ours = np.zeros((len(page), 2))
        ours[feel.notes] = np.stack([feel.velocity, feel.delay_ms], axis=1)
        part = kit_parts(score.pitch)
        told["played"].append(np.stack([score.velocity, delays(score)], axis=1))
        told["ours"].append(ours[where])
        told["flat"].append(np.tile([done[:, 0].mean(), done[near, 1].mean()], (len(score), 1)))
        told["part"].append(means[part])
        told["random"].append(np.array([done[rng.choice(of_part[k])] for k in part]).reshape(-1, 2))
    played = np.concatenate(told["played"])
    cells: dict[str, dict[str, Any]] = {}
    for column, unit in enumerate(("velocity", "ms behind")):
        use = np.abs(played[:, 1]) < FAR if column else np.ones(len(played), bool)
        for way in ("ours", "flat", "part", "random"):
            found, right = np.concatenate(told[way])[use, column], played[use, column]
            within = [correlation(a[:, column], b[:, column]) for a, b in zip(told[way], told["played"], strict=True)
                      if len(a) >= FEWEST]
            for measure, value in (("MAE", np.abs(found - right).mean()), ("r", correlation(found, right)),
                                   ("r within", np.mean(within))):
                cells.setdefault(f"{unit}: {measure}", {})[way] = round(float(value), 3)
    for measure in cells.values():
        measure |= {"notes": len(played), "pieces": len(told["played"])}
    return cells


def correlation(a: Floats, b: Floats) -> float:
    """Return Pearson's correlation, 0 where one of them does not vary.

    >>> round(correlation(np.array([1.0, 2, 3]), np.array([2.0, 4, 6])), 6)
    1.0
    """
    return float(np.corrcoef(a, b)[0, 1]) if min(a.std(), b.std()) > 1e-9 else 0.0


# --- notes -------------------------------------------------------------------------------------------------------


def songs(half: int, limit: int | None) -> list[Score]:
    """Return the songs of one half of pop909, barred by what is heard."""
    folders = halves()[half][:limit]
    return [rebar(formats.read_fast(folder / f"{folder.name}.mid"), "auto") for folder in folders]


def performed(score: Score, strength: float = 1.0) -> Floats:
    """Return the velocities of a piece made flat and performed by the rules of loudness alone, without chance."""
    mean = [round(float(score.velocity[score.track == i].mean())) if (score.track == i).any() else 80
            for i in range(len(score.tracks))]
    flat = score.replace(velocity=np.array(mean)[score.track])
    done = humanize_score(Request(verb="humanize", strength=strength, rules=KEPT), flat)[0].score
    assert np.array_equal(done.notes()[:, [0, 2, 4]], score.notes()[:, [0, 2, 4]])
    return done.velocity.astype(np.float64)


@cache
def notes(track: str, limit: int | None) -> dict[str, dict[str, Any]]:
    """Return the cells of one track of pop909, by measure."""
    rng = np.random.default_rng(0)
    found: dict[tuple[str, str], list[float]] = {}

    def add(measure: str, way: str, value: float) -> None:
        found.setdefault((measure, way), []).append(value)

    for score in songs(1, limit):
        index = [one.name for one in score.tracks].index(track) if track in [t.name for t in score.tracks] else -1
        own = score.track == index
        if own.sum() < FEWEST:
            continue
        played, full, some = score.velocity[own].astype(float), performed(score)[own], performed(score, STRENGTH)[own]
        db, ours = (DB * np.log10(one) - (DB * np.log10(one)).mean() for one in (played, full))
        shuffled = rng.permutation(len(ours))
        heard = Hearing(score)
        for way, one in (("ours", ours), ("random", ours[shuffled]), ("flat", 0 * ours)):
            add("r", way, correlation(one, db))
        for name, rule in LOUDNESS.items():
            add("r", name, correlation(rule(heard, **RULES[name].parameters)[own], db))
        for way, velocity in (("ours", some), ("flat", np.full(len(played), played.mean())),
                              ("random", some[shuffled]), ("ours at 1", full)):
            add("MAE", way, float(np.abs(velocity - played).mean()))
        level = note_levels(score, own)
        arch = heard.arch(heard.phrases, score.onset[own], 1.0, 1.0, 0.3, 2.0, 1.0)
        for way, one in (("played", db), ("ours", ours), ("random", ours[shuffled])):
            for measure, here in (("first of bar", level == 5), ("off beat", level <= 2)):
                if here.any():
                    add(f"dB, {measure}", way, float(one[here].mean()))
            if (arch > 0.25).any() and (arch < 0.02).any():
                add("dB, phrase turn above ends", way, float(one[arch < 0.02].mean() - one[arch > 0.25].mean()))
    cells: dict[str, dict[str, Any]] = {}
    for (measure, way), values in found.items():
        cells.setdefault(measure, {})[way] = round(float(np.mean(values)), 3)
        cells[measure]["pieces"] = len(values)
    return cells


# --- the page ----------------------------------------------------------------------------------------------------


@cache
def page_kept(limit: int | None) -> dict[str, dict[str, Any]]:
    """Return how much of the page of a piece is that of its performance, by measure."""
    paths = sorted((music("mutopia_midi") / "PD").rglob("*.mid"))
    random.Random(1).shuffle(paths)
    same: dict[str, Counter[str]] = {"onsets": Counter(), "onsets and lengths": Counter()}
    total, pieces, rng = 0, 0, np.random.default_rng(0)
    for path in paths[:PIECES if limit is None else limit]:
        score = formats.read_fast(path)
        if not 0 < len(score) <= LONGEST:
            continue
        score = score.replace(velocity=np.full(len(score), 80))
        own = written_notes(score)
        total, pieces = total + len(score), pieces + 1
        for way, other in (("ours", humanize_score(Request(verb="humanize"), score)[0].score),
                           ("random", jittered(score, rng))):
            found = written_notes(other)
            same["onsets and lengths"][way] += (Counter(own) & Counter(found)).total()
            same["onsets"][way] += (Counter(n[:3] for n in own) & Counter(n[:3] for n in found)).total()
    return {measure: {**{way: round(value / total, 4) for way, value in ways.items()}, "notes": total, "pieces": pieces}
            for measure, ways in same.items()}


def written_notes(score: Score) -> list[tuple[int, ...]]:
    """Return onset, pitch, track and length of every note on the page of a piece, in 480 ticks a quarter."""
    page = ready(score)
    by = page.ticks_per_quarter // 480
    return [tuple(row) for row in np.stack([page.onset // by, page.pitch, page.track, page.duration // by], 1).tolist()]


def jittered(score: Score, rng: np.random.Generator) -> Score:
    """Return a piece with onsets and ends moved by chance, a deviation of 10 ms."""
    us = np.array([score.tempo_at(int(tick)).us_per_quarter for tick in score.onset])
    ticks = 10_000 * score.ticks_per_quarter / us
    onset = np.maximum(np.rint(score.onset + ticks * rng.standard_normal(len(score))), 0).astype(np.int64)
    end = np.rint(score.offset + ticks * rng.standard_normal(len(score))).astype(np.int64)
    return score.replace(onset=onset, duration=np.maximum(end - onset, 1))


def chosen_strength(limit: int | None) -> dict[float, float]:
    """Return the error on the songs that choose `STRENGTH`, by strength."""
    whole = songs(0, limit)
    return {k / 10: float(np.mean([np.abs(performed(score, k / 10) - score.velocity).mean() for score in whole]))
            for k in range(11)}


PUBLISHED: list[dict[str, Any]] = []


if __name__ == "__main__":
    if sys.argv[1:] == ["--choose"]:
        print(chosen_strength(60))
    else:
        rows_by_hand(__doc__, rows(), row, ";", limit=None)
