"""The n-gram engine: proper distributions, and draws between pins that agree with enumeration."""

import itertools

import numpy as np
import pytest

from partimento.counting import spool
from partimento.counting.mixture import Mixture, View
from partimento.errors import ModelError
from partimento.models.markov.line import Line
from partimento.sampling import generator

SIZE, LENGTH = 4, 5
VIEWS = [View(("h1", "place", "h2", "h3")), View(("place", "bass-h1", "h1", "h1-h2", "h2-h3")),
         View(("h1-h2", "bass"), True),
         View(("bass", "place"))]


BLIND = [View(("bass", "place")), View(("place",))]       # to the line's own past


def corpus(seed=0, rows=600):
    rng = np.random.default_rng(seed)
    bass = rng.integers(0, 3, rows)
    song = [0]
    for i in range(1, rows):
        song.append(int((song[-1] + rng.choice([0, 1, 1, 2]) + (bass[i] == 2)) % SIZE))
    song = np.array(song)
    place = np.arange(rows) % 3
    history = np.stack([np.concatenate([np.full(j, -1), song[:-j]]) for j in (1, 2, 3)], axis=1)
    return {"bass": bass, "place": place}, history, song


@pytest.fixture(scope="module", params=[0, 1, 2])
def mixture(request):
    outside, history, song = corpus()
    model = Mixture(VIEWS if request.param else BLIND, SIZE, near=request.param)
    model.fit(outside, history, song, groups=np.arange(len(song)) % 2, held_out=np.arange(len(song)) % 7 == 0)
    return model


def line(mixture, **settings):
    outside = {"bass": np.array([2, 0, 1, 1, 2]), "place": np.arange(LENGTH) % 3}
    return Line(mixture, outside, np.arange(LENGTH) % 2, before=(1, 0), **settings)


def masks(seed):
    rng = np.random.default_rng(seed)
    legal = rng.random((LENGTH, SIZE)) < 0.8
    legal[:, 2] = True
    allowed = np.ones((LENGTH, SIZE), bool)
    allowed[3] = np.arange(SIZE) == 2
    allowed[1] = legal[1] & (np.arange(SIZE) >= 1)
    return legal, allowed


def test_every_distribution_sums_to_one(mixture):
    outside, history, _ = corpus(seed=5, rows=300)
    rows = mixture.rows(outside, history, np.zeros(300, int))
    assert np.allclose(rows.sum(axis=1), 1)
    assert rows.min() > 0


def test_one_place_equals_many(mixture):
    piece = line(mixture)
    history = (2, 1, 0)
    one = mixture.one(piece.at(3, history, {}), history, 1)
    many = mixture.rows({"bass": np.array([1]), "place": np.array([0])}, np.array([history]), np.array([1]))
    assert np.allclose(one, many[0], rtol=1e-12)


def test_more_data_in_a_context_lowers_the_share_of_the_shorter_one():
    history = np.array([[0]] * 50 + [[1]] * 2)
    model = Mixture([View(("h1",))], 3)
    model.fit({}, history, np.array([1] * 50 + [2] * 2))
    chance = model.rows({}, np.array([[0], [1]]), np.zeros(2, int))
    assert chance[0, 1] > 0.95
    assert 0.4 < chance[1, 2] < 0.9


def test_weights_go_to_the_view_that_knows():
    rng = np.random.default_rng(1)
    bass = rng.integers(0, 4, 2000)
    model = Mixture([View(("noise",)), View(("bass",))], 4)
    model.fit({"noise": rng.integers(0, 4, 2000), "bass": bass}, np.zeros((2000, 1), int), bass,
              held_out=np.arange(2000) % 5 == 0)
    assert model.weights[0, 0, 1] > 0.95


@pytest.mark.parametrize("seed", [None, 2])
def test_a_line_sums_to_one_over_everything(mixture, seed):
    legal, allowed = masks(seed) if seed is not None else (None, None)
    for conditions in ({}, {"legal": legal}, {"legal": legal, "allowed": allowed}, {"allowed": allowed}):
        piece = line(mixture, **conditions)
        total = sum(np.exp(piece.log_prob(s)) for s in itertools.product(range(SIZE), repeat=LENGTH))
        assert total == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_chance_of_the_pins_is_the_sum_over_all_lines_that_meet_them(mixture, seed):
    legal, allowed = masks(seed)
    everything = np.ones_like(allowed)          # looks as far back as a bound line does
    free, pinned = line(mixture, legal=legal, allowed=everything), line(mixture, legal=legal, allowed=allowed)
    total = sum(np.exp(free.log_prob(s)) for s in itertools.product(range(SIZE), repeat=LENGTH)
                if all(allowed[i, x] for i, x in enumerate(s)))
    assert np.exp(pinned.log_chance()) == pytest.approx(total, rel=1e-9)
    assert 0 < total < 1


def test_draws_between_pins_follow_the_exact_conditional(mixture):
    legal, allowed = masks(2)
    piece = line(mixture, legal=legal, allowed=allowed)
    every = {s: np.exp(piece.log_prob(s)) for s in itertools.product(range(SIZE), repeat=LENGTH)}
    rng = generator(3)
    count = 4000
    drawn = [tuple(piece.draw(rng)) for _ in range(count)]
    assert all(every[s] > 0 for s in drawn)
    seen = np.array([drawn.count(s) for s in every if every[s] > 0])
    expected = count * np.array([p for p in every.values() if p > 0])
    likely = expected >= 5
    chi = ((seen - expected)[likely] ** 2 / expected[likely]).sum()
    assert chi < likely.sum() + 5 * np.sqrt(2 * likely.sum())


JUMP = np.array([4, 1, 2, 3])  # symbol 0: nothing within 4 places
PLACES = 9


def all_walks(start, places, jump):
    if start >= places:
        yield ()
        return
    for symbol in range(len(jump)):
        for rest in all_walks(start + jump[symbol], places, jump):
            yield (symbol, *rest)


def jumping(mixture, must=(), never=()):
    outside = {"bass": np.arange(PLACES) % 3, "place": np.arange(PLACES) % 3}
    allowed = np.ones((PLACES, SIZE), bool)
    for place in range(PLACES):
        for symbol, step in enumerate(JUMP):
            target = place + step
            silent = symbol == 0
            skipped = any(place < m < target or (m == target and silent) for m in must)
            allowed[place, symbol] = not skipped and (silent or target not in never)
    return Line(mixture, outside, np.zeros(PLACES, int), before=(2, 1), jump=JUMP,
                allowed=allowed if must or never else None)


def as_events(walk):
    """The onsets that a walk makes: all endings are one."""
    place, out = 0, []
    for symbol in walk:
        place += JUMP[symbol]
        out.append((symbol, place) if place < PLACES else "end")
    return tuple(out)


@pytest.mark.parametrize("conditions", [{}, {"must": (5,)}, {"must": (3, 7), "never": (4,)}, {"never": (1, 2, 8)}])
def test_jumping_lines_sum_to_one_and_meet_their_places(mixture, conditions):
    piece = jumping(mixture, **conditions)
    chances = {as_events(w): piece.log_prob(w) for w in all_walks(0, PLACES, JUMP)}
    assert sum(np.exp(v) for v in chances.values()) == pytest.approx(1, abs=1e-9)
    rng = generator(4)
    for _ in range(50):
        events = as_events(piece.draw(rng))
        onsets = [e[1] for e in events if e != "end" and e[0] != 0]
        assert set(conditions.get("must", ())) <= set(onsets)
        assert not set(conditions.get("never", ())) & set(onsets)


def test_no_way_through_is_one_clear_sentence(mixture):
    legal = np.ones((LENGTH, SIZE), bool)
    legal[3, 2] = False
    allowed = np.ones((LENGTH, SIZE), bool)
    allowed[3] = np.arange(SIZE) == 2
    with pytest.raises(ModelError, match="no way"):
        line(mixture, legal=legal, allowed=allowed).draw(generator(0))


def test_saved_and_restored_is_the_same(mixture):
    again = Mixture(mixture.views, SIZE, near=mixture.near)
    again.restore(mixture.state())
    outside, history, _ = corpus(seed=9, rows=50)
    groups = np.arange(50) % 2
    assert np.array_equal(again.rows(outside, history, groups), mixture.rows(outside, history, groups))


def test_pruning_drops_long_contexts_and_stays_proper():
    outside, history, song = corpus()
    sizes = []
    for prune in (1, 4):
        model = Mixture(VIEWS, SIZE, prune=prune)
        model.fit(outside, history, song)
        assert np.allclose(model.rows(outside, history, np.zeros(len(song), int)).sum(axis=1), 1)
        sizes.append(sum(a.nbytes for a in model.state().values()))
    assert sizes[1] < 0.8 * sizes[0]


def test_a_column_that_means_nothing_is_refused():
    with pytest.raises(ModelError, match="bass-tenor"):
        Mixture([View(("bass-tenor",))], 4)
    with pytest.raises(ModelError, match="order"):
        Mixture([View(tuple(f"h{i}" for i in range(1, 9)))], 200)


# --- bounded memory ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("room", [0, 40_000, 1 << 30])
def test_a_spool_gives_back_what_it_took_from_memory_or_file(room, monkeypatch):
    monkeypatch.setattr(spool, "BLOCK", 500)
    rng = np.random.default_rng(0)
    table = rng.integers(-300, 300, (3, 5000)).astype(np.int16)
    kept = spool.Spool(["a", "b", "c"], in_memory=room)
    for part in np.split(table, [10, 11, 700, 2400, 4999], axis=1):
        kept.add(dict(zip("abc", part, strict=True)))
    for name, column in zip("abc", table, strict=True):
        assert (kept[name] == column).all()
    assert bool(kept._file) is (room < 30_000)
    kept.clear()
    assert kept.rows == 0
    assert len(kept["a"]) == 0


def test_of_too_many_contexts_the_rarest_go():
    rng = np.random.default_rng(1)
    song = rng.integers(0, 20, 4000)
    before = np.stack([np.append([-1], song[:-1]), np.append([-1, -1], song[:-2])], axis=1)
    views = [View(("h1", "h2"))]
    all_of_it, bound = Mixture(views, 20), Mixture(views, 20, most=150)
    for mixture in (all_of_it, bound):
        mixture.fit({}, before, song)
    assert len(all_of_it.levels[2].key) > 390
    assert 0 < len(bound.levels[2].key) <= 150
    assert len(bound.levels[1].key) == len(all_of_it.levels[1].key)
    sums = bound.rows({}, before[:50], np.zeros(50, int)).sum(axis=1)
    assert sums == pytest.approx(1)
