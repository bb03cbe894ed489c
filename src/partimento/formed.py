"""Composing in a form, for every family: a section once, its copy where it returns, a varied copy where it varies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from partimento import features
from partimento.forms import FormSpan, chords_of_form, form_spans
from partimento.frame import let_go_gaps
from partimento.models.base import Model, Rng
from partimento.request import Blanks, Region, Request
from partimento.score import BoolArray, Score

LET_GO = 0.4            # of the notes of a section that varies, those that are written anew
CLOSE = ((8, 2), (3, 1))        # of a section of so many bars, how many at the end of the piece are a close of its own


def in_form(model: Model, request: Request) -> Model:
    """The model as it is, or, where a form is asked, as one that writes in it.

    >>> from partimento.models.random import Random
    >>> type(in_form(Random(), Request(form="A4 B4"))).__name__, type(in_form(Random(), Request())).__name__
    ('InForm', 'Random')
    """
    return model if request.form is None else InForm(model)


class InForm(Model):
    """A model of any family that writes the whole of a piece in the form asked; for the rest it is that model.

    Each new section is written after all before it, as a piece that ends with it. Where it returns, it is copied; where
    it varies, two notes of five of the copy are let go and written anew, but for its last bar. A family that builds
    forms itself writes the whole piece first; then what returns is made the same, but for the close of the piece. No
    note sounds on after its section.
    """

    family: ClassVar[str] = "a form"

    def __init__(self, model: Model) -> None:
        self.model = model

    @property
    def fitted(self) -> bool:
        """Whether the model within is ready to compose."""
        return self.model.fitted

    def suggest(self, request: Request, rng: Rng) -> Request:
        """The request as the model fills it in; chords that it suggests are one set a section, the same in each."""
        whole = self.model.suggest(request.replace(form=None), rng)
        if whole.chords is None or request.chords is not None:
            return whole.replace(form=request.form)
        spans = form_spans(request.form or "", request.bars)
        open_chords = whole.replace(chords=None)
        found = {k: self.model.suggest(open_chords.replace(bars=span.bars), rng).chords or "N"
                 for k, span in enumerate(spans) if span.like < 0}
        return whole.replace(chords=chords_of_form(spans, found), form=request.form)

    def can(self, around: Score, blanks: Blanks, request: Request) -> str | None:
        """None where the whole piece is to be written and the model can, or why not."""
        if len(around):
            return "a form is written as a whole: its sections are copies of one another"
        return self.model.can(around, blanks, request)

    def remarks(self, around: Score, blanks: Blanks, request: Request) -> tuple[str, ...]:
        """What the model within says."""
        return self.model.remarks(around, blanks, request)

    def fill(self, around: Score, blanks: Blanks, request: Request, rngs: Sequence[Rng]) -> list[Score]:
        """One candidate a generator; see the contract."""
        return [self._written(around, blanks, request, rng) for rng in rngs]

    def _written(self, around: Score, blanks: Blanks, request: Request, rng: Rng) -> Score:
        spans = form_spans(request.form or "", around.n_bars)
        whole = self.model.builds_forms
        piece = self.model.fill(around, blanks, request, [rng])[0] if whole else around
        for span in spans:
            source = spans[span.like]
            if span.like < 0:
                piece = piece if whole else self._composed(piece, span, request, rng)
            elif whole:
                last = span.first + span.bars == around.n_bars and not request.loop
                close = next((bars for least, bars in CLOSE if span.bars >= least), 0) * last
                piece = _copied(piece, source, span._replace(bars=max(span.bars - close, 1)), features.pitched(piece))
            else:
                piece = _copied(piece, source, span, np.ones(len(piece), bool))
            piece = _ended(piece, span)
            if span.varied:
                piece = self._varied(piece, span, request, rng)
        return piece

    def _composed(self, piece: Score, span: FormSpan, request: Request, rng: Rng) -> Score:
        """The piece with a new section, written after what stands as if the piece ended with it."""
        page = _until(piece, span)
        start = int(piece.bar_starts[span.first])
        blanks = Blanks(tuple(Region(track, start, page.end) for track in range(len(piece.tracks))))
        return _with_new(piece, self.model.fill(page, blanks, _within(request, span), [rng])[0], blanks)

    def _varied(self, piece: Score, span: FormSpan, request: Request, rng: Rng) -> Score:
        """The piece with some of the notes of a section let go and written anew, but for those of its last bar."""
        start, close = (int(piece.bar_starts[span.first + bars]) for bars in (0, max(span.bars - 1, 1)))
        mine = features.pitched(piece) if any(not t.is_drum for t in piece.tracks) else np.ones(len(piece), bool)
        mine &= (piece.onset >= start) & (piece.onset < close)
        gone = mine & (rng.random(len(piece)) < LET_GO)
        if mine.any() and not gone.any():
            gone[np.flatnonzero(mine)[int(rng.random() * mine.sum())]] = True
        page = _until(piece, span)
        there = gone[piece.onset < page.end]
        regions = tuple(Region(track, a, b) for track in range(len(page.tracks))
                        for a, b in let_go_gaps(page, track, ~there))
        if not regions:
            return piece
        kept = page.select(~there)
        blanks = Blanks(regions, tuple(np.flatnonzero(Blanks(regions).inside(kept)).tolist()))
        fresh = self.model.fill(kept, blanks, _within(request, span), [rng])[0]
        return _ended(_with_new(piece.select(~gone), fresh, blanks), span)


def _within(request: Request, span: FormSpan) -> Request:
    return request.replace(form=None, bars=span.first + span.bars)


def _until(piece: Score, span: FormSpan) -> Score:
    """The piece up to the end of a section, and its frame cut there."""
    end = int(piece.bar_starts[span.first + span.bars])
    return piece.select(piece.onset < end).replace(end=end, chords=tuple(c for c in piece.chords if c.tick < end))


def _with_new(piece: Score, fresh: Score, blanks: Blanks) -> Score:
    return piece.with_notes_of(fresh.select(blanks.inside(fresh)))


def _copied(piece: Score, source: FormSpan, span: FormSpan, mask: BoolArray) -> Score:
    """The piece with the notes of `span` (those in `mask`) replaced by those of `source`, begun again at its end."""
    starts = piece.bar_starts
    start, end = int(starts[span.first]), int(starts[span.first + span.bars])
    begin, stop = int(starts[source.first]), int(starts[source.first + source.bars])
    out = piece.select(~(mask & (piece.onset >= start) & (piece.onset < end)))
    theirs = piece.select(mask & (piece.onset >= begin) & (piece.onset < stop))
    rows = theirs.notes()
    parts = []
    for at in range(start, end, stop - begin):
        moved = rows.copy()
        moved[:, 0] += at - begin
        parts.append(moved[moved[:, 0] < end])
    rows = np.concatenate([out.notes(), *parts])
    rows[:, 1] = np.where((rows[:, 0] >= start) & (rows[:, 0] < end), np.minimum(rows[:, 1], end - rows[:, 0]),
                          rows[:, 1])
    return piece.with_rows(rows)


def _ended(piece: Score, span: FormSpan) -> Score:
    """The piece with no note of a section that lasts longer than it."""
    start, end = (int(tick) for tick in piece.bar_starts[[span.first, span.first + span.bars]])
    rows = piece.notes()
    mine = (rows[:, 0] >= start) & (rows[:, 0] < end)
    rows[:, 1] = np.where(mine, np.minimum(rows[:, 1], end - rows[:, 0]), rows[:, 1])
    return piece.with_rows(rows)
