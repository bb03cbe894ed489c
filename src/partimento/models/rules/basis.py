"""The basis of a piece before a note of it is written: key, phrases, and the harmonies in the style's own way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from partimento import features, theory
from partimento.models.base import Rng
from partimento.models.rules.chorale import melody_evidence
from partimento.models.rules.form import BeatBar, plan_phrases
from partimento.models.rules.grammar import Evidence, harmony_table, merged, progression
from partimento.models.rules.plan import Phrase, RomanChord, Slot, chord_of_symbol, roman_chord
from partimento.request import Request
from partimento.sampling import draw
from partimento.score import Score

FEW = 8                 # kept notes from which on the key is heard in them
KEPT_SHARE = 7.0        # nats against a chord that lacks a pitch class that sounds all through its slot


def home_key(around: Score, kept: Score, request: Request, tick: int, style: Mapping[str, Any], rng: Rng,
             ) -> tuple[int, str]:
    """Return the key at a tick as (tonic, mode): the one asked, written, heard in what is kept, or drawn."""
    uniform = rng.random(), rng.random()
    if request.key:
        return tuple(theory.parse_key(request.key))     # type: ignore[return-value]
    written = around.key_at(tick)
    heard = features.find_key(kept) if len(kept) >= FEW else None
    if heard is not None and (written is None or theory.fifths(*heard.key) == written.fifths):
        return heard.key.tonic, heard.key.mode
    if written is not None:
        return tuple(theory.from_fifths(written.fifths, written.mode or "major"))    # type: ignore[return-value]
    if heard is not None:
        return heard.key.tonic, heard.key.mode
    if around.chords:
        tones = np.zeros(12)
        for chord in around.chords:
            tones[list(theory.parse_chord(chord.symbol).tones)] += 1
        if tones.any():
            key = features.rank_keys(tones)[0]
            return key.tonic, key.mode
    modes = sorted(style["modes"])
    mode = modes[draw([style["modes"][m] for m in modes], uniform[0])]
    return (0, 7, 2, 5, 10, 9)[int(uniform[1] * 6)], mode


def lay_phrases(around: Score, bars: Sequence[BeatBar], key: tuple[int, str], style: Mapping[str, Any], rng: Rng,
                form: str, closed: bool, pickup: bool) -> list[Phrase]:
    """Return the phrases over bars 0 to n − 1 of a window; a pick-up belongs to the first, written keys are kept."""
    first = 1 if pickup and len(bars) > 1 else 0
    phrases = plan_phrases(style, first, len(bars) - first, key, rng, form=form, closed=closed)
    if first:
        phrases[0] = phrases[0]._replace(first_bar=0, bars=phrases[0].bars + 1)
    if len(around.keys) > 1:
        for k, phrase in enumerate(phrases):
            written = around.key_at(bars[phrase.first_bar].start)
            if written is not None and theory.fifths(*key) != written.fifths:
                own = theory.from_fifths(written.fifths, written.mode or "major")
                phrases[k] = phrase._replace(tonic=own.tonic, mode=own.mode, repeats=-1)
    return phrases


def lay_slots(bars: Sequence[BeatBar], phrases: Sequence[Phrase], how: str, chords: Sequence[int]) -> list[Slot]:
    """Return the slots of harmony: ``bar``, ``half`` a bar (where it has four beats or more) or ``beats``, cut where
    given chords begin (`chords`, ticks). Near a cadence harmony moves faster, and the cadence arrives on the last bar.

    >>> four = BeatBar(0, 1920, ((0, 480), (480, 480), (960, 480), (1440, 480)))
    >>> [slot.start for slot in lay_slots([four], [Phrase("A", 0, 1)], "half", [])]
    [0, 960]
    """
    out: list[Slot] = []
    for index, phrase in enumerate(phrases):
        for number in range(phrase.first_bar, phrase.first_bar + phrase.bars):
            bar = bars[number]
            beats = [start for start, _ in bar.beats]
            last = number == phrase.first_bar + phrase.bars - 1
            before = number == phrase.first_bar + phrase.bars - 2
            cuts = {bar.start}
            if how == "beats":
                cuts |= set(beats[:1 if last and phrase.cadence else None])
            elif len(beats) >= 4 and (how == "half" or before) and not (last and phrase.cadence and phrase.bars > 1):
                cuts.add(beats[len(beats) // 2])
            elif before and len(beats) == 3 and how != "bar":
                cuts.add(beats[2])
            elif phrase.bars == 1 and len(beats) > 1:
                cuts.add(beats[len(beats) // 2])
            cuts |= {tick for tick in chords if bar.start < tick < bar.end}
            edges = [*sorted(cuts), bar.end]
            for k, (start, end) in enumerate(pairwise(edges)):
                accent = 1.0 if k == 0 else 0.7 if len(beats) % 2 == 0 and start in beats \
                    and 2 * beats.index(start) == len(beats) else 0.3
                arrives = last and (k == 0 if phrase.bars > 1 else k == len(edges) - 2)
                out.append(Slot(start, end, accent, index, arrives))
    return out


def lay_harmonies(slots: Sequence[Slot], bars: Sequence[BeatBar], phrases: Sequence[Phrase], style: Mapping[str, Any],
                  evidence: Evidence | None, around: Score, given: bool, rng: Rng,
                  temperature: float) -> list[RomanChord]:
    """Return the harmonies over the slots: by the style's loops, or by the grammar where it has none, where notes are
    kept that must fit, or where chords are given."""
    how = style["harmony"]
    chords = around.chords if given else ()
    if how["kind"] == "loops" and evidence is None and not chords:
        return _loops(bars, phrases, how, rng)
    table = merged(harmony_table(), how.get("changes", {}))
    heat = 0.35 if evidence is not None else max(0.85 * temperature, 0.05)
    found = progression(phrases, slots, evidence=evidence, given=chords, table=table, rng=rng, temperature=heat)
    if chords:
        found = [chord_of_symbol(h.start, h.end, h.tonic, h.mode, _ruling(around, h.start)) or h for h in found]
    return found


def _ruling(around: Score, tick: int) -> str:
    begun = [chord.symbol for chord in around.chords if chord.tick <= tick]
    return begun[-1] if begun else "N"


def _loops(bars: Sequence[BeatBar], phrases: Sequence[Phrase], how: Mapping[str, Any], rng: Rng) -> list[RomanChord]:
    """A loop of chords for each section, gone round; the piece closes as the style does."""
    chosen: dict[tuple[str, str], list[str]] = {}
    out: list[RomanChord] = []
    first = phrases[0].label.rstrip("'")
    for index, phrase in enumerate(phrases):
        label = phrase.label.rstrip("'")
        mode = phrase.mode
        if (label, mode) not in chosen:
            rows = how[mode] if label == first else how.get(f"{mode}_b", how[mode])
            taken = list(chosen.values())
            rows = [row for row in rows if row.split() not in taken] or rows
            chosen[label, mode] = rows[int(rng.random() * len(rows))].split()
        loop = chosen[label, mode]
        signs = [loop[k % len(loop)] for k in range(phrase.bars)]
        if index == len(phrases) - 1 and phrase.cadence == "PAC":
            close = how["close"][mode].split()[-min(phrase.bars, 3):]
            signs[-len(close):] = close
            signs[-1] = how.get("end", {}).get(mode, close[-1])
        elif phrase.cadence == "HC":
            signs[-1] = "V7" if any("7" in sign for sign in loop) else "V"
        elif phrase.cadence in ("PAC", "IAC") and phrase.bars >= 2:
            signs[-2:] = how["close"][mode].split()[-2:]
        for number, sign in enumerate(signs, phrase.first_bar):
            bar = bars[number]
            parts = sign.split(",")
            beats = [start for start, _ in bar.beats] or [bar.start]
            if len(parts) > len(beats):
                parts = parts[-1:]
            edges = [beats[len(beats) * k // len(parts)] for k in range(len(parts))] + [bar.end]
            edges[0] = bar.start
            out += [roman_chord(a, b, phrase.tonic, mode, part)
                    for part, (a, b) in zip(parts, pairwise(edges), strict=True)]
    return out


def struck_changes(kept: Score, bars: Sequence[BeatBar]) -> list[int]:
    """Return the beats (ticks) at which what is kept strikes a chord of three tones or more with one that the last such
    chord had not, and without one of its own: there a harmony may begin.

    >>> four = BeatBar(0, 1920, ((0, 480), (480, 480), (960, 480), (1440, 480)))
    >>> rows = [(480 * k, 480, p, 80, 0) for k in range(4) for p in ((60, 64, 67), (59, 62, 67))[k == 2]]
    >>> struck_changes(Score.from_rows(rows), [four])
    [960, 1440]
    """
    struck: dict[int, set[int]] = {}
    pitched = features.pitched(kept)
    for onset, pitch in zip(kept.onset[pitched].tolist(), kept.pitch[pitched].tolist(), strict=True):
        struck.setdefault(onset, set()).add(pitch % 12)
    beats = {start for bar in bars for start, _ in bar.beats}
    out: list[int] = []
    last: set[int] = set()
    for tick in sorted(struck):
        if len(struck[tick]) >= 3:
            if last and tick in beats and struck[tick] - last and last - struck[tick]:
                out.append(tick)
            last = struck[tick]
    return out


def kept_evidence(kept: Score, line: Sequence[tuple[int, int, int]], slots: Sequence[Slot]) -> Evidence | None:
    """Return what the kept notes say of the chord in each slot; None where no pitched one sounds there.

    `line` is the kept melody as (onset, end, pitch), one note at a time; other notes count by how long they sound.
    """
    own = melody_evidence(list(line), slots) if line else Evidence(
        np.zeros((len(slots), 12)), np.full(len(slots), -1, np.int64), np.full(len(slots), -1, np.int64))
    against = own.against.copy()
    pitched = features.pitched(kept)
    on, off, pitch = kept.onset[pitched].astype(int), kept.offset[pitched].astype(int), kept.pitch[pitched] % 12
    for t, slot in enumerate(slots):
        inside = np.minimum(off, slot.end) - np.maximum(on, slot.start)
        sounds = inside > 0
        shares = np.bincount(pitch[sounds], inside[sounds], minlength=12) / (slot.end - slot.start)
        against[t] = np.maximum(against[t], np.where(shares >= 0.3, KEPT_SHARE * np.minimum(shares, 1.0), 0.0))
    return Evidence(against, own.first, own.last) if against.any() else None


def without_gaps(harmonies: Sequence[RomanChord], bars: Sequence[BeatBar]) -> list[RomanChord]:
    """Return harmonies that rule the whole window: each lasts to the next, the first begins with it.

    >>> chords = [roman_chord(480, 960, 0, "major", "I"), roman_chord(1440, 1500, 0, "major", "V")]
    >>> [(chord.start, chord.end) for chord in without_gaps(chords, [BeatBar(0, 1920, ((0, 1920),))])]
    [(0, 1440), (1440, 1920)]
    """
    out = list(harmonies)
    for k, harmony in enumerate(out):
        start = bars[0].start if k == 0 else out[k].start
        end = out[k + 1].start if k + 1 < len(out) else bars[-1].end
        out[k] = harmony._replace(start=start, end=max(end, start + 1))
    return out
