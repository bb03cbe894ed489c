"""A stream said one event at a time is the stream said all at once; what may come next is what the page allows."""

import numpy as np
import pytest

from partimento.events.blank import KEPT, BlankPage
from partimento.events.fields import BITS, INDEX, NOTE, TRACK_INDEX
from partimento.events.page import duration_class, lengths_of, on_grid
from partimento.events.pens import WeighingPen
from partimento.events.walk import _KEY_OFFSETS, Walk
from partimento.events.written import COLUMN, OFFSET, Stream, written
from partimento.request import Blanks, Region
from partimento.score import Meter, Score, Track
from partimento.testing import inputs, song

INSIDE = [field.name for field in BITS]


class Deaf:
    """An ear to which everything is equally likely."""

    def push(self, walk):
        assert walk.rows("input")

    def logits(self, walk, stage, options):
        assert walk.rows(stage)         # a set is told where it is asked for
        return np.zeros(len(options), np.float32)


class Watching(WeighingPen):
    """Takes what is given, and holds every event against the stream written all at once."""

    def __init__(self, page: BlankPage, stream: Stream) -> None:
        super().__init__(Deaf(), page)
        self.stream, self.event = stream, 0

    def push(self, walk):
        e = self.event
        wanted = {name: int(self.stream.index[e, COLUMN[name]]) for name in COLUMN}
        if e:
            assert walk.now == wanted, (e, {n: (walk.now[n], wanted[n]) for n in wanted if walk.now[n] != wanted[n]})
            for name in INSIDE:
                self.same_bits(walk, e, name)
        self.event += 1
        super().push(walk)

    def same_bits(self, walk, e, name):
        size = next(field.size for field in BITS if field.name == name)
        wanted = np.flatnonzero(self.stream.bits[e, OFFSET[name]:OFFSET[name] + size]).tolist()
        assert sorted(walk.members(name)) == wanted, (e, name)

    def choose(self, walk, stage, options):
        e, number = self.event, ("move", "track", "pitch", "duration", "loudness").index(stage)
        if stage == "track":
            rows = walk.track_rows(np.arange(len(walk.page.drums))) - _KEY_OFFSETS
            assert rows.tolist() == self.stream.tracks[e].tolist(), (e, rows, self.stream.tracks[e])
        chosen = super().choose(walk, stage, options)
        assert chosen == self.stream.choice[e, number], (e, stage)
        if number < 3:
            assert options[-1] <= self.stream.limit[e, number], (e, stage)
        return chosen


def watched(score, blanks, grid=12):
    page = BlankPage(grid, score, blanks, None, 10_000)
    notes, index = on_grid(score, grid)
    rewritten = blanks.rewritten(score)
    known = ~rewritten[index] & (notes.step >= page.first)
    stream = written(page.bars, page.band, notes, known)
    pen = Watching(page, stream)
    walk = Walk(page, pen)
    for _ in walk.run():
        pass
    return page, walk, pen, stream


def with_drums(score):
    """The notes as the stream has them, and one more field: drums beside the rest."""
    return score.replace(tracks=(*score.tracks[:-1], score.tracks[-1]._replace(is_drum=len(score.tracks) > 2)))


CASES = [song(seed, meter=meter, tracks=tracks) for seed, (meter, tracks) in enumerate(
    (((4, 4), 2), ((3, 4), 3), ((7, 8), 3), ((6, 8), 1), ((12, 4), 2)))]


@pytest.mark.parametrize("number", range(len(CASES)))
@pytest.mark.parametrize("kept", ["nothing", "the end", "a track", "some notes"])
def test_one_at_a_time_is_all_at_once(number, kept):
    score = with_drums(CASES[number])
    everything = Blanks.everything(score)
    half = int(score.bar_starts[len(score.bar_starts) // 2])
    blanks = {"nothing": everything, "the end": Blanks(tuple(Region(i, 0, half) for i in range(len(score.tracks)))),
              "a track": Blanks(everything.regions[:1]),
              "some notes": Blanks(everything.regions, tuple(range(0, len(score), 3)))}[kept]
    page, walk, pen, stream = watched(score, blanks)
    assert np.isfinite(sum(pen.nats.values()))
    assert len(walk.new) == int(blanks.rewritten(score).sum())
    assert pen.event >= int((stream.step <= page.stop).sum())


def test_real_inputs_walk_through():
    for score in inputs():
        everything = Blanks.everything(score)
        page = BlankPage(12, score, everything, None, 10_000)
        pen = WeighingPen(Deaf(), page)
        walk = Walk(page, pen)
        list(walk.run())
        assert np.isfinite(sum(pen.nats.values()))
        assert len(walk.new) == len(page.content.step)


def test_long_rests_are_skipped():
    score = Score.from_rows([(0, 480, 60, 80, 0), (480 * 30, 480, 62, 80, 0)], end=480 * 40, meters=(Meter(0, 40, 4),),
                            tracks=(Track("piano"),))
    _, walk, _, stream = watched(score, Blanks.everything(score))
    assert (stream.index[:, COLUMN["kind"]] == 4).sum() >= 3
    assert [note.step for note in walk.new] == [0, 360]


@pytest.mark.parametrize("length", [1, 7, 96, 97, 150, 384, 385, 2000])
def test_every_length_has_a_class_that_holds_it(length):
    kind = int(duration_class(length))
    lengths, round_one = lengths_of(kind, 5000)
    assert length in lengths
    assert round_one in lengths


def test_one_note_is_a_stream_too():
    _, walk, _, stream = watched(song(1).select(np.arange(1)), Blanks((Region(0, 0, 8 * 1920), Region(1, 0, 8 * 1920))))
    assert len(walk.new) == 1
    assert (stream.note == 0).sum() == 1


def test_fields_fit_their_sizes():
    for score in (with_drums(case) for case in CASES):
        stream = watched(score, Blanks.everything(score))[3]
        for i, field in enumerate(INDEX):
            assert stream.index[:, i].min() >= 0
            assert stream.index[:, i].max() < field.size, field
        for i, field in enumerate(TRACK_INDEX):
            assert stream.tracks[:, :, i].max() < field.size, field
        assert (stream.index[:, COLUMN["kind"]] == NOTE).sum() == (stream.note >= 0).sum()


def test_history_is_what_lies_before_the_first_blank():
    score = song(4, bars=12)
    page = BlankPage(12, score, Blanks((Region(0, 1920 * 8, 1920 * 10),)), None, 20)
    assert page.first_bar > 0
    assert page.first == 8 * 48
    assert all(point.kind == KEPT for point in page.waypoints)
    assert sum(point.step < page.first for point in page.waypoints) == page.ahead >= 20
