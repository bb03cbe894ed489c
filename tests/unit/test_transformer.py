"""The transformer family beyond its contract: numpy and torch agree, music a third higher is the same music to it."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from exactness import CASES, total_chance

from partimento import generate
from partimento.attention import AttentionShape, first_weights, weight_sizes
from partimento.errors import CheckpointError, ModelError
from partimento.events.blank import BlankPage
from partimento.events.fields import DRUMS, STAGES
from partimento.events.library import ahead_of
from partimento.events.page import band_of, bars_of, on_grid
from partimento.events.pens import WeighingPen
from partimento.events.walk import Walk
from partimento.events.wishes import BINS, wish_class, wished
from partimento.events.written import written
from partimento.models.transformer import GUIDANCE, Transformer
from partimento.models.transformer.ear import AttentionEar
from partimento.network import check_arrays
from partimento.request import Blanks, Region, Request
from partimento.score import Key, Score, Track
from partimento.testing import small_corpus, song

SHAPE = AttentionShape(layers=2, width=24, heads=2, head=20, track=8, ask=2,
                       wishes=("density", "register"))


def rough(shape: AttentionShape = SHAPE, seed: int = 0) -> dict[str, Any]:
    """Weights such that every part matters: none 0, choices far from equally likely."""
    rng = np.random.default_rng(seed)
    return {name: (array + rng.normal(0, 0.1, array.shape)).astype(np.float32)
            for name, array in first_weights(shape, seed).items()}


def untrained(**settings: Any) -> Transformer:
    """A network that has learnt nothing, and is none the less exact."""
    return Transformer(**settings).restore({"shape": dataclasses.asdict(SHAPE), "tables": {}}, rough())


def with_drums(seed: int, bars: int = 8) -> Score:
    """A song beside a drum kit."""
    own = song(seed, bars=bars)
    rng = np.random.default_rng(seed)
    beats = [(tick, 120, int(rng.choice([36, 38, 42])), 90, len(own.tracks)) for tick in range(0, own.end, 480)]
    tracks = (*own.tracks, Track("drums", 0, is_drum=True))
    return own.replace(tracks=tracks).with_notes_of(own.replace(tracks=tracks).with_rows(beats))


class Raw(WeighingPen):
    """Weighs every stage of every event over all there is, as the network in torch does."""

    def __init__(self, ear: Any, page: BlankPage) -> None:
        super().__init__(ear, page)
        self.costs = dict.fromkeys(STAGES, 0.0)

    def choose(self, walk: Walk, stage: str, options: Any) -> int:
        chosen = super().choose(walk, stage, options)
        every = np.arange(len(walk.page.drums) if stage == "track" else STAGES[stage])
        logits = self.ear.logits(walk, stage, every).astype(np.float64)
        self.costs[stage] -= logits[chosen] - np.log(np.exp(logits - logits.max()).sum()) - logits.max()
        return chosen


def in_torch(model: Transformer, score: Score, known: Any, wish: Any = (BINS, BINS)) -> dict[str, float]:
    """What the same costs in torch, told a wish, where all of it is weighed but what is known."""
    torch = pytest.importorskip("torch")
    from partimento.nets.attending import Attending

    net = Attending(model.player.shape, grid=12).eval()
    net.load(model.player.arrays)
    notes, _ = on_grid(score, 12)
    stream = written(bars_of(score, 12), band_of(score.tracks), notes, known(notes))
    count = len(stream.step)
    flags = np.zeros(count, bool)
    flags[stream.note >= 0] = known(notes)[stream.note[stream.note >= 0]]
    ahead, step, at = ahead_of(stream, flags)
    choice = np.where(flags[:, None], -1, stream.choice)
    batch = {"index": stream.index, "bits": stream.bits, "tracks": stream.tracks, "ahead": ahead, "ahead_step": step,
             "ahead_at": at, "wish": np.array(wish), "track_ok": np.ones((count, stream.tracks.shape[1]), bool),
             "move_limit": np.full(count, 96), "pitch_limit": np.full(count, 127),
             **{stage: choice[:, i] for i, stage in enumerate(STAGES)}}
    with torch.no_grad():
        found = net.losses({name: torch.from_numpy(array)[None] for name, array in batch.items()})
    return {stage: float(cost) for stage, cost in found.items()}


def test_numpy_and_torch_agree_on_a_song_with_drums() -> None:
    model, score = untrained(), with_drums(3)
    page = BlankPage(12, score, Blanks.everything(score), None, 256)
    wish = wished(SHAPE.wishes, {"register": 60}, score.tracks)
    assert wish[0] == BINS > wish[1] > 0
    pen = Raw(AttentionEar(model.player, page, model.player.wished(wish)), page)
    for _ in Walk(page, pen).run():
        pass
    for stage, cost in in_torch(model, score, lambda notes: np.zeros(len(notes.step), bool), wish).items():
        if stage in ("duration", "loudness"):           # always more than one to choose from
            assert pen.costs[stage] == pytest.approx(cost, rel=1e-4)
        elif stage == "pitch":                          # but for what is settled without a choice
            assert pen.costs[stage] == pytest.approx(cost, rel=1e-3)


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_numpy_and_torch_agree_on_what_lies_ahead(kept: int) -> None:
    model, score = untrained(), with_drums(5)
    blanks = Blanks(tuple(Region(i, 0, score.end) for i in range(3) if i != kept))
    page = BlankPage(12, score, blanks, None, 256)
    pen = Raw(model.ear(page), page)
    for _ in Walk(page, pen).run():
        pass
    costs = in_torch(model, score, lambda notes: notes.track == kept)
    for stage in ("duration", "loudness"):
        assert pen.costs[stage] == pytest.approx(costs[stage], rel=1e-4)


def test_the_key_of_what_is_kept_is_heard_where_none_is_written() -> None:
    score = song(3, base=69).replace(keys=())
    blanks = Blanks((Region(0, score.end // 2, score.end),))
    told = {name: set(model._page(score, blanks, request).bars.key.tolist()) for name, model, request in (
        ("heard", untrained(), None), ("asked", untrained(), Request(verb="infill", place="3", key="C major")),
        ("never", untrained(keys=False), None))}
    none = {24}
    assert told == {"heard": {9}, "asked": none, "never": none}     # A major; asked: what the Score says, which is none
    little = score.select(score.onset < 480)
    assert set(untrained()._page(little, blanks, None).bars.key.tolist()) == none


def test_a_wish_is_followed_further_than_it_alone_would_lead() -> None:
    model = untrained()
    page = BlankPage(12, song(3), Blanks.everything(song(3)), Request(targets={"register": 60}), 256)
    classes = wished(SHAPE.wishes, page.targets, page.around.tracks)
    ears = (model.ear(page), AttentionEar(model.player, page, model.player.wished(classes)),
            AttentionEar(model.player, page))
    walks = [Walk(page, WeighingPen(ear, page)) for ear in ears]
    options = np.arange(20)
    for walk, _ in zip(walks, map(next, (walk.run() for walk in walks)), strict=True):
        assert walk.bar == 1
    guided, told, untold = (ear.logits(walk, "move", options) for ear, walk in zip(ears, walks, strict=True))
    assert np.abs(told - untold).max() > 0.01
    assert guided == pytest.approx(told + GUIDANCE * (told - untold), abs=1e-4)


def test_a_third_higher_is_the_same_music() -> None:
    """But for the half octave in which it lies, and how likely a first pitch is by itself."""
    arrays = rough()
    for name in ("pitch.plain", "pitch.plain_bias"):
        arrays[name] *= 0
    for sight in ("input", "ask"):
        from partimento.events.relative import REGISTERS, SIGHTS
        stop = sum(SIGHTS[sight].sizes)
        arrays[f"{sight}.table"][stop - REGISTERS:stop] = 0
    model = Transformer().restore({"shape": dataclasses.asdict(SHAPE), "tables": {}}, arrays)
    score = with_drums(2).replace(keys=(Key(0, 0, "major"),))
    higher = score.replace(pitch=score.pitch + 5 * ~np.isin(score.track, [2]), keys=(Key(0, -1, "major"),))
    assert model.log_prob(higher).nats == pytest.approx(model.log_prob(score).nats, rel=2e-3)


def test_what_was_pushed_is_heard_at_once_or_one_by_one() -> None:
    model, score = untrained(window=40), song(4, bars=24)
    begun = score.select(score.onset < score.end // 2)
    blanks = Blanks((Region(0, score.end // 2, score.end),))
    wish = Request(verb="continue", bars=2, seed=3)
    page = BlankPage(12, begun, blanks, wish, 40)
    ears = [model.ear(page) for _ in range(2)]
    found = []
    for number, ear in enumerate(ears):
        class Listening(WeighingPen):
            def push(self, walk: Walk) -> None:
                super().push(walk)
                if number:  # noqa: B023
                    self.ear._hear(walk)  # type: ignore[attr-defined]
        pen = Listening(ear, page)
        for _ in Walk(page, pen).run():
            pass
        found.append(pen.nats["move"])
    assert found[0] == pytest.approx(found[1], rel=1e-4)


def test_what_pads_a_batch_changes_nothing() -> None:
    torch = pytest.importorskip("torch")
    from partimento.events.library import Library
    from partimento.nets.attending import Attending

    library = Library.of(small_corpus(), 12)
    library.wishes = SHAPE.wishes
    net = Attending(SHAPE, grid=12).eval()
    net.load(rough())
    rows = library.rows(1, 0, 6, 96, 1)

    def costs(some: Any) -> float:
        arrays, _ = library.batch(some, 0.9)
        with torch.no_grad():
            return float(sum(net.losses({k: torch.from_numpy(v) for k, v in arrays.items()}).values()))

    assert costs(rows) == pytest.approx(sum(costs([row]) for row in rows), rel=1e-4)
    library.close()


def test_settings_and_weights_are_refused_in_a_sentence() -> None:
    for wrong, words in (({"deafness": 2.0}, "deafness must lie in"), ({"width": 2}, "width must lie in"),
                         ({"weights": "int4"}, "int8")):
        with pytest.raises(ModelError, match=words):
            Transformer(**wrong)
    with pytest.raises(ModelError, match="size must be at least"):
        AttentionShape(size=8)
    arrays = rough()
    del arrays["layer0.q"]
    with pytest.raises(CheckpointError, match=r"layer0\.q"):
        check_arrays(weight_sizes(SHAPE), arrays)
    assert weight_sizes(SHAPE).keys() == rough().keys()


def test_drums_are_played_as_drums() -> None:
    pytest.importorskip("torch")
    pieces = [piece._replace(score=with_drums(i)) for i, piece in enumerate(small_corpus())]
    model = Transformer(layers=1, width=48, steps=120, batch=8, window=96, lr=4e-3).fit(pieces, seed=2)
    result = generate.generate(Request(verb="accompany", tracks=("drums",), seed=1), model, source=song(70))[0]
    drums = [i for i, track in enumerate(result.score.tracks) if track.is_drum]
    played = result.score.pitch[np.isin(result.score.track, drums)]
    assert DRUMS == 128
    assert len(played)
    assert np.isin(played, [36, 38, 42]).mean() > 0.8


def test_windows_are_told_what_they_have() -> None:
    from partimento.controls import CONTROLS
    from partimento.events.library import Library

    library = Library.of(small_corpus(), 12)
    library.wishes = ("density", "register")
    found = set()
    for step in range(6):
        for row, wish in zip(rows := library.rows(1, step, 8, 64, 1), library.batch(rows, 0.5)[0]["wish"].tolist(),
                             strict=True):
            whole = library.pieces[row.piece].bars
            assert row.stop <= len(whole)
            found.add(tuple(wish))
            mean = small_corpus()[row.piece].score.pitch.mean()
            if wish[1] < BINS and row.first == 0 and row.stop == len(whole):
                assert wish[1] == wish_class("register", mean)
    library.close()
    assert (BINS, BINS) in found            # and some are told nothing
    assert any(wish[0] < BINS for wish in found)
    assert wish_class("density", CONTROLS["density"].high) == BINS - 1
    tracks = (Track("flute", 73), Track("piano"))
    assert wished(("density", "register"), {"density": 20, "piano.register": 60}, tracks) == [
        wish_class("density", 20), BINS]


@pytest.mark.parametrize("order", ["time", "tracks"])
@pytest.mark.parametrize(("rows", "pinned", "blank"), [*CASES, ([], (), (0, 1))])
def test_all_contents_of_a_blank_sum_to_one(rows: Any, pinned: Any, blank: Any, order: str) -> None:
    assert total_chance(untrained(grid=1, order=order), rows, pinned, blank) == pytest.approx(1, abs=1e-4)


def test_a_track_after_the_other_tells_every_note() -> None:
    model, score = untrained(order="tracks"), with_drums(6)
    told = model.information(score)
    assert told.bits == pytest.approx(-model.log_prob(score).nats / np.log(2), rel=1e-6)
    assert not np.isnan(told.total[0]).any()
    reason = model.explain(score, len(score) - 1)
    assert reason is not None
    assert 0 < reason.probability <= 1


def test_one_track_is_written_at_a_time() -> None:
    from partimento.events.library import Library

    library = Library.of([piece._replace(score=with_drums(i)) for i, piece in enumerate(small_corpus())], 12)
    library.by_track = True
    scenes = set()
    for step in range(8):
        rows = library.rows(2, step, 8, 200, 1)
        for row in rows:
            stream, known, open_, *_ = library.drill(row, 0.0)
            track = stream.index[:, 2]
            there = stream.note >= 0
            (written_,) = np.flatnonzero(open_).tolist()
            assert not (known & (track == written_) & there).any()
            assert known[there & (track != written_)].all()
            scenes.add((written_, *sorted(set(track[known].tolist()))))
        arrays, units = library.batch(rows, 0.0)
        assert units == (arrays["duration"] >= 0).sum()
    library.close()
    assert scenes == {(0,), (1, 0), (2, 0, 1)}      # the melody, the chords under it, the drums to both


def test_what_training_charges_is_what_the_page_charges(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a track between two known ones, at the same steps: instead of its note the next known one might have come."""
    torch = pytest.importorskip("torch")
    from partimento.events import library as room
    from partimento.events.passes import passes
    from partimento.nets.attending import Attending

    monkeypatch.setattr(room, "KEYLESS", 0.0)
    monkeypatch.setattr(room, "ENDLESS", 0.0)
    rows = [(tick, 480, pitch, 80, track) for tick in range(0, 7680, 480) for track, pitch in enumerate((72, 64, 48))]
    score = Score.from_rows(rows, end=7680, ticks_per_quarter=480, tracks=tuple(Track(name) for name in "abc"))
    model = untrained()
    net = Attending(SHAPE, grid=12).eval()
    net.load(model.player.arrays)
    library = room.Library.of([small_corpus()[0]._replace(score=score)], 12)
    library.by_track, library.wishes = True, ()
    charged = {}
    for seed in range(40):
        row = library.all_rows(400, 1)[0]._replace(seed=seed << 20)
        open_ = library.drill(row, 0.0).open
        arrays, _ = library.batch([row], 0.0)
        tensors = {name: torch.from_numpy(array) for name, array in arrays.items()} | {"wish": torch.full((1, 2), BINS)}
        with torch.no_grad():
            costs = net.losses(tensors)
        charged[int(np.flatnonzero(open_)[0])] = float(costs["move"] + costs["track"])
    library.close()
    assert len(charged) == 3
    for part in passes(score, Blanks.everything(score)):
        rhythm = -model.log_prob(part.score, part.blanks).parts["rhythm"]
        assert 0.4 * charged[part.blanks.tracks()[0]] < rhythm <= charged[part.blanks.tracks()[0]] + 1e-3
