"""The words of a piano roll: facts about a piece, names of keys, drums and tracks, chords as they are printed."""

from __future__ import annotations

import re
from collections.abc import Sequence

from partimento.render.roll_grid import Grid
from partimento.score import Score
from partimento.theory import DRUM_NAMES, INSTRUMENT_NAMES

_KIT = {35: "Kick 2", 36: "Kick", 37: "Rim", 38: "Snare", 39: "Clap", 40: "Snare 2", 41: "Floor tom", 42: "Hi-hat",
        43: "Floor tom 2", 44: "Pedal hat", 45: "Low tom", 46: "Open hat", 47: "Mid tom", 48: "Mid tom 2", 49: "Crash",
        50: "High tom", 51: "Ride", 52: "China", 53: "Ride bell", 54: "Tambourine", 55: "Splash", 57: "Crash 2",
        59: "Ride 2", 69: "Cabasa"}
_TONICS = ("Cb", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#", "G#", "D#", "A#")


def pretty(symbol: str) -> str:
    """A chord or key as it is printed, with real sharps and flats: ``Bbm7b5`` gives B♭m7♭5."""
    return re.sub(r"(?<=[A-G])b|b(?=\d)", "♭", symbol).replace("#", "♯")


def key_words(fifths: int, mode: str) -> str:
    """A key signature by name, ``E♭ major``; empty where there is no such signature."""
    place = fifths + 7 + (3 if mode == "minor" else 0)
    return f"{pretty(_TONICS[place])} {mode}".strip() if 0 <= place < len(_TONICS) else ""


def _some(words: Sequence[str]) -> str:
    different = list(dict.fromkeys(w for w in words if w))
    return ", ".join(different[:3]) + (" …" if len(different) > 3 else "")


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def facts(score: Score, grid: Grid, shown: int) -> str:
    """One line about the piece, and about what of it is shown."""
    bpm = [round(60e6 / max(1, t.us_per_quarter)) for t in score.tempos if t.tick < max(score.end, 1)]
    tempo = f"{min(bpm)}" if min(bpm) == max(bpm) else f"{min(bpm)}–{max(bpm)}"
    seconds = round(float(score.seconds(score.end)))
    words = [_some([f"{m.numerator}/{m.denominator}" for m in score.meters]), f"{tempo} bpm",
             _some([key_words(k.fifths, k.mode) for k in score.keys]), _plural(score.n_bars, "bar"),
             f"{seconds // 60}:{seconds % 60:02d}", _plural(len(score), "note") if len(score) else "no notes"]
    first, last = score.bar_number(0), score.bar_number(int(grid.starts[-2]))
    if len(grid.starts) - 1 < score.n_bars:
        words.append(f"showing bars {first} to {last}" if last > first else f"showing bar {first}")
    if shown < int((score.onset < grid.starts[-1]).sum()):
        words.append(f"showing the first {_plural(shown, 'note')}")
    return " · ".join(w for w in words if w)


def drum_name(pitch: int, short: bool = False) -> str:
    """What a key of a drum kit sounds; `short` for the narrow column at the left of a roll."""
    full = DRUM_NAMES.get(pitch, f"drum {pitch}")
    return _KIT.get(pitch, full) if short else full


def track_name(score: Score, track: int) -> str:
    """The name of a track, or of its instrument where it has none."""
    name = " ".join(score.tracks[track].name.split()) if track < len(score.tracks) else ""
    if name or track >= len(score.tracks):
        return name or f"track {track + 1}"
    return "Drums" if score.tracks[track].is_drum else INSTRUMENT_NAMES[score.tracks[track].program % 128]
