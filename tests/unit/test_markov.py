"""The markov family: a likelihood that sums to one, pins met exactly, saved whole, and music that ends."""

import itertools

import numpy as np
import pytest

from partimento.errors import ModelError
from partimento.features import heard_key, shift_of
from partimento.models.base import Piece
from partimento.models.markov import Markov
from partimento.models.markov.groove import grooved
from partimento.models.markov.hands import hands_apart, hands_together
from partimento.models.markov.part import line_rank
from partimento.models.markov.sheet import (
    BASS,
    DRUMS,
    LEAD,
    Frame,
    roles_heard,
    roles_named,
    snapped,
)
from partimento.request import Blanks, Region, Request
from partimento.sampling import generator
from partimento.score import Chord, Key, Meter, Score, Track

TWO = (Track("flute", 73), Track("cello", 42))


def tune(seed, bars=8, tracks=TWO, shift=0):
    """Two parts in C: a tune of steps over roots and fifths, ending on a long tonic."""
    rng = np.random.default_rng(seed)
    scale = [60, 62, 64, 65, 67, 69, 71, 72, 74, 76]
    rows, place = [], 4
    for step in range(bars * 4 - 2):
        place = int(np.clip(place + rng.choice([-1, -1, 0, 1, 1, 2]), 0, 9))
        if rng.random() < 0.3:
            rows += [(step * 480, 240, scale[place], 80, 0), (step * 480 + 240, 240, scale[max(place - 1, 0)], 76, 0)]
        else:
            rows.append((step * 480, 480, scale[place], 80, 0))
    rows.append(((bars * 4 - 2) * 480, 960, 72, 84, 0))
    for bar in range(bars):
        root = 48 if bar == bars - 1 else int(rng.choice([48, 53, 55]))
        rows.append((bar * 1920, 960, root, 70, 1))
        rows.append((bar * 1920 + 960, 960, 48 if bar == bars - 1 else root + 7, 70, 1))
    onset, duration, pitch, velocity, track = np.array(rows).T
    return Score(onset=onset, duration=duration, pitch=pitch + shift, velocity=velocity, track=track, end=bars * 1920,
                 tracks=tracks, keys=(Key(0, 0, "major"),) if not shift else ())


def corpus(count=12):
    return [Piece(tune(seed), str(seed)) for seed in range(count)]


@pytest.fixture(scope="module")
def model():
    return Markov(order=3).fit(corpus())


@pytest.fixture(scope="module")
def small():
    """A model on a grid of one step a quarter, whose tiny frames can be written out whole."""
    return Markov(order=2, grid=1).fit(corpus())


# --- likelihood --------------------------------------------------------------------------------------------------

FRAME = Score(ticks_per_quarter=480, end=960, meters=(Meter(0, 2, 4),), tracks=TWO[:1], keys=(Key(0, 0, "major"),))
RANGE = Request(ranges={"flute": "C4-C4", "cello": "C3-C3"})


def lives(pitch, steps, until):
    """Every way in which one pitch can begin in `steps` quarters and end by `until`: (onset, duration) pairs."""
    def after(begin):
        yield ()
        for onset in range(begin, steps):
            for end in range(onset + 1, until + 1):
                for rest in after(end):
                    yield ((onset, end - onset), *rest)
    return [[(o * 480, d * 480, pitch) for o, d in life] for life in after(0)]


def contents(steps, pitches, track=0, until=None):
    """All contents of `steps` quarters of one track that use no other pitches; `until` is by when each pitch ends."""
    for lanes in itertools.product(*(lives(p, steps, (until or {}).get(p, steps)) for p in pitches)):
        yield [(o, d, p, 80, track) for lane in lanes for o, d, p in lane]


def with_rows(frame, rows):
    old = [tuple(row) for row in frame.notes().tolist()]
    onset, duration, pitch, velocity, track = (np.array([*old, *rows]).reshape(-1, 5)).T
    return frame.replace(onset=onset, duration=duration, pitch=pitch, velocity=velocity, track=track, voice=None)


def total(model, frame, blanks, request, choices):
    return sum(np.exp(model.log_prob(with_rows(frame, rows), blanks, request).nats) for rows in choices)


def test_all_contents_of_a_closed_frame_sum_to_one(small):
    request = Request(ranges={"flute": "C4-C#4"})
    found = total(small, FRAME, Blanks.everything(FRAME), request, contents(2, (60, 61)))
    assert found == pytest.approx(1, abs=1e-9)


def test_without_a_key_the_likelihood_sums_over_the_keys(small):
    frame = FRAME.replace(keys=())
    assert total(small, frame, Blanks.everything(frame), RANGE, contents(2, (60,))) == pytest.approx(1, abs=1e-9)


def test_kept_music_after_the_blank_is_met(small):
    frame = with_rows(FRAME.replace(end=2400), [(960, 480, 60, 80, 0), (1440, 480, 61, 80, 0), (1920, 480, 60, 80, 0)])
    blanks = Blanks((Region(0, 0, 960),))
    request = Request(ranges={"flute": "C4-C#4"})
    choices = contents(2, (60, 61), until={60: 2, 61: 3})      # a new note may ring on to the next of its pitch
    assert total(small, frame, blanks, request, choices) == pytest.approx(1, abs=1e-9)


def test_two_tracks_sum_to_one_together(small):
    frame = FRAME.replace(tracks=TWO)
    both = [a + b for a in contents(2, (60,)) for b in contents(2, (48,), 1)]
    assert total(small, frame, Blanks.everything(frame), RANGE, both) == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("pinned", [(480, 480, 60), (0, 480, 61), (480, 480, 61)])
def test_a_pinned_note_is_given(small, pinned):
    frame = with_rows(FRAME, [(*pinned, 80, 0)])
    onset, duration, pitch = pinned
    choices = []
    for rows in contents(2, (60, 61)):
        clash = any(p == pitch and o < onset + duration and o + d > onset for o, d, p, _, _ in rows)
        if not clash:
            choices.append(rows)

    def log_prob(rows):
        score = with_rows(frame, rows)
        index = next(i for i, row in enumerate(score.notes().tolist()) if tuple(row[:3]) == pinned)
        return small.log_prob(score, Blanks((Region(0, 0, 960),), (index,)), Request(ranges={"flute": "C4-C#4"})).nats

    assert sum(np.exp(log_prob(rows)) for rows in choices) == pytest.approx(1, abs=1e-9)


def test_pitch_alone_sums_to_one_with_rhythm_and_a_pin_kept(small):
    frame = with_rows(FRAME.replace(end=1440), [(0, 480, 60, 80, 0), (480, 480, 62, 80, 0), (960, 480, 64, 80, 0)])
    request = Request(ranges={"flute": "C4-E4"})
    for pins in ((), (1,)):
        free = [i for i in range(3) if i not in pins]
        found = 0.0
        for pitches in itertools.product(range(60, 65), repeat=len(free)):
            pitch = frame.pitch.copy()
            pitch[free] = pitches
            blanks = Blanks((Region(0, 0, 1440, "pitch"),), pins)
            found += np.exp(small.log_prob(frame.replace(pitch=pitch), blanks, request).nats)
        assert found == pytest.approx(1, abs=1e-9)


def test_music_of_the_style_is_likelier_than_other_music(model):
    like = tune(99)
    other = like.replace(pitch=like.pitch + np.where(np.arange(len(like)) % 2, 6, 0))
    assert model.log_prob(like).nats > model.log_prob(other).nats + 20


def test_the_parts_add_up_and_velocity_stands_apart(model):
    found = model.log_prob(tune(50))
    assert found.nats == pytest.approx(sum(found.parts.values()))
    assert set(found.parts) == {"rhythm", "size", "pitch", "duration"}
    assert found.expression < 0
    assert found.notes == len(tune(50))


def test_memory_makes_what_comes_again_likelier(model):
    once = tune(7, bars=4)
    twice = once.with_notes_of(once.replace(onset=once.onset + once.end, end=2 * once.end)).replace(end=2 * once.end)
    other = tune(8, bars=4)
    mixed = once.with_notes_of(other.replace(onset=other.onset + once.end, end=2 * once.end)).replace(end=2 * once.end)
    repeated = model.log_prob(twice).bits_per_note - model.log_prob(once).bits_per_note
    new = model.log_prob(mixed).bits_per_note - model.log_prob(once).bits_per_note
    assert repeated < new


# --- filling -----------------------------------------------------------------------------------------------------


def test_a_fill_stays_in_its_blank_and_keeps_to_pitch_and_grid(model):
    source = tune(30)
    blanks = Blanks((Region(0, 1920, 5760), Region(1, 3840, 5760)))
    kept = source.select(~blanks.inside(source))
    for new in model.fill(kept, blanks, Request(), [generator(s) for s in range(6)]):
        assert blanks.inside(new).all()
        assert len(new) > 4
        assert (new.onset % 40 == 0).all()
        assert (new.offset <= source.end).all()


def test_the_same_generator_gives_the_same_notes_whatever_stands_beside_it(model):
    frame = tune(1).without_notes()
    blanks = Blanks.everything(frame)
    alone = model.fill(frame, blanks, Request(), [generator(5)])[0]
    beside = model.fill(frame, blanks, Request(), [generator(4), generator(5)])[1]
    assert alone == beside
    assert alone != model.fill(frame, blanks, Request(), [generator(6)])[0]


def test_pinned_onsets_draw_as_their_likelihood_says(small):
    """Draws between a kept start and a kept end fall as often as log_prob says."""
    frame = with_rows(FRAME.replace(end=1440), [(960, 480, 60, 80, 0)])
    blanks, request = Blanks((Region(0, 0, 960),)), Request(ranges={"flute": "C4-C4"})
    count = 300
    drawn = {}
    for new in model_fill(small, frame, blanks, request, count):
        key = tuple(map(tuple, new.notes()[:, :3].tolist()))
        drawn[key] = drawn.get(key, 0) + 1
    every = list(contents(2, (60,)))
    expected = {tuple(sorted((o, d, p) for o, d, p, _, _ in rows)):
                np.exp(small.log_prob(with_rows(frame, rows), blanks, request).nats) for rows in every}
    assert set(drawn) <= set(expected)
    for key, chance in expected.items():
        spread = 5 * np.sqrt(count * chance * (1 - chance)) + 1
        assert abs(drawn.get(key, 0) - count * chance) < spread


def model_fill(model, frame, blanks, request, count):
    return model.fill(frame, blanks, request, [generator(1, k) for k in range(count)])


def test_only_pitches_change_where_only_pitch_is_open(model):
    source = tune(31)
    blanks = Blanks((Region(0, 0, source.end, "pitch"),), (0, 3))
    new = model.fill(source, blanks, Request(), [generator(3)])[0]
    old = source.select(blanks.rewritten(source))
    assert np.array_equal(new.onset, old.onset)
    assert np.array_equal(new.duration, old.duration)
    assert np.array_equal(new.velocity, old.velocity)
    assert not np.array_equal(new.pitch, old.pitch)


def test_drums_and_chords_are_written(model):
    kit = Track("drums", 0, True)
    rows = [(b * 480, 120, p, 90, 1) for b in range(32) for p in ((36, 42) if b % 2 == 0 else (38, 42))]
    rows += [(b * 960, 960, p, 70, 0) for b in range(16) for p in (48, 55, 64)]
    onset, duration, pitch, velocity, track = np.array(rows).T
    piece = Score(onset=onset, duration=duration, pitch=pitch, velocity=velocity, track=track, end=15360,
                  tracks=(Track("piano", 0), kit))
    learnt = Markov().fit([Piece(piece, "x")])
    new = learnt.fill(piece.without_notes(), Blanks.everything(piece), Request(top_p=0.9), [generator(2)])[0]
    hits, keys = new.select(new.track == 1), new.select(new.track == 0)
    assert set(hits.pitch.tolist()) <= set(range(35, 82))
    assert len(hits) > 8
    assert len(keys) > len(np.unique(keys.onset))


def test_facts_of_pitch_hold_in_the_fill(model):
    frame = tune(1).without_notes().replace(chords=(Chord(0, "F"),))
    request = Request(key="C major", chords="F", ranges={"flute": "C5-C6"})
    for new in model.fill(frame, Blanks.everything(frame), request, [generator(s) for s in range(4)]):
        flute = new.pitch[new.track == 0]
        assert flute.min() >= 72
        assert flute.max() <= 84
        on_beat = new.onset % 480 == 0
        assert set((new.pitch[on_beat] % 12).tolist()) <= {5, 9, 0}


# --- learning, saving, telling --------------------------------------------------------------------------------------


def test_saved_and_restored_composes_and_weighs_the_same():
    config = {"order": 2, "grid": 6, "senses": ("meter", "others"), "prune": 2, "given": ("before",)}
    learnt = Markov(**config).fit(corpus(10))
    again = Markov(**config).restore(*learnt.state())
    frame = tune(1).without_notes()
    one, two = (m.fill(frame, Blanks.everything(frame), Request(), [generator(9)])[0] for m in (learnt, again))
    assert one == two
    assert learnt.log_prob(tune(40)).nats == again.log_prob(tune(40)).nats


def test_a_second_fit_forgets_the_first(model):
    twice = Markov(order=3).fit([Piece(tune(70, shift=5), "x")]).fit(corpus())
    assert twice.log_prob(tune(44)).nats == model.log_prob(tune(44)).nats


def test_transpositions_and_no_key_are_settings_that_count():
    far = tune(60, shift=6)
    plain, wide, keyed = (Markov(order=3, product=False, **more).fit(corpus()) for more in (
        {"normalise": False}, {"normalise": False, "transpositions": 12}, {}))
    assert wide.log_prob(far).nats > plain.log_prob(far).nats + 10
    assert keyed.log_prob(far).nats > plain.log_prob(far).nats + 10


def test_suggest_fills_what_is_open_and_nothing_else(model):
    asked = Request(key="E minor", bars=8)
    found = model.suggest(asked, generator(1))
    assert (found.key, found.bars, found.meter) == ("E minor", 8, "4/4")
    assert found.tracks == ("flute", "cello")


def test_explain_names_the_note_and_its_chance(model):
    piece = tune(0)
    told = model.explain(piece, 6)
    assert 0 < told.probability <= 1
    assert "lead" in told.text or "bass" in told.text
    assert "seen" in told.seen
    assert len(told.alternatives) >= 2


def test_a_budget_and_a_cancel_leave_a_usable_model():
    assert Markov().fit(corpus(), budget=1e-9).fitted
    assert Markov().fit(corpus(), report=lambda progress: progress.done < 2).fitted


@pytest.mark.parametrize("setting", [{"order": 9}, {"grid": 0}, {"senses": ("metre",)}, {"given": ()},
                                     {"discount": 1.5}])
def test_settings_out_of_reach_are_refused(setting):
    with pytest.raises(ModelError):
        Markov(**setting)


def test_unfitted_and_empty_are_refused_clearly():
    frame = tune(1).without_notes()
    with pytest.raises(ModelError, match="fitted"):
        Markov().fill(frame, Blanks.everything(frame), Request(), [generator(0)])
    with pytest.raises(ModelError, match="at least one piece"):
        Markov().fit([])


# --- reading the page -----------------------------------------------------------------------------------------------


def test_roles_come_from_the_notes_or_from_the_names():
    piece = tune(0)
    notes, _ = snapped(piece, 12)
    assert roles_heard(piece.tracks, notes, Frame(piece, 12).steps) == [LEAD, BASS]
    assert roles_named((Track("soprano", 52), Track("bass", 52), Track("drums", 0, True))) == [LEAD, BASS, DRUMS]


def test_an_older_checkpoint_of_a_sum_stays_one():
    values, arrays = Markov(order=2, product=False).fit(corpus(4)).state()
    again = Markov(order=2).restore(values, arrays)
    assert not again.config.product
    assert again.log_prob(tune(9)).nats == Markov(order=2, product=False).fit(corpus(4)).log_prob(tune(9)).nats


def test_keys_are_heard_and_laid_on_c():
    assert [shift_of(f) for f in (0, 1, -1, 2, 6)] == [0, -5, 5, 2, 6]
    assert heard_key(tune(3, shift=2)) == (2, 0)
    assert heard_key(tune(3).without_notes()) is None


def test_bars_and_beats_of_a_pick_up():
    piece = Score(end=480 + 4 * 1440, meters=(Meter(0, 3, 4), Meter(480, 3, 4)))
    frame = Frame(piece, 12)
    assert frame.columns["bar"][1] == 24
    assert frame.columns["bar"][13] == 0
    assert frame.columns["beat"][14] == 1


def test_outer_lines_are_written_first():
    size = np.array([1, 2, 4])
    assert line_rank(0, size, False).tolist() == [0, 0, 0]
    assert line_rank(1, size, False).tolist() == [0, 1, 3]
    assert line_rank(0, size, True).tolist() == [0, 1, 3]
    assert line_rank(2, size, True).tolist() == [1, 1, 1]


# --- taste ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ragged():
    """A model of tunes whose rhythms no page shows plainly, two notes at a time."""
    rng = np.random.default_rng(5)
    pieces = []
    for number in range(6):
        onset = np.cumsum(rng.choice([40, 80, 120, 160, 200, 240, 480], 60))
        rows = [(o, d, p + k, 80, 0) for o, d, p in zip(onset, rng.choice([40, 120, 200, 280], 60),
                                                        rng.choice([60, 62, 64, 67], 60), strict=True) for k in (0, 12)]
        pieces.append(Piece(Score.from_rows(rows, tracks=(Track("flute", 73),)), f"{number}"))
    return Markov(order=2).fit(pieces)


@pytest.mark.parametrize("seed", range(4))
def test_a_sharpened_draw_writes_what_a_page_can_show(ragged, seed):
    frame = Score(end=8 * 1920, tracks=(Track("flute", 73),))
    new, = ragged.fill(frame, Blanks.everything(frame), Request(top_p=0.95), [generator(seed)])
    place = new.onset % 480
    assert len(new) > 8
    assert not set(place.tolist()) & {40, 200, 280, 440}, "nothing begins on finer places"
    binary, ternary = np.isin(place, [120, 360]), np.isin(place, [160, 320])
    gap = np.diff(new.onset)
    assert not (gap[binary[:-1] & ternary[1:] | ternary[:-1] & binary[1:]] < 480).any()
    assert len(np.unique(new.onset)) == len(new), "a flute plays one note at a time"
    assert (new.onset[1:] >= new.offset[:-1]).all()
    last = new.onset[new.onset >= 7 * 1920] - 7 * 1920
    assert (last % 480 == 0).all(), "the end comes on beats"
    assert (last <= 960).all()


def test_what_a_sharpened_draw_writes_between_kept_notes_can_be_shown_too(ragged):
    kept = Score.from_rows([(at, 40, 60, 80, 0) for at in (0, 40, 2000, 4120, 7 * 1920)], end=8 * 1920,
                           tracks=(Track("flute", 73),))
    blanks = Blanks((Region(0, 80, 2000), Region(0, 2400, 7 * 1920)))
    blanks = Blanks(blanks.regions, tuple(np.flatnonzero(blanks.inside(kept)).tolist()))
    for new in ragged.fill(kept, blanks, Request(top_p=0.95), [generator(seed) for seed in range(3)]):
        assert len(new) > 8
        assert not set((new.onset % 480).tolist()) & {40, 80, 200, 280, 400, 440}
    wild = ragged.fill(kept, blanks, Request(), [generator(1)])[0]
    assert set((wild.onset % 480).tolist()) & {40, 80, 200, 280, 400, 440}


def test_the_model_itself_is_drawn_as_it_was_counted(ragged):
    frame = Score(end=8 * 1920, tracks=(Track("flute", 73),))
    plain, = ragged.fill(frame, Blanks.everything(frame), Request(top_p=1.0, temperature=1.0), [generator(1)])
    assert set((plain.onset % 480).tolist()) & {40, 200, 280, 440}
    assert len(np.unique(plain.onset)) < len(plain)


def test_a_loop_goes_on_to_its_last_bar(ragged):
    frame = Score(end=8 * 1920, tracks=(Track("flute", 73),))
    blanks = Blanks.everything(frame)
    new = [ragged.fill(frame, blanks, Request(top_p=0.95, loop=loop), [generator(seed) for seed in range(6)])
           for loop in (True, False)]
    late = [sum((piece.onset > 7 * 1920 + 960).any() for piece in pieces) for pieces in new]
    assert late[0] > late[1] == 0


# --- two hands --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def two_hands():
    """A model of pieces for two hands, a track each, an octave and more apart."""
    rng = np.random.default_rng(8)
    pieces = []
    for number in range(6):
        high = [(480 * i, 480, int(p), 80, 0) for i, p in enumerate(rng.choice([72, 74, 76, 79], 64))]
        low = [(960 * i, 960, int(p), 70, 1) for i, p in enumerate(rng.choice([48, 50, 43], 32))]
        pieces.append(Piece(Score.from_rows(high + low, tracks=(Track("upper"), Track("lower"))), f"{number}"))
    return Markov(order=2).fit(pieces)


def test_a_piano_is_played_with_two_hands_and_is_one_track(two_hands):
    frame = Score(end=8 * 1920, tracks=(Track("piano"),))
    new, = two_hands.fill(frame, Blanks.everything(frame), Request(top_p=0.95), [generator(3)])
    assert set(new.track.tolist()) == {0}
    gap = np.diff(np.unique(new.pitch)).max()
    assert gap > 8, "nothing between the hands"
    assert len(np.unique(new.onset)) < len(new), "they play together"
    order = np.lexsort((new.onset, new.pitch))
    again = np.diff(new.pitch[order]) == 0
    assert (np.diff(new.onset[order])[again] >= new.duration[order][:-1][again]).all(), "no key is struck while held"


def test_a_piano_that_holds_notes_or_has_open_pitches_alone_stays_one_part(two_hands):
    frame = Score(onset=[0], duration=[480], pitch=[72], velocity=[80], track=[0], end=3840, tracks=(Track("piano"),))
    assert hands_apart(frame, Blanks((Region(0, 1920, 3840),))) is None
    assert hands_apart(frame, Blanks((Region(0, 0, 3840, "pitch"),))) is None
    assert hands_apart(frame.replace(tracks=(Track("flute", 73),)), Blanks((Region(0, 0, 3840),))) is None
    assert hands_apart(frame, Blanks((Region(0, 0, 3840),))).back.tolist() == [0, 0]


def test_hands_that_strike_one_key_strike_it_once():
    frame = Score(end=1920, tracks=(Track("piano"),))
    both = Score.from_rows([(0, 960, 60, 80, 0), (0, 480, 60, 70, 1), (480, 960, 64, 80, 0), (960, 480, 64, 70, 1)])
    made = hands_together(both, np.array([0, 0]), frame)
    assert made.notes()[:, :3].tolist() == [[0, 960, 60], [480, 480, 64], [960, 480, 64]]
    assert made.tracks == frame.tracks


# --- grooves ----------------------------------------------------------------------------------------------------------


def test_drums_keep_a_groove_with_fills_and_nothing_else_changes():
    kit = Score(end=16 * 1920, tracks=(Track("kit", 0, True), Track("flute", 73)))
    rng = np.random.default_rng(2)
    rows = [(int(o), 120, int(p), 80, 0) for o, p in zip(rng.integers(0, 16 * 16, 90) * 120, rng.integers(35, 50, 90),
                                                         strict=True)]
    tune = [(480 * i, 480, 60 + i % 7, 80, 1) for i in range(64)]
    new = kit.with_rows(sorted(set(rows)) + tune)
    made = grooved(new, kit, Blanks.everything(kit))
    bars = [made.select((made.track == 0) & (made.onset // 1920 == i)) for i in range(16)]
    shape = [tuple(zip((b.onset % 1920).tolist(), b.pitch.tolist(), strict=True)) for b in bars]
    assert shape[0] == shape[1] == shape[2] == shape[4] == shape[5] == shape[6]
    assert shape[8] == shape[9] == shape[10] == shape[12]
    assert shape[3] not in (shape[0], shape[7])
    assert made.select(made.track == 1) == new.select(new.track == 1)
    assert grooved(new, kit, Blanks((Region(0, 0, 1920),))) == new
    held = kit.with_rows([(0, 120, 36, 80, 0)])
    blanks = Blanks((Region(0, 0, held.end), Region(1, 0, held.end)), pinned=(0,))
    assert grooved(new, held, blanks) == new
