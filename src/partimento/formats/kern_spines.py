"""The columns of a Humdrum file, and how they split, join, change places, begin and end."""

from __future__ import annotations

import dataclasses
import itertools

from partimento.errors import ReadError


@dataclasses.dataclass
class Spine:
    """A column of the file from its exclusive interpretation on, however often it splits; `number` counts from 0."""

    number: int
    kind: str


@dataclasses.dataclass
class Strand:
    """One column of the moment: a voice of a spine. Times are ticks."""

    spine: Spine
    voice: int                  # from 1 within the spine; it stays the same while others split off and join
    until: int = 0              # when what sounds in it ends
    graces: int = 0             # grace notes since the last other note


class Strands:
    """The columns of the moment, from left to right."""

    def __init__(self) -> None:
        self.now: list[Strand] = []
        self.mixed = 0              # how often columns of different spines were joined
        self._count = 0

    def begin(self, kinds: list[str], time: int) -> None:
        """Begin anew with exclusive interpretations such as ``**kern``; spines count from 0 again."""
        self._count = 0
        self.now = [self._new(kind, time) for kind in kinds]

    def follow(self, words: list[str], time: int, line: int) -> None:
        """Do what a line of interpretations says about columns; ReadError where they do not fit."""
        out: list[Strand] = []
        at = 0
        while at < len(words):
            word, strand = words[at], self.now[at]
            at += 1
            if word == "*^":
                out += [strand, Strand(strand.spine, 0, time)]
                taken = {other.voice for other in (*self.now, *out) if other.spine is strand.spine}
                out[-1].voice = next(voice for voice in range(1, len(taken) + 2) if voice not in taken)
            elif word == "*v":
                run = [strand]
                while at < len(words) and words[at] == "*v":
                    run.append(self.now[at])
                    at += 1
                out += self._joined(run)
            elif word == "*x":
                if at >= len(words) or words[at] != "*x":
                    raise ReadError(f"columns must change places two by two (*x *x); line {line} has one alone")
                out += [self.now[at], strand]
                at += 1
            elif word == "*+":
                out += [strand, self._new("", time)]
            elif word.startswith("**"):
                strand.spine.kind = word[2:]
                out.append(strand)
            elif word != "*-":
                out.append(strand)
        self.now = out

    def _joined(self, run: list[Strand]) -> list[Strand]:
        """Neighbours that join: those of one spine become one; where one would join alone, all of them do."""
        groups = [list(group) for _, group in itertools.groupby(run, key=lambda strand: strand.spine.number)]
        if len(run) > 1 and any(len(group) == 1 for group in groups):
            self.mixed += 1
            groups = [run]
        return [Strand(group[0].spine, min(strand.voice for strand in group if strand.spine is group[0].spine),
                       max(strand.until for strand in group), max(strand.graces for strand in group))
                for group in groups]

    def _new(self, kind: str, time: int) -> Strand:
        self._count += 1
        return Strand(Spine(self._count - 1, kind.removeprefix("**")), 1, time)
