"""A blind listening test as one offline page: pairs of excerpts equally long and loud, and a key that says whose."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from partimento.errors import RequestError, WriteError
from partimento.formats.files import check_target, write_bytes
from partimento.judge.listeners import SPOILED, VERSION, Clip, ListeningKey, Trial
from partimento.judge.measures import MEASURES
from partimento.judge.rank import rank
from partimento.models.base import Progress, Report
from partimento.notation.play import played
from partimento.render.audio import encoded, render_audio
from partimento.render.html import asset, document, html_text, page_style
from partimento.render.loudness import integrated_loudness
from partimento.render.sounding import sounding_bars
from partimento.sampling import generator
from partimento.score import Score

FloatArray = npt.NDArray[np.float64]
RATE = 44100
LOUDEST = -16.0            # LUFS of all clips; softer where one of them would pass the ceiling
CEILING = -1.0             # dB of full scale that no sample passes
SHORTEST = 3.0             # seconds of a clip
FADE = 1.2                 # seconds at the end of a clip; a hundredth of it at the start
EVERY = 8                  # pairs for which there is one repeat and one anchor
MOST_PAIRS = 200
_TRIES = 12                # places looked at for an excerpt that is not mostly silence
_TYPICAL = 200             # pieces of the reference at most that say what real music measures


class _Excerpt(NamedTuple):
    """Whole bars of a piece that hold what a clip is cut from."""

    set: str
    piece: str
    score: Score
    bars: tuple[int, int]
    seconds: float


def listening_page(sets: Mapping[str, Mapping[str, Score]], *, pairs: int = 16, seconds: float = 20.0,
                   reference: Sequence[Score] = (),
                   title: str = "Which do you prefer?", seed: int = 0,
                   report: Report | None = None) -> tuple[str, ListeningKey]:
    """Return a listening test of `pairs` pairs as one HTML page, and the key that says whose is what.

    `sets` maps the name of each set to its pieces by name; every pair is of two sets, all combinations as often.
    Clips begin at a bar line, last `seconds` or as long as the shorter piece of the pair, and are equally loud
    (ITU-R BS.1770-4); pieces of less than 3 seconds are passed over. For every 8 pairs one is heard twice, and one
    anchor puts a piece beside the same piece spoiled.
    `reference` is real music: anchors are made of it (else of the first set), and what it measures stands in the key
    beside all measures of every clip and their rank. The page holds random names only.
    The same music and seed give the same page. RequestError where there are fewer than two sets or nothing to hear.
    """
    if len(sets) < 2:
        raise RequestError(f"a listening test must compare at least two sets of pieces; got {len(sets)}")
    if not 1 <= pairs <= MOST_PAIRS:
        raise RequestError(f"a listening test must have from 1 to {MOST_PAIRS} pairs; got {pairs}")
    if not seconds >= SHORTEST:
        raise RequestError(f"a clip must last at least {SHORTEST:g} seconds; got {seconds:g}")
    if SPOILED in sets:
        raise RequestError(f"no set may be called {SPOILED!r}: it is the name of what is spoiled on purpose")
    rng = generator(seed)
    decks = {name: _deck(name, pieces, seconds, rng) for name, pieces in sets.items()}
    planned = _planned(list(sets), pairs, rng)
    real = {f"{number + 1}": score for number, score in enumerate(reference)}
    anchors = _deck("reference", real, seconds, rng) if real else decks[next(iter(sets))]
    extra = -(-pairs // EVERY)
    duos = [(next(decks[one]), next(decks[other]), "pair") for one, other in planned]
    for _ in range(extra):
        whole = next(anchors)
        duos.append((whole, whole._replace(set=SPOILED, score=_spoiled(whole.score, rng)), "anchor"))
    sounds: list[npt.NDArray[np.float32]] = []
    for number, (one, other, _) in enumerate(duos):
        if report is not None and not report(Progress("making sound", number, len(duos))):
            raise RequestError("the listening test was cancelled; nothing was written")
        length = round(RATE * min(seconds, one.seconds, other.seconds))
        sounds += [_cut(excerpt.score, length) for excerpt in (one, other)]
    gains = matching_gains(sounds, RATE)
    names = iter(_names(2 * len(duos) + len(duos) + extra, rng))
    clips: dict[str, Clip] = {}
    files: dict[str, bytes] = {}
    trials: list[tuple[str, Trial]] = []
    for number, (one, other, kind) in enumerate(duos):
        ids = (next(names), next(names))
        for clip, excerpt, sound, gain in zip(ids, (one, other), sounds[2 * number:], gains[2 * number:], strict=False):
            files[clip] = encoded(sound * np.float32(10 ** (gain / 20)), RATE, "mp3")
            clips[clip] = Clip(excerpt.set, excerpt.piece, excerpt.bars, round(gain, 2), _measured(excerpt.score))
        trials.append((next(names), Trial(ids, kind)))
    trials = _ordered(trials, [next(names) for _ in range(extra)], rng)
    number_of_page = hashlib.sha256(b"".join([json.dumps([name for name, _ in trials]).encode(), *files.values()]))
    key = ListeningKey(number_of_page.hexdigest()[:16], clips, dict(trials), _typical(reference, seconds, rng))
    return _page(title, key, files, sum(map(len, sounds)) / RATE, rng), key


def write_listening(sets: Mapping[str, Mapping[str, Score]], path: str | os.PathLike[str], *, pairs: int = 16,
                    seconds: float = 20.0, reference: Sequence[Score] = (),
                    title: str = "Which do you prefer?", seed: int = 0, report: Report | None = None) -> list[Path]:
    """Write the listening page to `path` and its key beside it as ``NAME.key.json``; return both paths.

    Arguments are those of `listening_page`. WriteError where `path` does not end in .html or cannot be written.
    """
    target = Path(path)
    if target.suffix.lower() not in (".html", ".htm"):
        raise WriteError(f"a listening test must be written as .html; got {target.name!r}")
    hidden = target.with_suffix(".key.json")
    for place in (target, hidden):
        check_target(place)
    text, key = listening_page(sets, pairs=pairs, seconds=seconds, reference=reference, title=title, seed=seed,
                               report=report)
    write_bytes(hidden, (json.dumps(key.as_dict(), indent=1, ensure_ascii=False) + "\n").encode())
    write_bytes(target, text.encode())
    return [target, hidden]


def matching_gains(sounds: Sequence[npt.NDArray[np.float32]], rate: int) -> list[float]:
    """Return the dB to add to each of some sounds (float[n, channels]) that makes all of them equally loud.

    As loud as the one with the least room under −1 dB of full scale allows, −16 LUFS at most. RequestError for silence.

    >>> second = np.sin(np.arange(48000) / 10)[:, None].astype(np.float32)
    >>> [round(gain, 2) for gain in matching_gains([second, second / 2], 48000)]
    [-12.58, -6.56]
    """
    levels = [integrated_loudness(sound, rate) for sound in sounds]
    if not all(math.isfinite(level) for level in levels):
        raise RequestError("every sound to be matched must be heard; one of them is silent")
    rooms = [level + CEILING - 20 * math.log10(float(np.abs(sound).max()))
             for level, sound in zip(levels, sounds, strict=True)]
    aim = min(LOUDEST, *rooms)
    return [aim - level for level in levels]


# --- which excerpts, and in what order -----------------------------------------------------------------------------


def _planned(sets: list[str], pairs: int, rng: np.random.Generator) -> list[tuple[str, str]]:
    """The sets of every pair: all combinations in turn, each as often as the others, sides by chance."""
    meetings = list(combinations(sets, 2))
    return [(one, other) if rng.random() < 0.5 else (other, one)
            for one, other in (meetings[number % len(meetings)] for number in range(pairs))]


def _deck(name: str, pieces: Mapping[str, Score], seconds: float, rng: np.random.Generator) -> Iterator[_Excerpt]:
    """Excerpts of a set without end: every piece once in an order of chance, then all of them again."""
    known = list(pieces.items())
    while True:
        usable = 0
        for place in np.argsort(rng.random(len(known)), kind="stable").tolist():
            piece, score = known[place]
            heard = played(score)
            found = _excerpt(name, piece, heard, seconds, rng) if len(heard) and heard.n_bars else None
            if found is not None and found.seconds >= SHORTEST:
                usable += 1
                yield found
        if not usable:
            raise RequestError(f"every set of a listening test must have a piece with notes of {SHORTEST:g} seconds or "
                               f"longer; {name!r} has none among {len(pieces)}")


def _excerpt(name: str, piece: str, score: Score, seconds: float, rng: np.random.Generator) -> _Excerpt:
    """Bars of a piece from a bar line of chance, with notes in most of its time, that last `seconds` where they can."""
    starts = score.seconds(score.bar_starts)
    late = max(0, int(np.searchsorted(starts, starts[-1] - seconds + 1e-6, side="right")) - 1)
    sounding = score.seconds(score.onset)
    best, most = max(0, int(np.searchsorted(starts, sounding[0], side="right")) - 1), 0
    for _ in range(_TRIES):
        first = int(rng.random() * (late + 1))
        inside = sounding[(sounding >= starts[first]) & (sounding < starts[first] + seconds)]
        tenths = len(np.unique((inside - starts[first]) * 10 // max(min(seconds, starts[-1] - starts[first]), 1e-9)))
        if tenths > most:
            best, most = first, tenths
        if most >= 6:
            break
    stop = min(score.n_bars, int(np.searchsorted(starts, starts[best] + seconds - 1e-6)))
    cut = sounding_bars(score, best, stop)
    numbers = (score.bar_number(int(score.bar_starts[best])), score.bar_number(int(score.bar_starts[stop - 1])))
    return _Excerpt(name, piece, cut, numbers, float(cut.seconds(cut.end)))


def _spoiled(score: Score, rng: np.random.Generator) -> Score:
    """The same with every pitch moved by one to six semitones and every onset by up to a semiquaver, by chance."""
    count = len(score)
    step = 1 + (rng.random(count) * 6).astype(np.int64)
    pitch = score.pitch + np.where(rng.random(count) < 0.5, -step, step)
    drums = np.array([track.is_drum for track in score.tracks])[score.track]
    pitch = np.where(drums, score.pitch, np.where((pitch < 12) | (pitch > 115), score.pitch, pitch))
    late = ((rng.random(count) * 2 - 1) * score.ticks_per_quarter / 4).astype(np.int64)
    onset = np.clip(score.onset + late, 0, max(score.end - 1, 0))
    return score.replace(onset=onset, pitch=pitch, duration=np.minimum(score.duration, score.end - onset))


def _ordered(trials: list[tuple[str, Trial]], again: list[str], rng: np.random.Generator) -> list[tuple[str, Trial]]:
    """The trials in an order of chance; the first pairs of it come once more, half the test later."""
    mixed = [trials[place] for place in np.argsort(rng.random(len(trials)), kind="stable").tolist()]
    firsts = [trial for _, trial in mixed if trial.kind == "pair"]
    half = (len(mixed) + 1) // 2
    for number, name in enumerate(again[:len(firsts)]):
        one, other = firsts[number].clips
        mixed.insert(min(len(mixed), half + 3 * number + 1), (name, Trial((other, one), "repeat")))
    return mixed


def _names(count: int, rng: np.random.Generator) -> list[str]:
    """Random names, no two alike, that say nothing."""
    found: dict[str, None] = {}
    while len(found) < count:
        found[f"{int(rng.random() * 2 ** 32):08x}"] = None
    return list(found)


# --- sound and measures --------------------------------------------------------------------------------------------


def _cut(score: Score, length: int) -> npt.NDArray[np.float32]:
    """The sound of an excerpt, exactly `length` samples of it, faded at both ends."""
    sound = render_audio(score, rate=RATE)[:length]
    sound = np.pad(sound, ((0, length - len(sound)), (0, 0)))
    for share, part in ((FADE / 100, sound), (FADE, sound[::-1])):
        count = min(round(share * RATE), length // 4)
        part[:count] *= np.sin(np.linspace(0, np.pi / 2, count, dtype=np.float32))[:, None] ** 2
    return sound


def _measured(score: Score) -> dict[str, float]:
    """What every measure and the rank say of an excerpt, those that have nothing to say left out."""
    found = {name: row.measure(score) for name, row in MEASURES.items()}
    with contextlib.suppress(RequestError):                    # too short to rank
        found["rank"] = rank(score).value
    return {name: round(float(value), 9) for name, value in found.items() if value is not None and math.isfinite(value)}


def _typical(reference: Sequence[Score], seconds: float, rng: np.random.Generator) -> dict[str, float]:
    """The median of every measure over excerpts of real music, as long as the clips."""
    some = [reference[i] for i in np.argsort(rng.random(len(reference)), kind="stable")[:_TYPICAL].tolist()]
    rows = [_measured(_excerpt("", "", heard, seconds, rng).score) for heard in map(played, some)
            if len(heard) and heard.n_bars]
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: float(np.median([row[name] for row in rows if name in row])) for name in names}


# --- the page ------------------------------------------------------------------------------------------------------


def _page(title: str, key: ListeningKey, files: Mapping[str, bytes], seconds: float,
          rng: np.random.Generator) -> str:
    """The page of a key: nothing of it but names of trials and clips, and these in an order of chance."""
    order = np.argsort(rng.random(len(files)), kind="stable").tolist()
    shuffled = [list(files.items())[place] for place in order]
    data = {"page": key.page, "version": VERSION, "seconds": round(seconds),
            "trials": [[name, *sorted(trial.clips)] for name, trial in key.trials.items()],
            "clips": {name: base64.b64encode(content).decode("ascii") for name, content in shuffled}}
    body = asset("listening.html").replace("{title}", html_text(title)).replace("{count}", str(len(key.trials)))
    body += f'\n<script type="application/json" id="data">{json.dumps(data, separators=(",", ":"))}</script>'
    return document(title, page_style("listening.css"), body, asset("listening.js"), "pm pl")
