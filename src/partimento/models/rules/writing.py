"""Writing: the parts of a piece one after another, each into its blanks, around what is kept and what stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from partimento.models.base import Rng
from partimento.models.rules.basis import (
    home_key,
    kept_evidence,
    lay_harmonies,
    lay_phrases,
    lay_slots,
    struck_changes,
    without_gaps,
)
from partimento.models.rules.bass import bass_events, bass_pitches, inner_pitches, inner_spans
from partimento.models.rules.chorale import melody_key, melody_slots, phrase_ends, sung_phrases
from partimento.models.rules.drums import write_drums
from partimento.models.rules.figuration import figured
from partimento.models.rules.figures import FigureEvent, Register, write_figure
from partimento.models.rules.form import beat_bars
from partimento.models.rules.grammar import progression
from partimento.models.rules.loudness import LEADS, levelled, middle_loudness
from partimento.models.rules.melody import Motif, Theme, draw_lead, motif_of, phrase_spans
from partimento.models.rules.plan import Phrase, Slot
from partimento.models.rules.repitch import write_pitches
from partimento.models.rules.returns import kept_figure, kept_form, kept_phrases, plays_blocks, returning
from partimento.models.rules.sketch import NoteSpan, Sketch, Written, rules_table, velocity_at
from partimento.models.rules.styles import PITCHED, PLUCKED, track_roles
from partimento.models.rules.voicing import VoicePart, voice
from partimento.request import Blanks, Request
from partimento.sampling import Legal, draw
from partimento.score import Score
from partimento.theory import KeyName, track_range

BEFORE, AFTER = 48, 8           # bars around the blanks that are looked at
BARE = 8                # kept notes from which on a keyboard that plays one line is heard to do so
THEME = 4               # notes of a kept phrase that can come back
VOICES = ("lead", "upper", "lower", "bass")
Line = list[tuple[int, int, int]]


class PieceWriter:
    """One candidate: the sketch, the roles, and what each part does in its blanks."""

    def __init__(self, around: Score, blanks: Blanks, request: Request, style: Mapping[str, Any], form: str,
                 rng: Rng) -> None:
        self.around, self.blanks, self.request, self.style, self.rng = around, blanks, request, style, rng
        self.kept = around.select(~blanks.rewritten(around))
        self.roles = track_roles(around.tracks)
        self.style = style = {**style, "loud": middle_loudness(self.kept, self.roles, style["loud"])}
        bars = beat_bars(around)
        starts = [bar.start for bar in bars]
        low = min(r.start for r in blanks.regions)
        high = max(r.end for r in blanks.regions)
        first = max(int(np.searchsorted(starts, low, "right")) - 1 - BEFORE, 0)
        last = min(int(np.searchsorted(starts, high, "left")) + AFTER, len(bars))
        first -= (first - around.has_pickup) % 4 if first else 0
        self.window = bars[max(first, 0):max(last, first + 1)]
        pickup = around.has_pickup and first <= 0
        ends = high >= around.end and not request.loop
        temperature = request.temperature or 0.7
        line = self._kept_line()
        inside = self._inside(line)
        key = home_key(around, self.kept, request, low, style, rng)
        if inside and self._covers(inside) and not request.key:
            key = melody_key(around, inside)
        sung = bool(inside) and self._covers(inside)
        blank = [(r.start, r.end) for r in blanks.regions]
        if len(self.window) > 1 and inside and inside[0][0] < self.window[1].start and first <= 0:
            pickup |= 2 * (inside[0][0] - self.window[0].start) > self.window[0].end - self.window[0].start
        said = "" if form or sung else kept_form(self.window[pickup:], inside, blank)
        phrases = lay_phrases(around, self.window, key, style, rng, form or said, ends and last == len(bars), pickup)
        if said:
            phrases = kept_phrases(phrases, self.window, blank, key)
        legal = Legal(around, request)
        voices = self._voices(inside)
        if voices and sung:
            slots, spans = melody_slots(self._only(inside), inside, KeyName(*key))
            evidence = kept_evidence(self.kept, inside, slots)
            chords = around.chords if request.chords else ()
            found = progression(spans, slots, evidence=evidence, given=chords, rng=rng, temperature=0.35)
            phrases = [p._replace(cadence="?") for p in phrases]
        else:
            how = style["harmony"].get("slots", "half")
            kept_chords = [c.tick for c in around.chords] if self._given() else struck_changes(self.kept, self.window)
            busy = bool(line) and not (blanks.tracks() and self.roles[blanks.tracks()[0]] == "lead")
            if sung:                                # the melody knows where its phrases close
                phrases = [p._replace(cadence="", repeats=-1) for p in phrases]
                kept_chords += self._resting(inside)
            slots = lay_slots(self.window, phrases, "half" if how == "bar" and busy else how, kept_chords)
            spans = phrases
            if sung:
                others = [(a, a + d, p) for a, d, p, _, t in self.kept.notes().tolist() if not around.tracks[t].is_drum]
                slots, spans = sung_phrases(self._only(inside), inside, slots, KeyName(*key), ends, beside=others)
            evidence = kept_evidence(self.kept, inside, slots)
            if evidence is not None and not sung:
                evidence = returning(evidence, slots, phrases, self.window)
            found = lay_harmonies(slots, self.window, spans, style, evidence, around, self._given(), rng, temperature)
        self.slots = slots
        self.sketch = Sketch(around, self.window, phrases, without_gaps(found, self.window), style, legal, rng,
                             temperature, request.top_p or 1.0, ends)
        self.sketch.add([tuple(row) for row in self.kept.notes().tolist()
                         if self.window[0].start <= row[0] < self.window[-1].end], fresh=False)
        self.together = voices

    def _inside(self, line: Line) -> Line:
        return [n for n in line if self.window[0].start <= n[0] < self.window[-1].end]

    def _resting(self, line: Line) -> list[int]:
        """The beats on which a phrase of the kept melody comes to rest: a chord may begin there."""
        beats = {start for bar in self.window for start, _ in bar.beats}
        return [tick for tick in phrase_ends(self._only(line), line) if tick in beats]

    def _given(self) -> bool:
        """Whether chord symbols of the frame are to be followed: those asked, or those of the piece that is kept."""
        return bool(self.around.chords)

    def _kept_line(self) -> Line:
        """The melody that is kept: the top notes of the part that leads, where it is kept."""
        ordered = sorted(range(len(self.roles)), key=lambda i: (*PITCHED, "drums").index(self.roles[i]))
        for track in ordered:
            if self.roles[track] == "drums":
                continue
            own = self.top_line(track)
            if own and (self.roles[track] in ("lead", "keyboard") or track not in self.blanks.tracks()):
                return own
        return []

    def top_line(self, track: int) -> Line:
        """The highest kept notes of a track as (onset, end, pitch), one at a time."""
        own = self.kept.select((self.kept.track == track) & (self.kept.duration > 0))
        out: Line = []
        for on, off, pitch in zip(own.onset.tolist(), own.offset.tolist(), own.pitch.tolist(), strict=True):
            if out and out[-1][0] == on:
                out[-1] = (on, max(off, out[-1][1]), max(pitch, out[-1][2]))
            elif out and pitch < out[-1][2] and 2 * (min(off, out[-1][1]) - on) >= off - on:
                continue                # it lies under a note that goes on
            else:
                if out and out[-1][1] > on:
                    out[-1] = (out[-1][0], on, out[-1][2])
                out.append((on, off, pitch))
        return out

    def _covers(self, line: Line) -> bool:
        """Whether the kept melody sounds over most of what is blank."""
        low, high = min(r.start for r in self.blanks.regions), max(r.end for r in self.blanks.regions)
        sounding = sum(max(min(b, high) - max(a, low), 0) for a, b, _ in line)
        return sounding > 0.5 * (high - low)

    def _voices(self, line: Line) -> list[int]:
        """The tracks, highest first, that are written as voices together; empty where parts are written one by one.

        That is where three or more parts sing one note at a time, and all but perhaps the lead are blank throughout.
        """
        found = [i for name in VOICES for i, role in enumerate(self.roles) if role == name]
        others = [i for i, role in enumerate(self.roles) if role not in (*VOICES, "drums")]
        if others or not 3 <= len(found) <= 6 or self.roles[found[0]] != "lead" or self.roles[found[-1]] != "bass":
            return []
        if self.style["inner"] != "harmonies" and not (line and self._covers(line)):
            return []
        whole = {r.track for r in self.blanks.regions if r.open == "all"}
        if any(i not in whole or bool((self.kept.track == i).any()) for i in found[1:]):
            return []
        return found

    def _only(self, line: Line) -> Score:
        """The kept melody in the frame of the piece, fermatas and all."""
        return self.around.with_rows([(a, b - a, p, 80, 0) for a, b, p in line])

    # --- all parts ---------------------------------------------------------------------------------------------

    def write(self) -> list[Written]:
        """The new notes of every blank."""
        sketch = self.sketch
        todo = [i for name in (*PITCHED, "drums") for i, role in enumerate(self.roles)
                if role == name and i in self.blanks.tracks()]
        voices = self.together
        rows: list[Written] = []
        for track in todo:
            where = self._where(track)
            if where and track not in voices[1:]:
                rows_now = self._part(track, self.roles[track], where)
                sketch.add(rows_now)
            if where and voices and track == voices[0]:
                self._four(voices)
        if voices and voices[0] not in todo:
            self._four(voices)
        for track in self.blanks.tracks():
            rows += self._repitched(track)
        return self._swung([*levelled(sketch.rows, self.kept), *rows])

    def _where(self, track: int) -> list[tuple[int, int]]:
        return sorted((r.start, r.end) for r in self.blanks.regions if r.track == track and r.open == "all")

    def _part(self, track: int, role: str, where: list[tuple[int, int]]) -> list[Written]:
        style, sketch, rng = self.style, self.sketch, self.rng
        if role == "drums":
            names = style["drums"] or {"rock": 1}
            return write_drums(sketch, track, _one(names, rng), where)
        if role == "keyboard" and plays_blocks(self.kept.select(self.kept.track == track), self.window):
            return self._chords(track, where, "left", "bass" in self.roles, {})
        if role in ("lead", "keyboard") or (role in ("chords", "pad") and self._bare(track)):
            rows = self._lead(track, where, role)
            if role == "keyboard" and not self._bare(track):
                has_bass = "bass" in self.roles
                line = {row[0]: row[2] for row in rows}
                sketch.sounding += [(a, a + d, p, -2) for a, d, p, _, _ in rows]
                rows = rows + self._chords(track, where, "chords" if has_bass else "left", has_bass, line)
                sketch.sounding = [n for n in sketch.sounding if n[3] != -2]
            return rows
        if role == "bass":
            return self._bass(track, where)
        if role in ("chords", "pad"):
            return self._chords(track, where, role, "bass" in self.roles, {})
        return self._inner(track, where, role)

    # --- the lead --------------------------------------------------------------------------------------------------

    def _lead_span(self, track: int, role: str) -> tuple[int, int]:
        low, high = self.sketch.legal.ranges[track]
        own = track_range(self.around.tracks[track])
        asked = self.around.tracks[track].name in self.request.ranges
        if asked:
            return low, high
        kept = self.top_line(track)
        middle, half = self.style["lead"][0], self.style["lead"][1] // 2 + 1
        if len(kept) >= 4:
            heard = np.array([p for _, _, p in kept])
            middle = round(float(np.median(heard) + heard.min() + heard.max()) / 3)
            half = max(int(heard.max() - heard.min()) // 2 + 2, 6)
        low, high = max(low, own[0]), min(high, own[1])
        if role == "keyboard" and len(kept) < 4:
            low = max(low, min(60, high - 12))
        middle = min(max(middle, low + half), max(high - half, low + half))
        return max(low, middle - half), max(min(high, middle + half), low + 7)

    def _lead(self, track: int, where: list[tuple[int, int]], role: str) -> list[Written]:
        sketch = self.sketch
        own_line = self._inside(self.top_line(track) or self._kept_line())
        given: dict[str, Motif] = motif_of(sketch, own_line)
        for label in {phrase.label.rstrip("'") for phrase in sketch.phrases} if given else ():
            there = [n for n in own_line if sketch.phrases[sketch.phrase_at(sketch.bar_at(n[0]))].label.rstrip("'")
                     == label]
            given |= {f"{label}.{name}": motif for name, motif in motif_of(sketch, there).items()}
        theme = Theme(self.style, self.rng, given)
        span = self._lead_span(track, role)
        kept = self.top_line(track)
        rows: list[Written] = []
        heard: dict[int, tuple[list[NoteSpan], list[int]]] = {}
        for index, phrase in enumerate(sketch.phrases):
            first, last = self.window[phrase.first_bar], self.window[phrase.first_bar + phrase.bars - 1]
            if not any(a < last.end and b > first.start for a, b in where):
                own = [n for n in kept if first.start <= n[0] < last.end]
                if len(own) >= THEME:
                    heard[index] = [NoteSpan(a, b) for a, b, _ in own], [p for _, _, p in own]
                continue
            final = sketch.closed and index == len(sketch.phrases) - 1
            source = heard.get(phrase.repeats)
            spans = phrase_spans(sketch, theme, index, final)
            like: dict[int, int] = {}
            if source is not None and self._alike(phrase.repeats, index):
                spans, like = self._again(source, phrase.repeats, index, spans)
            own = [n for n in kept if first.start <= n[0] < last.end]
            plan, fixed, wanted = _around_kept(spans, like, own, kept, where)
            if not any(k not in fixed for k in range(len(plan))):
                continue
            before = max(((n[0], n[2]) for n in [*kept, *((r[0], r[0] + r[1], r[2]) for r in rows)]
                          if n[0] < plan[0].start), default=None)
            later = [n for n in kept if n[0] >= last.end]
            after = (later[0][0], later[0][2]) if later and not any(
                b > last.end and a < later[0][0] for a, b in where) else None
            if before is not None and plan[0].start - before[0] > 2 * (last.end - last.start):
                before = None
            if before is not None and any(n[0] == before[0] for n in kept):
                plan[0] = plan[0]._replace(apart=False)
            pitches = draw_lead(sketch, track, plan, index, fixed, before, after, span, wanted)
            for k, (one, pitch) in enumerate(zip(plan, pitches, strict=True)):
                if k not in fixed:
                    loud = velocity_at(sketch, one.start, self.style["loud"] + LEADS)
                    rows.append((one.start, one.end - one.start, pitch, loud, track))
            heard[index] = plan, pitches
        return rows

    def _alike(self, one: int, two: int) -> bool:
        """Whether the bars of two phrases have the same beats; one may have a pick-up's bar before them."""
        a, b = (self._shape(self.sketch.phrases[k]) for k in (one, two))
        return len(a) - len(b) in (0, 1) and a[len(a) - len(b):] == b

    def _shape(self, phrase: Phrase) -> list[tuple[int, ...]]:
        return [tuple(length for _, length in self.window[phrase.first_bar + k].beats) for k in range(phrase.bars)]

    def _again(self, source: tuple[list[NoteSpan], list[int]], one: int, two: int, fresh: list[NoteSpan],
               ) -> tuple[list[NoteSpan], dict[int, int]]:
        """A phrase heard before, at its new place: note for note, but for the close where its cadence is another."""
        a, b = self.sketch.phrases[one], self.sketch.phrases[two]
        by = self.window[b.first_bar + b.bars - 1].start - self.window[a.first_bar + a.bars - 1].start
        begin, close = self.window[b.first_bar].start, self.window[b.first_bar + b.bars - 1].start
        same_close = a.cadence == b.cadence and not (self.sketch.closed and two == len(self.sketch.phrases) - 1)
        spans: list[NoteSpan] = []
        like: dict[int, int] = {}
        for one_span, pitch in zip(*source, strict=True):
            start = one_span.start + by
            if start < begin:
                continue
            if start >= close and not same_close:
                break
            like[len(spans)] = pitch
            spans.append(NoteSpan(start, one_span.end + by, one_span.wish, one_span.apart))
        if not same_close:
            spans += [s for s in fresh if s.start >= close]
        return spans, like

    # --- the other parts -------------------------------------------------------------------------------------------

    def _bare(self, track: int) -> bool:
        """Whether a keyboard's kept notes are one line alone, which goes on as one."""
        own = int((self.kept.track == track).sum())
        return own >= BARE and len(self.top_line(track)) > 0.95 * own

    def _names(self, kind: str, track: int) -> dict[str, str]:
        """The pattern of every section: one for the first, perhaps another for the others; what a part has that is
        kept in part goes on."""
        own = self.kept.select(self.kept.track == track)
        top = {(a, p) for a, _, p in self.top_line(track)} if kind == "left" else set()
        onsets = [a for a, p in zip(own.onset.tolist(), own.pitch.tolist(), strict=True) if (a, p) not in top]
        if onsets:
            known = {name for style in rules_table("styles").values()
                     for name in ([style[kind]] if isinstance(style[kind], str) else style[kind])}
            figures = rules_table("figures")["bass" if kind == "bass" else "chords"]
            found = kept_figure(self.window, onsets, {name: figures[name] for name in known})
            if found:
                return {"": found}
        table = self.style[kind] if isinstance(self.style[kind], dict) else {self.style[kind]: 1}
        first = _one(table, self.rng)
        rest = {name: weight * (0.5 if name == first else 1.0) for name, weight in table.items()}
        again = _one(rest, self.rng) if kind == "left" else first
        return {"": first, "A2": again, "B": _one(rest, self.rng), "C": _one(rest, self.rng)}

    def _chords(self, track: int, where: list[tuple[int, int]], kind: str, rootless: bool,
                lead: Mapping[int, int]) -> list[Written]:
        low, high = self.sketch.legal.ranges[track]
        asked = self.around.tracks[track].name in self.request.ranges
        own = (low, high) if asked else track_range(self.around.tracks[track])
        low, high = max(low, own[0]), min(high, own[1])
        middle = {"left": 53, "chords": 57, "pad": 60}[kind] + (0 if not rootless else 2)
        second = track in [i for i, role in enumerate(self.roles) if role in ("chords", "pad")][1:]
        middle += 7 * second
        if self.style["harmony"].get("slots") != "bar" and kind == "left" and "alberti" in self.style["left"]:
            middle = 55
        if self.around.tracks[track].program in PLUCKED:
            middle = 56
        middle = min(max(middle, low + 5), max(high - 7, low + 5))
        bass = (max(low, min(36, high - 12)), max(min(48, high), max(low, min(36, high - 12)) + 11))
        register = Register(max(low, middle - 12), min(high, middle + 11), middle, 2 if second else 3, bass[0],
                            min(bass[1], high))
        rows = write_figure(self.sketch, track if not lead else -1, self._names(kind, track), register, where,
                            rootless=rootless, role=0.8 if kind != "pad" else 0.7)
        rows = [(a, d, p, v, track) for a, d, p, v, _ in rows if low <= p <= high or asked is False]
        if not lead:
            return rows
        onsets = sorted(lead)
        out = []
        for a, d, p, v, t in rows:      # the right hand goes before: the left strikes nothing at or over it
            k = int(np.searchsorted(onsets, a, "right")) - 1
            over = [lead[o] for o in onsets[max(k, 0):k + 1]]
            if not over or p < min(over) - 1:
                out.append((a, d, p, v, t))
        return out

    def _bass(self, track: int, where: list[tuple[int, int]]) -> list[Written]:
        sketch = self.sketch
        low, high = sketch.legal.ranges[track]
        if self.around.tracks[track].name not in self.request.ranges:
            own = track_range(self.around.tracks[track])
            low, high = max(low, own[0]), min(high, own[1])
            high = min(high, low + 24) if low < 40 else high
        kept = self.top_line(track)
        events = bass_events(sketch, self._names("bass", track), where)
        spans = [NoteSpan(e.start, e.end) for e in events]
        plan, fixed, _ = _around_kept(spans, {}, self._inside(kept), kept, where)
        tones = {e.start: e.tones for e in events}
        all_events = [FigureEvent(s.start, s.end, tones.get(s.start, "w")) for s in plan]
        pitches = bass_pitches(sketch, track, all_events, (low, high), fixed)
        return [(e.start, e.end - e.start, p, velocity_at(sketch, e.start, self.style["loud"], 0.95), track)
                for k, (e, p) in enumerate(zip(all_events, pitches, strict=True)) if k not in fixed]

    def _inner(self, track: int, where: list[tuple[int, int]], role: str) -> list[Written]:
        sketch = self.sketch
        low, high = sketch.legal.ranges[track]
        if self.around.tracks[track].name not in self.request.ranges:
            own = track_range(self.around.tracks[track])
            low, high = max(low, own[0]), min(high, own[1])
        kept = self.top_line(track)
        spans = inner_spans(sketch, self.style["inner"], where)
        plan, fixed, _ = _around_kept(spans, {}, self._inside(kept), kept, where)
        pitches = inner_pitches(sketch, track, plan, (low, high), fixed, 0.7 if role == "upper" else 0.4)
        return [(s.start, s.end - s.start, p, velocity_at(sketch, s.start, self.style["loud"], 0.88), track)
                for k, (s, p) in enumerate(zip(plan, pitches, strict=True)) if k not in fixed]

    def _four(self, tracks: Sequence[int]) -> None:
        """All voices under the lead at once, by the table of part-writing, with light figuration."""
        sketch = self.sketch
        line = self.top_line(tracks[0]) or sorted((r[0], r[0] + r[1], r[2]) for r in sketch.rows if r[4] == tracks[0])
        harmonies = sketch.harmonies
        slots = [Slot(h.start, h.end) for h in harmonies]
        sung: list[tuple[int, int]] = []
        for slot in slots:
            own = [n[2] for n in line if n[0] < slot.end and n[1] > slot.start]
            sung.append((own[0], own[-1]) if own else (-1, -1))
        parts = []
        for i in tracks:
            low, high = sketch.legal.ranges[i]
            if self.around.tracks[i].name not in self.request.ranges:
                own_range = track_range(self.around.tracks[i])
                low, high = max(low, own_range[0]), min(high, own_range[1])
            parts.append(VoicePart(self.around.tracks[i].name, low, high))
        top = [p for _, _, p in line]
        if top:
            parts[0] = VoicePart(parts[0].name, min(parts[0].low, *top), max(parts[0].high, *top))
        pitches = voice(harmonies, parts, {0: sung}, rng=self.rng)
        page = figured(slots, harmonies, pitches, {0: line},
                       {"passing": 0.5, "neighbour": 0.05, "suspension": 0.5, "bass_passing": 0.6,
                        "bass_neighbour": 0.05, "bass_suspension": 0.0}, self.rng, [(p.low, p.high) for p in parts])
        for v, track in list(enumerate(tracks))[1:]:
            where = self._where(track)
            sketch.add([(a, b - a, p, velocity_at(sketch, a, self.style["loud"], 0.92), track)
                        for a, b, p in page.lines[v] if any(x <= a < y for x, y in where)])

    def _repitched(self, track: int) -> list[Written]:
        role = self.roles[track]
        span = self._lead_span(track, "lead") if role in ("lead", "keyboard") else None
        return write_pitches(self.sketch, self.blanks, track, role, self.top_line(track), span)

    # --- the feel ----------------------------------------------------------------------------------------------------

    def _swung(self, rows: Sequence[Written]) -> list[Written]:
        """New notes with the second half of each beat late, where the style swings; pitch-only notes stay."""
        late = self.style["swing"]
        if not late:
            return list(rows)
        starts = np.array([bar.start for bar in self.window])
        open_all = {(r.track, r.start, r.end) for r in self.blanks.regions if r.open == "all"}
        quarter = self.around.ticks_per_quarter

        def warp(tick: int) -> int:
            if tick >= self.window[-1].end:
                return int(tick)
            bar = self.window[max(int(np.searchsorted(starts, tick, "right")) - 1, 0)]
            for start, length in bar.beats:
                if start <= tick < start + length and length == quarter:
                    x = (tick - start) / length
                    y = x * late / 0.5 if x <= 0.5 else late + (x - 0.5) * (1 - late) / 0.5
                    return int(start + round(y * length))
            return int(tick)

        out = []
        for onset, duration, pitch, velocity, track in rows:
            if any(t == track and a <= onset < b for t, a, b in open_all):
                new = warp(onset)
                if any(t == track and a <= new < b for t, a, b in open_all):
                    duration = max(warp(onset + duration) - new, 1)
                    onset = new
            out.append((onset, duration, pitch, velocity, track))
        return out


def _one(weights: Mapping[str, float], rng: Rng) -> str:
    names = list(weights)
    return names[draw([weights[name] for name in names], rng.random())]


def _around_kept(spans: Sequence[NoteSpan], like: Mapping[int, int], own: Line, kept: Line,
                 where: Sequence[tuple[int, int]]) -> tuple[list[NoteSpan], dict[int, int], dict[int, int]]:
    """A part's planned notes put among those that are kept there: the notes in order, which are fixed (by place), and
    the pitches to be like (by place). New ones begin in the blanks and end before the next kept one."""
    onsets = [n[0] for n in kept]
    ends = [n[1] for n in kept]
    found: list[tuple[NoteSpan, int | None, int | None]] = [(NoteSpan(a, b), p, None) for a, b, p in own]
    for k, one in enumerate(spans):
        if not any(a <= one.start < b for a, b in where):
            continue
        place = int(np.searchsorted(onsets, one.start, "right")) - 1
        if place >= 0 and ends[place] > one.start:
            continue
        coming = onsets[place + 1] if place + 1 < len(onsets) else one.end
        found.append((one._replace(end=max(min(one.end, coming), one.start + 1)), None, like.get(k)))
    found.sort(key=lambda entry: entry[0].start)
    plan = [entry[0] for entry in found]
    fixed = {k: entry[1] for k, entry in enumerate(found) if entry[1] is not None}
    wanted = {k: entry[2] for k, entry in enumerate(found) if entry[2] is not None}
    return plan, fixed, wanted
