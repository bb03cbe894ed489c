"""The hmm family: exact sums, draws as likely as they are weighed, chords that hold, and tables that can be read."""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter

import numpy as np
import pytest

from partimento import generate
from partimento.counting.hidden import Chain
from partimento.errors import ModelError
from partimento.models.base import Piece
from partimento.models.hmm import Hmm
from partimento.models.hmm.details import SIZES, Details, Habits
from partimento.models.hmm.drums import plain_beat, steadied
from partimento.models.hmm.harmony import QUALITIES, STATES, chord_name, chord_states
from partimento.models.hmm.line import ChordLine, Surroundings
from partimento.models.hmm.page import BASS, DRUMS, INNER, LEAD, SUPPORT, PageGrid, notes_on, roles_of
from partimento.models.hmm.pianos import hands_joined, two_hands
from partimento.models.hmm.pitch import Lesson, Seen, Weights, _slopes, log_chances, pitch_chances, tasteful
from partimento.models.hmm.rhythm import BeatRows, ago_of, cells_of, entries_of, learn_patterns, pattern_name
from partimento.models.hmm.sheet import HarmonySheet
from partimento.models.hmm.write import Taste
from partimento.request import Blanks, Region, Request
from partimento.sampling import generator
from partimento.score import Chord, Key, Meter, Score, Track
from partimento.testing import small_corpus, song

SMALL = {"states": 6, "batches": 60, "rounds": 4}


@pytest.fixture(scope="module")
def coarse():
    return Hmm(grid=1, **SMALL).fit(small_corpus())


@pytest.fixture(scope="module")
def model():
    return Hmm(**SMALL).fit(small_corpus())


def frame(**changes):
    whole = {"end": 960, "ticks_per_quarter": 480, "meters": (Meter(0, 2, 4),), "tracks": (Track("piano"),),
             "keys": (Key(0, 0),)}
    return Score(**{**whole, **changes})


def contents(kept, regions, pitches=(60, 61)):
    """Every content of some beats (track, tick): any of the pitches there, each as long as it may be."""
    cells = [(track, tick, p) for track, tick in regions for p in pitches
             if not ((kept.track == track) & (kept.pitch == p) & (kept.onset <= tick) & (kept.offset > tick)).any()]
    for there in itertools.product((False, True), repeat=len(cells)):
        notes = [cell for cell, yes in zip(cells, there, strict=True) if yes]
        choices = []
        for track, tick, pitch in notes:
            stops = [t for k, t, p in notes if (k, p) == (track, pitch) and t > tick]
            own = (kept.track == track) & (kept.pitch == pitch) & (kept.onset > tick)
            choices.append(range(480, min([kept.end, *stops, *kept.onset[own].tolist()]) - tick + 1, 480))
        for lengths in itertools.product(*choices):
            yield kept.with_notes_of(kept.with_rows([(t, d, p, 64, k) for (k, t, p), d in
                                                     zip(notes, lengths, strict=True)]))


def pinned_in(score, kept):
    return tuple(i for i, row in enumerate(score.notes().tolist()) if row in kept.notes().tolist())


NARROW = Request(ranges={"piano": "C4-C#4", "1": "C4-C#4"})


def test_all_contents_around_a_pinned_note_sum_to_one(coarse):
    kept = frame(end=1440, onset=[480], duration=[480], pitch=[60], velocity=[64], track=[0])
    total = 0.0
    for score in contents(kept, [(0, 0), (0, 480), (0, 960)]):
        blanks = Blanks((Region(0, 0, 1440),), pinned_in(score, kept))
        total += np.exp(coarse.log_prob(score, blanks, NARROW).nats)
    assert total == pytest.approx(1, abs=1e-9)


def test_all_contents_of_two_parts_under_a_written_chord_sum_to_one(coarse):
    base = frame(end=480, tracks=(Track("piano"), Track("violin", 40)), chords=(Chord(0, "Am"),), keys=())
    request = Request(ranges={"piano": "C4-C#4", "violin": "C4-C#4"})
    total = sum(np.exp(coarse.log_prob(score, Blanks.everything(base), request).nats)
                for score in contents(base, [(0, 0), (1, 0)]))
    assert total == pytest.approx(1, abs=1e-9)


def test_all_pitches_of_a_kept_rhythm_sum_to_one(coarse):
    total = 0.0
    for pitches in itertools.product((60, 61), repeat=2):
        score = frame(end=1440, onset=[0, 480, 960], duration=[480] * 3, pitch=[*pitches, 60], velocity=[64] * 3,
                      track=[0] * 3)
        total += np.exp(coarse.log_prob(score, Blanks((Region(0, 0, 960, "pitch"),)), NARROW).nats)
    assert total == pytest.approx(1, abs=1e-9)


def test_music_is_drawn_as_often_as_it_is_likely(coarse):
    kept = frame(onset=[480], duration=[480], pitch=[60], velocity=[64], track=[0])
    blanks, times = Blanks((Region(0, 0, 480),)), 1500
    drawn = coarse.fill(kept, blanks, NARROW.replace(temperature=1.0, top_p=1.0),
                        [generator(7, k) for k in range(times)])
    seen = Counter(tuple(sorted((p, d) for _, d, p, _, _ in new.notes().tolist())) for new in drawn)
    for score in contents(kept, [(0, 0)]):
        key = tuple(sorted((p, d) for t, d, p, _, _ in score.notes().tolist() if t == 0))
        wanted = np.exp(coarse.log_prob(score, blanks, NARROW).nats)
        assert seen[key] / times == pytest.approx(wanted, abs=4.5 * np.sqrt(wanted / times) + 1e-3), key


def test_the_likelihood_is_a_forward_pass_over_the_chords(coarse):
    """The pitch part against the sum over every path of chords, a beat each."""
    score = frame(onset=[0, 480], duration=[480, 480], pitch=[60, 67], velocity=[64] * 2, track=[0] * 2)
    sheet = HarmonySheet(coarse._learnt, score, Blanks((Region(0, 0, 480),)), None, weigh=True)
    chain, kept, inputs, keys = sheet.harmony(None)
    part, role = next(sheet.parts(sheet.kept))
    struck = part.standing.copy()
    struck[0] = True
    _, (new,) = part.weigh_pitches(sheet.learnt.habits(role), struck, sheet.given(part), keys)
    free = both = 0.0
    for first, second in itertools.product(range(STATES), repeat=2):
        path = chain.start[first] * chain.moves[inputs[1], first, second] * np.exp(kept[0, first] + kept[1, second])
        free += path
        both += path * pitch_chances(sheet.learnt.weights, new.seen, new.legal, first)[60]
    found = coarse.log_prob(score, Blanks((Region(0, 0, 480),))).parts["pitch"]
    assert found == pytest.approx(np.log(both / free), abs=1e-8)


def test_written_chords_are_the_states():
    score = frame(end=4 * 480, meters=(Meter(0, 4, 4),),
                  chords=(Chord(0, "C"), Chord(480, "Am7"), Chord(960, "N"), Chord(1440, "Bdim/D")))
    page = PageGrid(score, 12)
    states = chord_states(page, score.chords, np.zeros(4, np.int64))
    assert [chord_name(int(s)) if s >= 0 else "N" for s in states] == ["C", "Am7", "N", "Bdim"]
    moved = chord_states(page, score.chords, np.full(4, 9))
    assert [chord_name(int(s), 9, "minor") for s in moved if s >= 0] == ["C", "Am7", "Bdim"]


def test_a_melody_gets_the_chords_that_hold_its_notes(model):
    """With notes of one triad kept in every bar, the harmony drawn under them mostly has them as tones."""
    triads = [(60, 64, 67), (65, 69, 72), (67, 71, 74), (60, 64, 67)]
    rows = [(b * 1920 + k * 480, 480, p, 70, 0) for b, t in enumerate(triads) for k, p in enumerate((*t, t[0]))]
    melody = Score.from_rows(rows, tracks=(Track("flute", 73),), keys=(Key(0, 0),))
    result = generate.generate(Request(verb="harmonize", tracks=("piano",), seed=3), model, source=melody)[0]
    score = result.score
    inside = [int(score.pitch[i]) % 12 in {p % 12 for p in triads[int(score.onset[i]) // 1920]}
              for i in np.flatnonzero(result.new)]
    assert len(inside) > 4
    assert np.mean(inside) > 0.5


# --- the pieces it is made of ----------------------------------------------------------------------------------------


def test_places_of_a_page():
    page = PageGrid(song(1, bars=3, meter=(3, 4)), 4)
    assert page.steps == 36
    assert page.beats == 9
    assert page.place.tolist() == [0, 2, 2] * 3
    assert page.section.tolist() == [0] * 3 + [5] * 3 + [6] * 3
    assert page.strength[:12].tolist() == [0, 3, 2, 3, 1, 3, 2, 3, 1, 3, 2, 3]
    assert page.ago[:13].tolist() == [-1] * 12 + [0]
    assert page.beat_ago[:6].tolist() == [-1] * 4 + [0, 1]
    slow = PageGrid(frame(end=2880, meters=(Meter(0, 6, 8),)), 12)
    assert slow.beats == 4
    assert slow.slot.max() == 12 + 17


def test_roles():
    tracks = [Track("a"), Track("b"), Track("c"), Track("kit", 0, True)]
    rows = [(480 * i, 480, p, 80, t) for i in range(10) for t, p in ((0, 72), (1, 62), (2, 40), (3, 36))]
    rows += [(480 * i, 480, 65, 80, 1) for i in range(10)]
    notes, _ = notes_on(Score.from_rows(rows, tracks=tuple(tracks)), 12)
    assert roles_of(tracks, notes) == [LEAD, SUPPORT, BASS, DRUMS]
    none = notes.where(np.zeros(len(notes.onset), bool))
    voices = [Track("Soprano", 52), Track("Alto", 52), Track("Bass", 52)]
    assert roles_of(voices, none) == [LEAD, INNER, BASS]


def test_the_gradient_of_the_pitches_is_the_slope_of_their_likelihood():
    rng = np.random.default_rng(1)
    weights = Weights(*(rng.normal(size=w.shape) * 0.3 for w in Weights.none()))
    seen = Seen([0, 3], [6, 64], 5, 7, 2, 40, 90)
    lesson = Lesson(np.array([seen.rows]), np.array([seen.refs]), np.array([5]), np.array([7]), np.array([2]),
                    np.array([40]), np.array([90]), np.array([67]), np.array([11]))
    legal = np.zeros(128, bool)
    legal[41:90] = True

    def nats(w):
        return np.log(pitch_chances(w, seen, legal, 11)[67])

    assert log_chances(weights, seen, legal, 67)[11] == pytest.approx(nats(weights))
    assert pitch_chances(weights, seen, legal, 11).sum() == pytest.approx(1)
    for table, slope, cells in zip(range(3), _slopes(weights, lesson, np.array([0])),
                                   ([(0, 128 - 6 + 67), (3, 128 + 3)], [(5, 0), (5, 3)], [(2, 1, 10), (2, 1, 0)]),
                                   strict=True):
        for cell in cells:
            up = [w.copy() for w in weights]
            up[table][cell] += 1e-5
            assert slope[cell] == pytest.approx((nats(Weights(*up)) - nats(weights)) / 1e-5, abs=1e-4)


def test_patterns_are_found_again_and_can_be_read():
    """Two patterns that take turns become two states that do."""
    page = PageGrid(frame(end=40 * 480, meters=(Meter(0, 4, 4),)), 4)
    struck = np.zeros(page.steps, bool)
    struck[0::8] = True                                         # x...
    struck[4::8] = struck[6::8] = True                          # x.x.
    none = np.zeros(0, np.int64)
    cells = cells_of(page, np.arange(page.steps), struck, ago_of(page, struck, np.ones(page.steps, bool)) * 0,
                     np.zeros(page.steps, bool), none, none.astype(bool), none)
    learnt = learn_patterns(BeatRows(cells, entries_of(page), [page.beats]), 2, 4, 8)
    names = {pattern_name(learnt, s, 4): s for s in range(2)}
    assert set(names) == {"x---", "x-x-"}
    one, two = names["x---"], names["x-x-"]
    assert learnt.chain.moves[1, one, two] > 0.8
    assert learnt.chain.moves[1, two, one] > 0.8


def test_chances_of_what_is_not_hidden_sum_to_one():
    for role in (LEAD, DRUMS):
        habits = Habits(Details.none(12), role, 12)
        assert habits.size(3, 2, 1, 1, SIZES).sum() == pytest.approx(1)
        assert np.flatnonzero(habits.size(0, 0, 0, 2, 3)).tolist() == [1, 2]
        assert habits.velocity(60, 2).sum() == pytest.approx(1)
        for gap, most, before in ((1, 2, None), (12, 12, None), (6, 300, 3), (96, 97, 96)):
            found = habits.detached(gap, most, before)
            assert found.sum() == pytest.approx(1)
            assert found[gap] == found[0] == 0
            assert len(found) == most + 1


def test_two_hands_become_one_track_again():
    around = frame(tracks=(Track("piano"), Track("flute", 73)), end=1920)
    apart, blanks, back, hands = two_hands(around, Blanks.everything(around))
    assert [t.name for t in apart.tracks] == ["piano", "piano", "flute"]
    assert hands == [(0, 1)]
    assert len(blanks.regions) == 3
    new = apart.with_rows([(0, 480, 60, 80, 0), (0, 960, 60, 70, 1), (240, 240, 60, 70, 0), (0, 480, 72, 80, 2)])
    assert hands_joined(new, back, around).notes()[:, [0, 1, 2, 4]].tolist() == [[0, 240, 60, 0], [0, 480, 72, 1],
                                                                         [240, 240, 60, 0]]
    assert two_hands(around.with_rows([(0, 480, 60, 80, 0)]), Blanks((Region(1, 0, 1920),))) is None
    several = frame(tracks=(Track("piano 1"), Track("piano 2")))
    assert two_hands(several, Blanks.everything(several)) is None


def test_parallels_with_any_part_are_known():
    page = PageGrid(frame(), 1)
    others = Score.from_rows([(0, 480, 48, 80, 0), (480, 480, 50, 80, 0), (0, 480, 53, 80, 1), (480, 480, 52, 80, 1)],
                             tracks=(Track("a"), Track("b")), end=960)
    line = ChordLine(page, LEAD, 73, Surroundings(page, notes_on(others, 1)[0]), [0, 1], page.keys((0, 0)))
    assert line.parallels(0, 0) == []
    line.stand(0, [60])
    assert line.parallels(1, 0) == [62, 59]                 # an octave over the first part, a fifth over the second
    even = tasteful(np.ones(128), Seen([], [], 0, 0, 0, -1, 128), [62, 59])
    assert np.flatnonzero(even < 1).tolist() == [59, 62]


def test_drums_stay_with_their_groove():
    page = PageGrid(frame(end=10 * 1920, meters=(Meter(0, 4, 4),)), 4)
    rows = np.array([(16 * bar + k, 36 + bar, 3, 80) for bar in range(10) for k in (0, 8, 15)])
    made = steadied(page, rows)
    sounds = [sorted(set(made[made[:, 0] // 16 == bar, 1].tolist())) for bar in range(10)]
    assert sounds == [[36], [36], [36], [39], [36], [36], [36], [43], [44], [45]]
    assert made[made[:, 0] == 15, 2].tolist() == [1]


# --- what is told ----------------------------------------------------------------------------------------------------


def test_the_tables_are_named_and_musical(model):
    tables = {table.name: table for table in model.tables()}
    assert "C" in tables["chords in major, inside a bar"].rows
    classes = tables["classes"]
    assert classes.rows == tuple(name or "major" for name, _ in QUALITIES)
    assert classes.values[0][classes.columns.index("3")] > classes.values[0][classes.columns.index("b3")]
    patterns = [table for name, table in tables.items() if re.fullmatch("patterns of the [^,]*", name)]
    assert patterns
    for table in patterns:
        assert len(table.rows) <= SMALL["states"]
        assert all(set(name.split(": ")[1].split()[0]) <= set("xo-.") for name in table.rows)


def test_a_note_is_explained_by_its_chord_and_its_line(model):
    score = song(5)
    told = model.explain(score, 4)
    assert "in the" in told.text
    assert " over " in told.text
    assert 0 < told.probability <= 1
    assert len(told.alternatives) == 4
    assert model.explain(score, 10_000) is None
    kit = Score.from_rows([(240 * i, 60, (36, 42)[i % 2], 90, 0) for i in range(16)], tracks=(Track("kit", 0, True),))
    drum = Hmm(**SMALL).fit([Piece(kit, "kit")]).explain(kit, 1)
    assert "drums" in drum.text
    assert "over" not in drum.text


def test_what_was_learnt_comes_back(model):
    values, arrays = model.state()
    again = Hmm(**SMALL).restore(json.loads(json.dumps(values)), arrays)
    score = song(12)
    assert again.log_prob(score).nats == pytest.approx(model.log_prob(score).nats, rel=1e-5)
    twice, more = again.state()
    assert twice == values
    assert all(np.array_equal(more[name], array) for name, array in arrays.items())


def test_no_key_is_a_sum_over_all_keys(model):
    """Transposed music without a key written is as likely up to how often its key was seen."""
    score = song(3, bars=4, tracks=1).replace(keys=())
    total = model.log_prob(score).parts["pitch"]
    each = [model.log_prob(score.replace(keys=(Key(0, fifths, mode),))).parts["pitch"]
            for fifths in range(-5, 7) for mode in ("major", "minor")]
    assert max(each) - 8 < total < max(each)


# --- what cannot be --------------------------------------------------------------------------------------------------


def test_bad_input_is_refused_in_words(model):
    with pytest.raises(ModelError, match="at least one piece"):
        Hmm().fit([])
    with pytest.raises(ModelError, match="at least one piece"):
        Hmm().fit([Piece(Score(end=480), "empty")])
    with pytest.raises(ModelError, match="all its pieces at once"):
        Hmm().fit(small_corpus(), start=model)
    with pytest.raises(ModelError, match=r"states must lie in 1\.\.200"):
        Hmm(states=0)
    with pytest.raises(ModelError, match="must be fitted"):
        Hmm().log_prob(song(1))
    with pytest.raises(ModelError, match="must be fitted"):
        Hmm().fill(song(1), Blanks(), Request(), [generator(1)])


@pytest.mark.parametrize("rows", [
    [(0, 480, 60, 80, 0)],                                                                     # one note
    [(480 * i, 480, 60, 80, 0) for i in range(12)],                                           # one pitch for ever
    [(0, 480, p, 80, 0) for p in range(40, 80)],                                              # forty at once
    [(480 * i, 480, 40 + t, 80, t) for i in range(10) for t in range(20)],                    # twenty voices
])
def test_odd_corpora_still_compose(rows):
    tracks = max(row[4] for row in rows) + 1
    piece = Score.from_rows(rows, tracks=tuple(Track(f"v{t}", 48) for t in range(tracks)))
    found = Hmm(states=40, batches=20, rounds=2).fit([Piece(piece, "odd")])
    assert np.isfinite(found.log_prob(piece).nats)
    for tracks in (("piano",), ("violin", "drums")):
        result = generate.generate(Request(bars=2, tracks=tracks, seed=1, tries=1), found)[0]
        assert result.score.n_bars == 2


def test_a_model_without_drums_writes_a_plain_beat_and_says_so():
    tune = Score(onset=np.arange(32) * 240, duration=[240] * 32, pitch=[60, 62, 64, 65, 67, 65, 64, 62] * 4,
                 velocity=[80] * 32, track=[0] * 32)
    learnt = Hmm(**SMALL).fit([Piece(tune, "tune")])
    page = Score(end=2 * 1920, tracks=(Track("flute", 73), Track("kit", 0, True)))
    blanks, request = Blanks.everything(page), Request(top_p=0.9)
    new, = learnt.fill(page, blanks, request, [generator(1)])
    drums = [(onset, pitch) for onset, _, pitch, _, track in new.notes().tolist() if track == 1]
    hats = [(bar * 1920 + step, 42) for bar in range(2) for step in range(0, 1920, 240)]
    beats = [(beat * 480, (36, 38)[beat % 2]) for beat in range(8)]
    assert sorted(drums) == sorted(hats + beats)
    assert "without drums" in learnt.remarks(page, blanks, request)[0]
    alone = Score(end=1920, tracks=(Track("flute", 73),))
    assert learnt.remarks(alone, Blanks.everything(alone), request) == ()


def test_a_plain_beat_writes_only_what_is_legal():
    page = PageGrid(Score(end=1440, meters=(Meter(0, 3, 4),)), 12)
    hats = np.arange(128) == 42
    assert plain_beat(page, dict.fromkeys(range(24), hats))[:, :2].tolist() == [[0, 42], [6, 42], [12, 42], [18, 42]]
    dotted = PageGrid(Score(end=1440, meters=(Meter(0, 6, 8),)), 12)
    assert plain_beat(dotted, dict.fromkeys(range(36), hats))[:, 0].tolist() == [0, 6, 12, 18, 24, 30]


# --- taste ---------------------------------------------------------------------------------------------------------


def test_a_sharpened_chain_stays_as_long_as_it_learnt_to_and_leaves_for_what_is_likely():
    rng = np.random.default_rng(5)
    moves = rng.dirichlet(np.full(6, 0.5), (3, 6))
    moves[:, 0] = 0.95 * np.eye(6)[0] + 0.05 * moves[:, 0]
    found = Taste(0.7, 0.8).sharpened(Chain(np.full(6, 1 / 6), moves)).moves
    np.testing.assert_allclose(found.sum(axis=2), 1)
    np.testing.assert_allclose(np.diagonal(found, axis1=1, axis2=2), np.diagonal(moves, axis1=1, axis2=2))
    for table in range(3):
        for state in range(6):
            away = np.delete(moves[table, state], state) ** (1 / 0.7)
            away /= away.sum()
            order = np.sort(away)[::-1]
            kept = away >= order[min(int((np.cumsum(order) < 0.8).sum()), 4)]
            wanted = np.where(kept, away, away * 1e-6)
            wanted *= (1 - moves[table, state, state]) / wanted.sum()
            np.testing.assert_allclose(np.delete(found[table, state], state), wanted, atol=1e-12)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_voices_sing_one_note_at_a_time_do_not_cross_and_come_to_rest(model, seed):
    made = generate.generate(Request(verb="compose", bars=8, seed=seed, key="C major", top_p=0.92, meter="4/4",
                                     tracks=("soprano", "alto", "tenor", "bass voice")), model)[0].score
    last = int(made.bar_starts[-2])
    for track in range(4):
        own = made.select(made.track == track)
        assert len(np.unique(own.onset)) == len(own)
        assert (own.onset[1:] >= own.offset[:-1]).all()
        assert own.onset[own.onset >= last].tolist() == [last]
        assert int(own.offset.max()) == made.end
    final = made.select(made.onset == last)
    assert set((final.pitch % 12).tolist()) <= {0, 4, 7}
    assert int(final.pitch[final.track == 3][0]) % 12 == 0
    crossed = total = 0
    for note in made.notes().tolist():
        for other in made.notes().tolist():
            if other[4] < note[4] and other[0] <= note[0] < other[0] + other[1]:
                total += 1
                crossed += other[2] < note[2]
    assert total > 8
    assert crossed <= 0.1 * total           # where nothing else is left
