"""What is seen of each note of one part in the order of writing: onset after onset, a chord from its outside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from partimento.models.hmm.page import DRUMS, TOP_DOWN, Bools, Ints, PageGrid, SteppedNotes, tonic_of
from partimento.models.hmm.pitch import FIRST_ROW, N_ROLES, Seen

SLOW = 0.1                 # how much one note moves the centre of its line
SINGLE = 0.95              # of the onsets of a part that is one line, those of one note
AHEAD = (1, 2, 4, 8)       # how many onsets away a kept note is, at most, told apart


class Surroundings:
    """What other parts do at every step: the `low` and `high` pitch that sound (−1: none); whether one `strikes`; and
    of each part alone the highest (`lines`), by track where it is one line (`single`)."""

    def __init__(self, page: PageGrid, notes: SteppedNotes) -> None:
        self.low, self.high = np.full(page.steps, 128, np.int64), np.full(page.steps, -1, np.int64)
        self.strikes: Bools = np.zeros(page.steps, bool)
        lines = {track: np.full(page.steps, -1, np.int64) for track in np.unique(notes.track).tolist()}
        for onset, end, pitch, track in zip(*(column.tolist() for column in
                                              (notes.onset, notes.end, notes.pitch, notes.track)), strict=True):
            own = slice(onset, max(end, onset + 1))
            np.maximum(lines[track][own], pitch, out=lines[track][own])
            np.minimum(self.low[own], pitch, out=self.low[own])
            np.maximum(self.high[own], pitch, out=self.high[own])
        self.low[self.low == 128] = -1
        self.lines = [line.tolist() for line in lines.values()]
        onsets = [notes.onset[notes.track == track] for track in lines]
        self.single = {track: line for track, line, own in zip(lines, self.lines, onsets, strict=True)
                       if len(np.unique(own)) >= SINGLE * len(own)}
        self.strikes[np.minimum(notes.onset, page.steps - 1)] = True


class ChordLine:
    """The chords of one part as they come to stand, and what is seen of the next note."""

    def __init__(self, page: PageGrid, role: int, program: int, around: Surroundings, onsets: Sequence[int],
                 keys: tuple[Ints, Ints]) -> None:
        self.page, self.role, self.onsets, self.kind = page, role, list(onsets), program // 8
        self.centre: float | None = None                # of what was written lately
        self.top_down = role in TOP_DOWN
        self.chords: dict[int, list[int]] = {}          # by step, in the order of writing
        self.index = {step: i for i, step in enumerate(self.onsets)}
        self.low, self.high, self.lines = around.low.tolist(), around.high.tolist(), around.lines
        self.beat, self.strength, self.ago = page.beat.tolist(), page.strength.tolist(), page.ago.tolist()
        self.shift, self.mode = (column.tolist() for column in keys)
        self.tonic = tonic_of(*keys).tolist()
        self.first_bar = (page.bar == 0).tolist()
        self.place = (page.within * 4 // page.grid % 64).tolist()

    def ordered(self, pitches: Iterable[int]) -> list[int]:
        """Pitches of a chord in the order in which they are written."""
        return sorted(pitches, reverse=self.top_down)

    def seen(self, step: int, written: Sequence[int], kept: Sequence[int], ahead: tuple[int, int] | None) -> Seen:
        """What is seen of the next note at a step: `written` are the new notes of its chord before it, `kept` those
        that stand there, `ahead` how many onsets away the next kept note of the part is, and its pitch."""
        role, rank, beat, strength = self.role, len(written), self.beat[step], self.strength[step]
        low, high = (-1, written[-1] if written else 128) if self.top_down else (written[-1] if written else -1, 128)
        if role == DRUMS:
            return self._drum(step, written, low, high)
        home = self.shift[beat] + 6
        rows = [FIRST_ROW["register"] + role, FIRST_ROW["instrument"] + role * 16 + self.kind]
        refs, at = [home, home], self.index[step]
        if self.centre is not None:
            rows.append(FIRST_ROW["centre"] + role)
            refs.append(round(self.centre))
        last = self._pitch(at - 1, rank)
        if last is not None:
            gap = step - self.onsets[at - 1]
            reach = 0 if 2 * gap <= self.page.grid else 1 if gap <= self.page.grid else 2
            rows.append(FIRST_ROW["step"] + (role * 4 + strength) * 3 + reach)
            refs.append(last)
            older = self._pitch(at - 2, rank)
            rows.append(FIRST_ROW["turn"] + role * 16 + (15 if older is None else min(max(last - older, -7), 7) + 7))
            refs.append(last)
            if older == last:
                again = next((k for k in (3, 4) if self._pitch(at - k, rank) != last), 5) - 2
                rows.append(FIRST_ROW["run"] + role * 4 + again)
                refs.append(last)
        if written or kept:
            rows.append(FIRST_ROW["chord neighbour"] + role * 4 + (min(rank - 1, 2) if written else 3))
            refs.append(written[-1] if written else self.ordered(kept)[0])
        for name, line in (("low", self.low), ("high", self.high)):
            if line[step] >= 0:
                rows.append(FIRST_ROW[f"{name}est"] + role * 3 + min(strength, 2))
                refs.append(line[step])
                if last is not None:
                    self._parallel(name, line, step, self.onsets[at - 1], last, rows, refs)
        self._ago(step, rank, last, rows, refs)
        if ahead is not None:
            rows.append(FIRST_ROW["ahead"] + int(np.searchsorted(AHEAD, ahead[0])))
            refs.append(ahead[1])
        final = 2 if at == len(self.onsets) - 1 else 1 if self.first_bar[step] else 0
        return Seen(rows, refs, (role * 2 + self.mode[beat]) * 3 + final, self.tonic[beat], role * 4 + strength, low,
                    high)

    def parallels(self, step: int, rank: int) -> list[int]:
        """The pitches that the next note would reach in parallel octaves or fifths with another part."""
        at = self.index[step]
        last, before = self._pitch(at - 1, rank), self.onsets[at - 1]
        if last is None:
            return []
        return [line[step] + last - line[before] for line in self.lines
                if min(line[step], line[before]) >= 0 and line[step] != line[before]
                and (max(last, line[before]) - min(last, line[before])) % 12 in (0, 7)
                and 0 <= line[step] + last - line[before] < 128]

    def stand(self, step: int, chord: list[int]) -> None:
        """Take the chord of a step as it came to stand."""
        self.chords[step] = chord
        for pitch in chord:
            self.centre = pitch if self.centre is None else self.centre + SLOW * (pitch - self.centre)

    def _pitch(self, index: int, rank: int) -> int | None:
        chord = self.chords.get(self.onsets[index]) if index >= 0 else None
        return chord[min(rank, len(chord) - 1)] if chord else None

    def _parallel(self, name: str, line: list[int], step: int, before: int, last: int, rows: list[int],
                  refs: list[int]) -> None:
        """The pitch that would keep the interval to a line that moves."""
        if line[before] >= 0 and line[before] != line[step] and 0 <= line[step] + last - line[before] < 128:
            rows.append(FIRST_ROW[f"parallel {name}"] + self.role * 12 + (last - line[before]) % 12)
            refs.append(line[step] + last - line[before])

    def _ago(self, step: int, rank: int, last: int | None, rows: list[int], refs: list[int]) -> None:
        """The pitch that stood one bar ago, and the one that would move as it did."""
        ago = self.ago[step]
        chord = self.chords.get(ago) if ago >= 0 else None
        if not chord:
            return
        there = chord[min(rank, len(chord) - 1)]
        rows.append(FIRST_ROW["bar ago"] + self.role * 2 + int(self.strength[step] < 2))
        refs.append(there)
        before = self._pitch(self.index[ago] - 1, rank) if ago in self.index else None
        if last is not None and before is not None and 0 <= last + there - before < 128:
            rows.append(FIRST_ROW["bar ago moved"] + self.role)
            refs.append(last + there - before)

    def _drum(self, step: int, written: Sequence[int], low: int, high: int) -> Seen:
        rows, refs = [FIRST_ROW["drum"] + self.place[step]], [0]
        if written:
            rows.append(FIRST_ROW["chord neighbour"] + self.role * 4 + min(len(written) - 1, 2))
            refs.append(written[-1])
        ago = self.ago[step]
        for pitch in (self.chords.get(ago) or [])[:4] if ago >= 0 else []:
            rows.append(FIRST_ROW["drum ago"])
            refs.append(pitch)
        return Seen(rows, refs, 0, -1, self.role * 4, low, high)


def rekeyed(seen: Seen, shift: int, mode: int) -> Seen:
    """What is seen of a note were the key another."""
    if seen.tonic < 0:
        return seen
    row, final = divmod(seen.scale, 3)
    return seen._replace(refs=[shift + 6, shift + 6, *seen.refs[2:]], scale=(row // 2 * 2 + mode) * 3 + final,
                         tonic=int(tonic_of(np.array(shift), np.array(mode))))


def heard_notes(page: PageGrid, role: int, program: int, own: SteppedNotes, others: SteppedNotes,
                keys: tuple[Ints, Ints], uniforms: Iterator[float]) -> Iterator[tuple[Seen, int, int]]:
    """What is seen of every note of a part that is heard whole, its pitch, and its step.

    As in a blank between kept notes, at some onsets (as `uniforms` say) a later one is known.
    """
    onsets, first = np.unique(own.onset, return_index=True)
    line = ChordLine(page, role, program, Surroundings(page, others), onsets.tolist(), keys)
    groups = np.split(own.pitch, first[1:]) if len(onsets) else []
    chords = [line.ordered(set(group.tolist())) for group in groups]
    for i, (step, chord) in enumerate(zip(line.onsets, chords, strict=True)):
        far = 1 + int(next(uniforms) * 24)
        ahead = (far, chords[i + far][0]) if far <= AHEAD[-1] and i + far < len(chords) else None
        for rank, pitch in enumerate(chord):
            yield line.seen(step, chord[:rank], (), ahead), pitch, step
        line.stand(step, chord)


assert N_ROLES == DRUMS + 1
