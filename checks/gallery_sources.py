"""The music that the gallery's pieces begin with: places of the sets drawn by seed, and small pieces where none is.

None of these sets taught a model that ships: those learn from mutopia_midi and groove (``checks/bundle.py``).
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))
import music_sets

from partimento import formats, verbs
from partimento.errors import PartimentoError
from partimento.formats import frame_notices, rebar
from partimento.notation.play import in_order
from partimento.score import Controls, Score

COMPOSED: tuple[dict[str, Any], ...] = (
    {}, {"tracks": "violin,piano", "meter": "3/4", "key": "E minor"}, {"tracks": "soprano,alto,tenor,bass"},
    {"tracks": "piano,bass,drums"}, {"tracks": "flute,cello"})
WORKS = {"openscore_lieder": "*.mxl", "chopin_first_editions": "*.krn", "open_hymnal": "*.abc", "openewld": "*.mxl",
         "mutopia_midi": "*.mid", "openscore_quartets": "*.mxl", "polish_piano": "*.krn", "nottingham": "*.abc",
         "openscore_orchestra": "*.mxl", "freedoom_midi": "*.mid", "chorale_melodies": "*.krn", "pop909": "*.mid"}
READ = tuple(WORKS)[:10]
BARS_READ, BARS_PERFORMED = 24, 16
TRIES = 20                 # files drawn until one can be read and is long enough


class Use(NamedTuple):
    """What a verb is given: the sets in turn, of how many bars, the first part alone or all, and the arguments.

    An argument may be a tuple: one a set.
    """

    sets: tuple[str, ...]
    bars: int
    first_part: bool
    given: dict[str, Any]


USES = {
    "continue": Use(("nottingham", "openscore_lieder", "open_hymnal", "pop909", "openscore_quartets"), 8, False,
                    {"bars": 8}),
    "infill": Use(("openscore_lieder", "nottingham", "chorale_melodies", "pop909", "polish_piano"), 16, False,
                  {"bars": "5-8"}),
    "harmonize": Use(("chorale_melodies", "nottingham"), 16, True, {"tracks": ("alto,tenor,bass", "")}),
    "accompany": Use(("pop909", "openewld", "openscore_lieder"), 16, True, {}),
    "vary": Use(("openscore_lieder", "nottingham", "chorale_melodies", "openscore_quartets", "chopin_first_editions"),
                12, False, {"strength": 0.5}),
}
# Real music beside which evaluate lays the pieces of a verb: whole textures, of sets that have them.
REAL = {"compose": (("openscore_lieder", "open_hymnal", "pop909", "openscore_quartets", "polish_piano"), 16),
        "harmonize": (("chorale_melodies", "open_hymnal"), 16), "accompany": (("pop909", "openscore_lieder"), 16)}
REAL_PIECES, REAL_SEEDS = 40, 1001


class Place(NamedTuple):
    """Some music, and the words that say where it is from."""

    score: Score
    about: str


def arguments(verb: str, seed: int) -> dict[str, Any]:
    """Return the arguments of a verb at a seed."""
    if verb == "compose":
        return {"bars": 16, **COMPOSED[(seed - 1) % len(COMPOSED)]}
    use = USES[verb]
    said = {name: value[(seed - 1) % len(value)] if isinstance(value, tuple) else value
            for name, value in use.given.items()}
    return {name: value for name, value in said.items() if value != ""}


def source(verb: str, seed: int, folder: Path) -> tuple[Path, str]:
    """Return the file of the music that a verb is given at a seed, written once, and where it is from."""
    use = USES[verb]
    name = use.sets[(seed - 1) % len(use.sets)]
    kind = "mid" if WORKS[name] == "*.mid" else "musicxml"
    file, words = folder / f"{verb}-{seed:02}.{kind}", folder / f"{verb}-{seed:02}.txt"
    if not words.exists():
        folder.mkdir(parents=True, exist_ok=True)
        place = drawn(name, seed, use.bars, use.first_part)
        formats.write(place.score, file)
        words.write_text(place.about, encoding="utf-8")
    return file, words.read_text(encoding="utf-8")


def real(verb: str) -> Iterator[Score]:
    """Yield the real music beside which the pieces of a verb stand; LookupError where one of its sets is absent."""
    sets, bars = REAL.get(verb) or (USES[verb].sets, USES[verb].bars)
    for name in sets:
        files_of(name)
    for number in range(REAL_PIECES):
        yield drawn(sets[number % len(sets)], REAL_SEEDS + number, bars, False).score


def drawn(name: str, seed: int, bars: int, first_part: bool) -> Place:
    """Return so many bars of a set, from the first that sounds; made by the rules family where the set is absent."""
    try:
        files = files_of(name)
    except LookupError:
        made = verbs.compose(model="rules", bars=bars, tracks="flute" if first_part else "violin,piano", seed=seed)
        return Place(made[0].score, f"made by the rules family, since {name} is not here")
    chance = random.Random(f"{name} {seed}")
    for _ in range(TRIES):
        tune = chance.choice(formats.tunes_of(chance.choice(files)))
        try:
            score = formats.read(tune)
            if name == "pop909":
                score = rebar(score, (4, 4), "auto")
        except PartimentoError:
            continue
        score = part_of(score, 0) if first_part else score
        if not len(score):
            continue
        first = int(np.searchsorted(score.bar_starts, score.onset[0], side="right")) - 1
        if score.n_bars - first >= bars // 2:
            some = excerpt(score, first, bars)
            return Place(some, f"{name}, {Path(tune).name}, from bar {score.bar_number(int(score.bar_starts[first]))}")
    raise LookupError(f"none of {TRIES} files of {name} has {bars // 2} bars of music at seed {seed}")


def files_of(name: str) -> list[Path]:
    """Return the files of a set, in order; LookupError where it is absent."""
    return sorted(path for path in music_sets.find(name).rglob(WORKS[name]) if "versions" not in path.parts)


def part_of(score: Score, track: int) -> Score:
    """Return one part alone: the highest line of it, where it has several."""
    notes = score.select(score.track == track)
    highest: dict[int, int] = {}
    for i, tick in enumerate(notes.onset.tolist()):
        if tick not in highest or notes.pitch[i] > notes.pitch[highest[tick]]:
            highest[tick] = i
    line = notes.select(np.array(sorted(highest.values()), np.intp))
    following = np.append(line.onset[1:], np.iinfo(np.int32).max)
    words = tuple(text._replace(track=0 if text.track == track else text.track)
                  for text in line.texts if text.track in (track, -1))
    return line.replace(track=np.zeros(len(line), np.int32), duration=np.minimum(line.duration, following - line.onset),
                        tracks=(score.tracks[track],), texts=words, controls=Controls.empty(), extras={},
                        voice=None, staff=None, grace=None)


def read_places() -> Iterator[tuple[str, int, Place]]:
    """Yield music of the sets to look at as pages: ``written`` by seeds 1 to 20, ``performed`` by 1 to 10."""
    for seed in range(1, 21):
        name = READ[(seed - 1) % len(READ)]
        try:
            tunes = formats.tunes_of(random.Random(seed).choice(files_of(name)))
        except LookupError as absent:
            print(f"left out: {absent}", file=sys.stderr)
            continue
        tune = random.Random(seed).choice(tunes)
        reading = formats.read_report(tune)
        mended = ", ".join(f"{what} ({count})" for what, count in reading.repairs.items()) or "nothing mended"
        yield "written", seed, Place(excerpt(reading.score, 0, BARS_READ), f"{name}, {Path(tune).name}: {mended}")
    for seed in range(1, 11):
        chance = random.Random(seed)
        try:
            path = chance.choice(files_of("pop909"))
        except LookupError as absent:
            print(f"left out: {absent}", file=sys.stderr)
            return
        score = rebar(formats.read(path), (4, 4), "auto")
        first = chance.randrange(max(1, score.n_bars - BARS_PERFORMED))
        yield "performed", seed, Place(excerpt(score, first, BARS_PERFORMED),
                                       f"{path.name} from bar {first}: {'; '.join(frame_notices(score))}")


def excerpt(score: Score, first: int, bars: int) -> Score:
    """Return some bars of a Score."""
    return in_order(score, [(bar, 1) for bar in range(first, min(first + bars, score.n_bars))])
