"""What every family that reads events has in common: how it fills a page, weighs it and says why, through its ear."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from partimento import habits
from partimento.errors import ModelError
from partimento.events.blank import BlankPage
from partimento.events.closing import last_bar, unrest
from partimento.events.explain import Explaining
from partimento.events.fields import STAGES
from partimento.events.information import page_information
from partimento.events.page import NO_KEY
from partimento.events.passes import Pass, next_pass, pass_order, passes
from partimento.events.pens import DrawingPen, Ear, WeighingPen
from partimento.events.walk import New, Walk
from partimento.models.base import Information, LogProb, Model, Reason, Rng
from partimento.request import Blanks, Request
from partimento.score import Key, Score

ENDINGS = 8                         # how often a last bar is drawn again until it comes home
HEARD = 16                          # kept notes from which on their key is heard
CALM, LIKELY = 0.9, 0.92            # temperature and top-p where none is asked: a little training leaves long tails


class EventFamily(Model):
    """A family that reads a page event by event; `ear` is what it learnt.

    Its Config has `grid`, `window`, `keys` and `order`.
    """

    _tables: dict[str, Any]         # the habits of what it learnt from

    @abstractmethod
    def ear(self, page: BlankPage) -> Ear:
        """An ear for one pass over a page, or ModelError before the fit."""

    def _untrained(self) -> str:
        return f"the {self.family} family must be fitted before it composes: train it on some music"

    def need_fitted(self) -> None:
        """Raise ModelError unless it has learnt something."""
        if not self.fitted:
            raise ModelError(self._untrained())

    def can(self, around: Score, blanks: Blanks, request: Request) -> str | None:
        """None, or that the model has not been fitted."""
        return None if self.fitted else self._untrained()

    def remarks(self, around: Score, blanks: Blanks, request: Request) -> tuple[str, ...]:
        """Says where the page holds more notes before the blank than are heard."""
        if len(around) <= self.config.window:
            return ()
        page = self._page(around, blanks, request)
        if not page.first_bar:
            return ()
        return (f"of what stands before, the last {page.ahead:,} notes were heard, from bar "
                f"{around.bar_number(int(page.ticks[page.bars.starts[page.first_bar]]))} on",)

    def fill(self, around: Score, blanks: Blanks, request: Request, rngs: Sequence[Rng]) -> list[Score]:
        """One candidate a generator; see the contract. Each is played by itself, so none depends on those beside it."""
        page = self._page(around, blanks, request)
        return [self._closed(page, request, rng, self._filled(page, request, rng)) for rng in rngs]

    def _closed(self, page: BlankPage, request: Request, rng: Rng, new: Score) -> Score:
        """The new notes; where they end the piece, its last bar is drawn again until it rests at home, or nearly so.

        Draws that leave nothing out are taken as they come, and so is the end where chords are asked for.
        """
        key, blanks = int(page.bars.key[-1]), last_bar(page.around, page.blanks)
        sharpened = (request.temperature or CALM) < 1 or (request.top_p or LIKELY) < 1
        if not (sharpened and page.ends and key < NO_KEY and blanks.regions) or page.blanks.pinned or request.chords:
            return new
        again = np.zeros(len(new), bool)
        for region in blanks.regions:
            again |= (new.track == region.track) & (new.onset >= region.start)
        before = new.select(~again)
        ground = page.around.select(~page.blanks.rewritten(page.around)).with_notes_of(before)
        best, least = new, unrest(ground.with_notes_of(new.select(again)), key)
        for _ in range(ENDINGS):
            if not least:
                break
            found = self._filled(self._page(ground, blanks, request), request, rng)
            if (worth := unrest(ground.with_notes_of(found), key)) < least:
                best, least = before.with_notes_of(found), worth
        return best

    def _by_track(self, blanks: Blanks) -> bool:
        return self.config.order == "tracks" and len(blanks.tracks()) > 1

    def _pass(self, page: BlankPage, request: Request, rng: Rng) -> Score:
        walk = Walk(page, self._drawing(page, request, rng))
        for _ in walk.run():
            pass
        return _written(page, walk.new)

    def _filled(self, page: BlankPage, request: Request, rng: Rng) -> Score:
        """The new notes of a page, in one pass or a track after the other."""
        around, blanks = page.around, page.blanks
        if not self._by_track(blanks):
            return self._pass(page, request, rng)
        new = around.without_notes()
        for track in pass_order(blanks.tracks(), [track.is_drum for track in around.tracks]):
            new = new.with_notes_of(self._pass(self._page(*next_pass(around, blanks, track, new), request), request,
                                               rng))
        return new

    def stream(self, around: Score, blanks: Blanks, request: Request, rng: Rng) -> Iterator[Score]:
        """The new notes bar by bar, as they are made; where tracks are written in turn, once all are."""
        if self._by_track(blanks):
            (new,) = self.fill(around, blanks, request, [rng])
            for start, end in pairwise(around.bar_starts.tolist()):
                yield new.select((new.onset >= start) & (new.onset < end))
            return
        page = self._page(around, blanks, request)
        walk = Walk(page, self._drawing(page, request, rng))
        made, told = walk.run(), 0
        for end in (lines := around.bar_starts[1:-1].tolist()):
            while page.ticks[walk.step] < end and next(made, None) is not None:
                pass
            upto = told
            while upto < len(walk.new) and page.ticks[walk.new[upto].step] < end:
                upto += 1
            yield _written(page, walk.new[told:upto])
            told = upto
        for _ in made:
            pass
        closed = self._closed(page, request, rng, _written(page, walk.new))
        yield closed.select(closed.onset >= max(lines, default=0))

    def _page(self, around: Score, blanks: Blanks, request: Request | None) -> BlankPage:
        ends = request is None or not request.loop
        return BlankPage(self.config.grid, around, blanks, request, self.config.window, ends=ends,
                         keys=self._keys(around, blanks, request))

    def _keys(self, around: Score, blanks: Blanks, request: Request | None) -> tuple[Key, ...]:
        """The keys it is told, as when it learnt: those written, where what is kept keeps to them, or what it hears."""
        if not self.config.keys:
            return ()
        kept = around.select(~blanks.rewritten(around))
        if len(kept) < HEARD or (request is not None and request.key is not None):
            return around.keys
        return habits.keys_of(kept)

    def _drawing(self, page: BlankPage, request: Request, rng: Rng) -> DrawingPen:
        return DrawingPen(self.ear(page), rng, request.temperature or CALM, request.top_p or LIKELY)

    def log_prob(self, score: Score, blanks: Blanks | None = None, request: Request | None = None) -> LogProb:
        """Exact log-probability of what stands in the blanks; see the contract."""
        nats, notes = dict.fromkeys(STAGES, 0.0), 0
        for part in self._passes(score, blanks if blanks is not None else Blanks.everything(score)):
            page = self._page(part.score, part.blanks, request)
            pen = WeighingPen(self.ear(page), page)
            for _ in Walk(page, pen).run():
                pass
            nats = {stage: nats[stage] + pen.nats[stage] for stage in STAGES}
            notes += page.count
        parts = {"rhythm": nats["move"] + nats["track"], "pitch": nats["pitch"], "duration": nats["duration"]}
        return LogProb(sum(parts.values()), notes, parts, nats["loudness"])

    def _passes(self, score: Score, blanks: Blanks) -> list[Pass]:
        if self._by_track(blanks):
            return list(passes(score, blanks))
        return [Pass(score, blanks, np.arange(len(score)))]

    def explain(self, score: Score, note: int) -> Reason | None:
        """How likely this pitch was at its place, given all that came before, and what else was likely."""
        if not self.fitted or not 0 <= note < len(score):
            return None
        part = next(part for part in self._passes(score, Blanks.everything(score)) if note in part.whole)
        page = self._page(part.score, part.blanks, None)
        pen = Explaining(self.ear(page), page, int(np.flatnonzero(part.whole == note)[0]))
        for _ in Walk(page, pen).run():
            if pen.reason is not None:
                break
        return pen.reason

    def information(self, score: Score, request: Request | None = None) -> Information:
        """What every note tells: when and in which track, which pitch, how long; see the contract."""
        told = []
        for part in self._passes(score, Blanks.everything(score)):
            page = self._page(part.score, part.blanks, request)
            told.append((self.ear(page), page, part.whole))
        return page_information(told, len(score))

    def untabled(self) -> str:
        """That there are no tables."""
        return f"the {self.family} family has no tables to show: what it learnt are the weights of a network"

    def suggest(self, request: Request, rng: Rng) -> Request:
        """The request with bars, meter, tempo, key and tracks filled in as the pieces learnt from have them."""
        if not self.fitted:
            return request
        request = habits.suggested(self._tables, request, rng, CALM, LIKELY)
        if request.verb == "compose" and request.tracks:
            request = request.replace(ranges=habits.usual_ranges(self._tables, request))
        return request


def _written(page: BlankPage, new: Sequence[New]) -> Score:
    """The frame with new notes alone, from steps to ticks; those of which only the pitch is new keep their times."""
    around, rows = page.around, []
    for note in new:
        if note.source >= 0:
            onset, duration = int(around.onset[note.source]), int(around.duration[note.source])
            velocity = int(around.velocity[note.source])
        else:
            onset = int(page.ticks[note.step])
            duration = max(1, int(page.ticks[min(note.step + note.length, page.end)]) - onset)
            velocity = note.velocity
        rows.append((onset, duration, note.pitch, velocity, note.track))
    return around.with_rows(rows)
