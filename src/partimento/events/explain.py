"""Why a note is there: how likely the network held its pitch, and which others it held likely."""

from __future__ import annotations

import numpy as np

from partimento import theory
from partimento.events.blank import BlankPage
from partimento.events.page import Ints, on_grid
from partimento.events.pens import Ear, WeighingPen
from partimento.events.walk import Walk
from partimento.models.base import Reason

MOST = 3            # alternatives told


class Explaining(WeighingPen):
    """Weighs a whole piece until it comes to one note of it; `reason` is then there."""

    def __init__(self, ear: Ear, page: BlankPage, note: int) -> None:
        super().__init__(ear, page)
        notes, index = on_grid(page.around, page.grid)
        mine = np.flatnonzero(index == note)
        self._wish = [(int(notes.step[i]), int(notes.track[i]), int(notes.pitch[i])) for i in mine]
        self.reason: Reason | None = None

    def choose(self, walk: Walk, stage: str, options: Ints) -> int:
        """Take what is given, and at the note asked for look at what else there was."""
        chosen = super().choose(walk, stage, options)
        if stage == "pitch" and (walk.here, walk.now_track, chosen) in self._wish:
            weights = self.weights(walk, stage, options)
            share = weights / weights.sum()
            order = np.argsort(-share, kind="stable")
            others = tuple((theory.pitch_name(int(options[i])), float(share[i])) for i in order
                           if options[i] != chosen)[:MOST]
            own = float(share[np.searchsorted(options, chosen)])
            rank = int(np.flatnonzero(options[order] == chosen)[0]) + 1
            name = theory.pitch_name(chosen)
            self.reason = Reason(f"{name} was choice {rank} of {len(options)} here, at {own:.0%}, given all that came "
                                 f"before it", own, "", others)
        return chosen
