"""How much every note tells: what the network held likely at every choice made for it, and what was chosen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from partimento.events.blank import BlankPage
from partimento.events.page import STRAY, Ints, on_grid
from partimento.events.pens import Ear, WeighingPen
from partimento.events.walk import Walk
from partimento.models.base import Information, entropy_of

_STAGE = {"move": "rhythm", "track": "rhythm", "pitch": "pitch", "duration": "duration"}


class _TellingPen(WeighingPen):
    """Weighs, and keeps for every note the content and the entropy (nats) of the choices made for it, by stage."""

    def __init__(self, ear: Ear, page: BlankPage) -> None:
        super().__init__(ear, page)
        self.notes: list[dict[str, npt.NDArray[np.float64]]] = []
        self.pending = self.none()
        self._share = np.ones(1)

    def weights(self, walk: Walk, stage: str, options: Ints) -> npt.NDArray[np.float64]:
        """The same, kept for the entropy."""
        found = super().weights(walk, stage, options)
        self._share = found / found.sum()
        return found

    def choose(self, walk: Walk, stage: str, options: Ints) -> int:
        """Take what is given, and keep what was to be expected."""
        chosen = super().choose(walk, stage, options)
        if stage in _STAGE:
            where = np.flatnonzero(options == chosen)[0]
            content = -np.log(self._share[where]) if np.isfinite(self.nats[stage]) else np.inf
            self.pending[_STAGE[stage]] += content, float(entropy_of(self._share))
        return chosen

    def length(self, walk: Walk, kind: int, lengths: range, round_one: int) -> int:
        """Take the given length, and keep what was to be expected."""
        length = super().length(walk, kind, lengths, round_one)
        share = np.where(np.array(lengths) == round_one, 1.0, STRAY)
        share /= share.sum()
        self.pending["duration"] += -np.log(share[length - lengths[0]]), float(entropy_of(share))
        return length

    def velocity(self, walk: Walk, kind: int) -> int:
        """The note is complete."""
        self.notes.append(self.pending)
        self.pending = self.none()
        return super().velocity(walk, kind)

    @staticmethod
    def none() -> dict[str, npt.NDArray[np.float64]]:
        """Nothing yet: content and entropy of each stage."""
        return {stage: np.zeros(2) for stage in ("rhythm", "pitch", "duration")}


def page_information(passes: Sequence[tuple[Ear, BlankPage, Ints]], count: int) -> Information:
    """What every one of `count` notes tells: of each pass over them the ear, the page, and which note its notes are."""
    told = np.full((2, 3, count), np.nan)
    stages = list(_TellingPen.none())
    ends = {stage: np.zeros(2) for stage in stages}
    for ear, page, whole in passes:
        pen = _TellingPen(ear, page)
        for _ in Walk(page, pen).run():
            pass
        notes, index = on_grid(page.around, page.grid)
        of = {place: int(whole[i]) for place, i in zip(zip(notes.step.tolist(), notes.track.tolist(),
                                                           notes.pitch.tolist(), strict=True), index.tolist(),
                                                       strict=True)}
        given = page.content
        for step, track, pitch, found in zip(given.step.tolist(), given.track.tolist(), given.pitch.tolist(),
                                             pen.notes, strict=True):
            told[:, :, of[step, track, pitch]] = np.stack(list(found.values()), axis=1)
        ends = {stage: ends[stage] + pen.pending[stage] for stage in stages}
    return Information.from_nats(dict(zip(stages, told[0], strict=True)), dict(zip(stages, told[1], strict=True)),
                                 {stage: (float(own[0]), float(own[1])) for stage, own in ends.items()})
