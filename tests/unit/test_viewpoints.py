"""Products of viewpoints: the pool and its powers, the short-term model, threads, lines that must meet pins."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from partimento import checkpoint, generate
from partimento.counting.blend import FOLDS, Blend
from partimento.counting.loglinear import LEAN, LEAN_APART, even, fit_powers, lowest, pooled
from partimento.counting.memory import echoes
from partimento.counting.mixture import View
from partimento.counting.shortterm import ShortTerm
from partimento.models.base import Piece
from partimento.models.markov import Markov, joint, taste
from partimento.models.markov.joint import Joint
from partimento.models.markov.pens import Weighing
from partimento.models.markov.sheet import Frame
from partimento.models.markov.threads import thread_columns
from partimento.models.markov.write import Page
from partimento.request import Blanks, Region, Request
from partimento.sampling import generator
from partimento.score import Mark, Meter, Score, Track
from partimento.testing.music import small_corpus, song

# --- the pool and its powers -----------------------------------------------------------------------------------------


def experts_of(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Logs of three experts over four symbols, their trust (2 kinds), groups (2) and what came: the first knows."""
    rng = np.random.default_rng(seed)
    chances = rng.random((rows, 3, 4)) + 0.05
    chances /= chances.sum(axis=2, keepdims=True)
    came = np.array([rng.choice(4, p=p) for p in chances[:, 0] ** 2 / (chances[:, 0] ** 2).sum(1, keepdims=True)])
    return np.log(chances).astype(np.float32), rng.integers(0, 2, (rows, 3)), rng.integers(0, 2, rows), came


def test_a_pool_is_the_scaled_product_of_powers() -> None:
    logs, *_ = experts_of(5)
    powers = np.array([[0.5, 1.0, -0.2]] * 5)
    wanted = np.exp(logs[:, 0] * 0.5 + logs[:, 1] - 0.2 * logs[:, 2])
    wanted /= wanted.sum(axis=1, keepdims=True)
    assert np.exp(pooled(logs, powers)) == pytest.approx(wanted, rel=1e-5)


def test_the_powers_learnt_are_where_the_penalised_likelihood_is_flat() -> None:
    logs, trust, groups, came = experts_of(300)
    found = fit_powers(logs, trust, groups, came, trusts=2)

    def cost(numbers: np.ndarray) -> float:
        total = 0.0
        alone, by_trust, by_group = numbers[:3], numbers[3:9].reshape(3, 2), numbers[9:].reshape(2, 3)
        for row in range(len(came)):
            powers = [alone[v] + by_trust[v, trust[row, v]] + by_group[groups[row], v] for v in range(3)]
            score = sum(power * logs[row, v].astype(float) for v, power in enumerate(powers))
            total -= score[came[row]] - np.log(np.exp(score).sum())
        return total + LEAN * ((alone - 0.5) ** 2).sum() + LEAN_APART * ((by_trust ** 2).sum() + (by_group ** 2).sum())

    best = np.concatenate([found.alone, found.trust.ravel(), found.group.ravel()])
    assert best[0] > 1.5 > 0.3 > abs(best[1:3]).max()                    # the first expert is to be squared
    for i in range(len(best)):
        off = np.zeros(len(best))
        off[i] = 0.05
        assert cost(best) < min(cost(best + off), cost(best - off))


def test_lowest_finds_the_floor_of_a_bent_valley() -> None:
    slope = np.array([[3.0, 1.0], [1.0, 40.0]])
    found = lowest(lambda x: (float(x @ slope @ x) / 2 - x.sum(), slope @ x - 1), np.array([9.0, -9.0]))
    assert found == pytest.approx(np.linalg.solve(slope, np.ones(2)), abs=1e-3)


# --- the short-term model --------------------------------------------------------------------------------------------


def test_the_short_term_model_is_what_ten_lines_count() -> None:
    song_now, size, discount, strength = [0, 1, 2, 0, 1, 0, 1, 2, 2], 3, 0.5, 0.5

    def chance(past: list[int], symbol: int) -> float:
        out, before = 1 / 32, [-1, *past[:-1]]
        for context in ((), (past[-1],)):
            seen = [s for b, s in zip(before, past, strict=True) if context == (b,)] if context else [
                s for _, s in sorted(set(zip(before, past, strict=True)))]
            if not seen:
                break
            out = (max(seen.count(symbol) - discount, 0) + (strength + discount * len(set(seen))) * out) / (
                len(seen) + strength)
        return out

    recent = ShortTerm([View(("h1",))], size)
    for i, symbol in enumerate(song_now):
        last = song_now[i - 1] if i else -1
        if i:
            found, _ = recent.ask(np.array([[last]]), last)
            assert found[0] == pytest.approx([chance(song_now[:i], s) for s in range(size)])
        recent.tell(np.array([[last]]), symbol, last)


def test_intervals_in_the_short_term_are_told_from_the_last_symbol() -> None:
    recent = ShortTerm([View(("h1-h2",), relative=True)], 12)
    for i, symbol in enumerate((2, 4, 6)):
        recent.tell(np.array([[2 if i > 1 else 16384]]), symbol, (-1, 2, 4)[i])
    found, trust = recent.ask(np.array([[2]]), 6)
    assert (int(found[0].argmax()), int(trust[0])) == (8, 4)


def test_a_note_said_over_and_over_counts_as_said_twice() -> None:
    found = []
    for line in ([4, 0, 0, 1], [4, 0, 0, 0, 0, 0, 1]):
        recent = ShortTerm([View(("h1",))], 5)
        for last, symbol in itertools.pairwise([-1, *line]):
            recent.tell(np.array([[last]]), symbol, last)
        found.append(recent.ask(np.array([[0]]), 0))
    assert np.array_equal(found[0][0], found[1][0])
    assert np.array_equal(found[0][1], found[1][1])
    assert found[1][0][0, 1] > 0.25


# --- threads -----------------------------------------------------------------------------------------------------


def chorale() -> Score:
    """Two bars of 3/4 after a pick-up of a quarter, a fermata on the fourth note."""
    rows = [(0, 480, 67, 80, 0), (480, 480, 72, 80, 0), (960, 240, 74, 80, 0), (1200, 720, 76, 80, 0),
            (1920, 480, 74, 80, 0), (2400, 960, 72, 80, 0)]
    return Score.from_rows(rows, end=3360, meters=(Meter(0, 3, 4), Meter(480, 3, 4)), tracks=(Track("melody", 73),),
                           marks=(Mark(1200, "fermata"),))


def test_threads_lead_where_a_hand_says() -> None:
    score = chorale()
    found = thread_columns(Frame(score, 12), score.onset * 12 // 480)
    wanted = {
        "ofpiece": [-1, 0, 0, 0, 0, 0], "ofphrase": [-1, 0, 0, 0, -1, 4], "ofbar": [-1, -1, 1, 1, -1, 4],
        "strong1": [-1, 0, 1, 2, 2, 4], "strong2": [-1, -1, 0, 1, 1, 2], "downbeat": [-1, -1, 1, 1, 1, 4],
        "ending": [-1, -1, -1, -1, 3, 3], "entry": [-1, 0, 0, 0, 0, 4], "edge": [2, 0, 0, 1, 2, 0],
        "since": [0, 1, 2, 3, 0, 1], "until": [3, 2, 1, 0, 9, 9], "phrases": [0, 0, 0, 0, 1, 1],
    }
    assert {name: column.tolist() for name, column in found.items()} == wanted


# --- lines -----------------------------------------------------------------------------------------------------------

VIEWS = [View(("part", "h1", "h2")), View(("part", "spot", "h1")), View(("part", "ofpiece", "h1")),
         View(("part", "match", "echo"))]
RECENT = [View(("h1", "h2")), View(("h1-h2",), relative=True)]


def tiny(size: int = 3, seed: int = 4) -> Blend:
    """A blend over few symbols, its powers learnt on 40 short lines that like to go up."""
    rng = np.random.default_rng(seed)
    lines = []
    for _ in range(40):
        line = [int(rng.integers(size))]
        for _ in range(7):
            line.append((line[-1] + int(rng.choice([1, 1, 1, 0, 2]))) % size if rng.random() < 0.8 else line[0])
        lines.append(line)
    model = Blend(VIEWS, RECENT, size, near=2)
    every = np.array(lines)
    n = every.size
    history = np.stack([np.concatenate([np.append([-1] * lag, line)[:8] for line in lines]) for lag in
                        range(1, model.order + 1)], axis=1)
    memory = [echoes(line) for line in every]
    outside = {"part": np.zeros(n, int), "spot": np.tile(np.arange(8) % 2, 40),
               "ofpiece": np.concatenate([np.append(-1, [line[0]] * 7) for line in lines]),
               "echo": np.concatenate([m[0] for m in memory]), "match": np.concatenate([m[1] for m in memory])}
    model.fit_apart(outside, history, every.ravel(), np.zeros(n, int), np.zeros(n, int),
                    np.repeat(np.arange(40) % FOLDS, 8))
    return model


def line_of(model: Blend, places: int, pins: dict[int, int], past: tuple[int, ...] = (1, 2)) -> Joint:
    """A line after a past, with pins."""
    allowed = np.ones((places, model.size), bool)
    for place, symbol in pins.items():
        allowed[place] = np.arange(model.size) == symbol
    at = np.arange(len(past) + places)
    columns = {"part": np.zeros(len(at), int), "spot": at % 2, "ofpiece": np.where(at, 0, -1),
               "group": np.zeros(len(at), int)}
    span = slice(len(past), len(at))
    line = joint.pitch_line(model, columns, span, np.array(past), np.ones((places, model.size), bool),
                            allowed if pins else None)
    assert isinstance(line, Joint)
    return line


def test_the_powers_are_learnt_and_help() -> None:
    model = tiny()
    assert model.learnt
    lines = [line_of(model, 6, {}).draw(generator(seed)) for seed in range(20)]
    product = sum(line_of(model, 6, {}).log_prob(line) for line in lines)
    model.powers = [even(model.experts, model.trusts)] * 2
    assert product > sum(line_of(model, 6, {}).log_prob(line) for line in lines)


def test_lines_weighed_at_once_are_lines_told_note_by_note(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny()
    monkeypatch.setattr(joint, "SHORT", 0)
    line, symbols = line_of(model, 7, {}), [0, 1, 2, 2, 0, 1, 1]
    said = line.said()
    total = 0.0
    for place, symbol in enumerate(symbols):
        chances, experts = said.at(place)
        assert chances.sum() == pytest.approx(1)
        assert experts.shape == (model.experts, model.size)
        total += float(np.log(chances[symbol]))
        said.tell(place, symbol)
    assert line.log_prob(symbols) == pytest.approx(total, abs=1e-5)
    every = [line_of(model, 4, {}).log_prob(way) for way in itertools.product(range(3), repeat=4)]
    assert np.exp(every).sum() == pytest.approx(1, abs=1e-5)


def test_candidates_that_have_said_the_same_are_one_and_draw_as_if_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    model, pins = tiny(), {1: 0, 4: 2, 7: 1}
    together = [(line.draw(generator(seed)), line.effective) for seed in range(8) for line in [line_of(model, 9, pins)]]
    asked = joint.Joint._stepped

    def apart(self: Joint, lines: list[joint.Telling], *more: Any) -> Any:
        return asked(self, [said.copy() for said in lines], *more)

    monkeypatch.setattr(Joint, "_stepped", apart)
    assert [(line.draw(generator(seed)), line.effective) for seed in range(8)
            for line in [line_of(model, 9, pins)]] == together


def test_a_telling_that_goes_on_changes_no_other() -> None:
    line = line_of(tiny(), 5, {})
    said = line.said([0, 1])
    other, before = said.copy(), said.at(2)[0].tolist()
    other.tell(2, 2)
    other.tell(3, 0)
    assert said.at(2)[0].tolist() == before
    assert other.at(4)[0].tolist() == line.said([0, 1, 2, 0]).at(4)[0].tolist()


def conditional(model: Blend, places: int, pins: dict[int, int]) -> dict[tuple[int, ...], float]:
    """Every line that meets the pins, and its chance given that it does, by enumeration of the unbound product."""
    free = line_of(model, places, {})
    ways = {way: np.exp(free.log_prob(way)) for way in itertools.product(range(model.size), repeat=places)
            if all(way[place] == symbol for place, symbol in pins.items())}
    total = sum(ways.values())
    return {way: chance / total for way, chance in ways.items()}


def test_the_chance_of_pins_is_counted_or_estimated(monkeypatch: pytest.MonkeyPatch) -> None:
    model, pins = tiny(), {2: 0, 4: 1}
    free = line_of(model, 5, {})
    exact = np.log(sum(np.exp(free.log_prob(way)) for way in itertools.product(range(3), repeat=5)
                       if way[2] == 0 and way[4] == 1))
    bound = line_of(model, 5, pins)
    assert bound.log_chance() == pytest.approx(exact, abs=1e-5)
    for way, chance in conditional(model, 5, pins).items():
        assert bound.log_prob(way) == pytest.approx(np.log(chance), abs=1e-4)
    assert bound.log_prob([0, 0, 1, 0, 1]) == -np.inf
    monkeypatch.setattr(joint, "COUNTED", 0)
    monkeypatch.setattr(joint, "ESTIMATED", 400)
    assert bound.log_chance() == pytest.approx(exact, abs=0.05)
    assert bound.log_chance() == bound.log_chance()


def distance(model: Blend, pins: dict[int, int], draws: int) -> tuple[float, list[float]]:
    """Total variation between lines drawn and the exact conditional, and the effective sample sizes."""
    wanted = conditional(model, 3, pins)
    counts = dict.fromkeys(wanted, 0)
    sizes = []
    for seed in range(draws):
        line = line_of(model, 3, pins)
        counts[tuple(line.draw(generator(seed)))] += 1      # a line that breaks a pin is no key
        sizes.append(line.effective)
    return sum(abs(counts[way] / draws - chance) for way, chance in wanted.items()) / 2, sizes


def test_lines_that_meet_pins_come_as_often_as_enumeration_says(monkeypatch: pytest.MonkeyPatch) -> None:
    model, pins = tiny(), {2: 2}
    model.weights = model.weights[:, :, ::-1].copy()        # a poor lead, so that there is something to make up for
    far, sizes = distance(model, pins, 400)
    assert far < 0.08, far
    assert all(1 <= size <= joint.CANDIDATES for size in sizes)
    assert np.mean(sizes) > 4
    assert min(sizes) < joint.CANDIDATES - 0.01
    monkeypatch.setattr(joint, "CANDIDATES", 1)
    alone, sizes = distance(model, pins, 400)
    assert sizes[0] == 1
    assert alone > far


def test_lines_drawn_anew_on_the_way_come_as_often_too(monkeypatch: pytest.MonkeyPatch) -> None:
    model, pins = tiny(), {1: 2, 2: 2}
    model.weights = model.weights[:, :, ::-1].copy()
    monkeypatch.setattr(joint, "WORN", 1.0)
    drawn = []
    evenly = joint._evenly
    monkeypatch.setattr(joint, "_evenly", lambda weight, uniform: drawn.append(evenly(weight, uniform)) or drawn[-1])
    far, sizes = distance(model, pins, 400)
    assert len(drawn) >= 400
    assert any(len(set(chosen)) < joint.CANDIDATES for chosen in drawn), "some go on twice"
    assert far < 0.08, far
    assert all(1 <= size <= joint.CANDIDATES for size in sizes)


def test_even_steps_take_each_as_often_as_its_weight_says() -> None:
    assert joint._evenly(np.array([1.0, 0.0, 3.0, 0.0]), 0.5) == [0, 2, 2, 2]
    assert joint._evenly(np.ones(4), 0.999999) == [0, 1, 2, 3]


def test_a_copy_of_what_was_told_goes_its_own_way() -> None:
    model = tiny()
    line = line_of(model, 6, {})
    said = line.said([0, 1, 2])
    other = said.copy()
    assert (other.at(3)[0] == said.at(3)[0]).all()
    other.tell(3, 2)
    other.tell(4, 2)
    said.tell(3, 0)
    for told, symbols in ((said, [0, 1, 2, 0]), (other, [0, 1, 2, 2, 2])):
        assert told.full[2:] == symbols
        assert told.at(len(symbols))[0] == pytest.approx(line.said(symbols).at(len(symbols))[0], abs=1e-12)


# --- the family ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model() -> Markov:
    return Markov(product=True, order=3).fit(small_corpus(count=12))


def test_it_learns_powers_and_comes_back_from_its_checkpoint(model: Markov, tmp_path) -> None:
    blend = model._stages["pitch"]
    assert isinstance(blend, Blend)
    assert blend.learnt
    checkpoint.save(model, tmp_path / "m.partimento", record={})
    loaded = checkpoint.load(tmp_path / "m.partimento").model
    score = song(41)
    assert loaded.log_prob(score).nats == model.log_prob(score).nats
    assert generate.generate(Request(bars=3, seed=2), loaded)[0].score == generate.generate(
        Request(bars=3, seed=2), model)[0].score


def test_unseen_music_is_likelier_than_under_the_sum(model: Markov) -> None:
    unseen = [song(seed) for seed in range(100, 106)]
    added = Markov(order=3, product=False).fit(small_corpus(count=12))
    assert sum(model.log_prob(s).parts["pitch"] for s in unseen) > sum(added.log_prob(s).parts["pitch"] for s in unseen)


def test_the_effective_sample_size_is_told_where_lines_had_to_meet_something(model: Markov) -> None:
    told = generate.generate(Request(verb="infill", place="2-3", seed=1), model, source=song(8, tracks=1))[0].notes
    assert any("effective sample size" in line for line in told), told
    told = generate.generate(Request(bars=4, seed=1, tracks=("flute",)), model)[0].notes
    assert not any("effective sample size" in line for line in told)


def test_without_ahead_the_rhythm_to_come_says_nothing() -> None:
    pieces = small_corpus(count=12)
    blind = Markov(product=True, order=3, ahead=False, given=("before",)).fit(pieces)
    seeing = Markov(product=True, order=3, given=("before",)).fit(pieces)
    score = song(50, tracks=1)
    early = len(score) // 2
    later = score.replace(onset=np.where(np.arange(len(score)) > early, score.onset - 120, score.onset))
    assert not np.array_equal(later.onset, score.onset)
    whole = [sum_first(blind, piece, early) for piece in (score, later)]
    assert whole[0] == pytest.approx(whole[1], abs=1e-9)
    whole = [sum_first(seeing, piece, early + 1) for piece in (score, later)]
    assert whole[0] != whole[1]


def sum_first(model: Markov, piece: Score, count: int) -> float:
    """The log-probability of the first pitches of a piece as its lines are weighed, whatever comes after them."""
    found = []

    class Listening(Weighing):
        def line(self, stage, line, given):
            if stage == "pitch":
                found.append(float(line()._taken(given)[:count].sum()))
            return given

    page = Page(12, piece, Blanks((Region(0, 0, piece.end, "pitch"),)), None, model._usual_roles(), weigh=True)
    page.weigh(model._stages, model._codes(), model._key(page), Listening())
    return found[0]


def test_a_sharpened_draw_welcomes_a_note_struck_again_less(model: Markov, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = Score(end=8 * 1920, tracks=(Track("flute", 73),), meters=(Meter(0, 4, 4),))

    def repeats(again: float, top_p: float) -> list[bool]:
        monkeypatch.setattr(taste, "AGAIN", again)
        made = model.fill(frame, Blanks.everything(frame), Request(top_p=top_p), [generator(seed) for seed in range(4)])
        return [bool(same) for piece in made for same in np.diff(piece.pitch) == 0]

    assert taste.anew(4)(0, (2, 1)).tolist() == [1, 0.5, 0.5, 1]
    assert taste.anew(4)(0, (2, 1, 2, 2, 0)).tolist() == [1, 0.5, 0.25, 1]       # for two at most, of the last four
    assert taste.anew(4)(0, (-1, -1)).tolist() == [1, 1, 1, 1]
    assert any(repeats(1.0, 0.95))
    assert not any(repeats(0.0, 0.95))
    assert repeats(0.0, 1.0) == repeats(1.0, 1.0), "the model itself is drawn as it was learnt"


def test_explain_says_what_spoke_for_a_note(model: Markov) -> None:
    score = song(60)
    for note in (0, 5, 12):
        reason = model.explain(score, note)
        assert reason is not None
        assert 0 < reason.probability < 1
        assert reason.alternatives
        assert "seen" in reason.seen


def test_what_is_forgotten_keeps_the_powers() -> None:
    pieces = small_corpus(count=12)
    model = Markov(product=True, order=2).fit(pieces)
    found = model.forget([pieces[3]])
    assert any("powers" in line for line in found.chosen)
    kept, before = found.model._stages["pitch"], model._stages["pitch"]
    for ours, theirs in zip(kept.powers, before.powers, strict=True):
        assert all((a == b).all() for a, b in zip(ours, theirs, strict=True))
    assert found.model.log_prob(song(9)).nats != model.log_prob(song(9)).nats


def test_bad_input_is_music_still(model: Markov) -> None:
    one = Score.from_rows([(0, 480, 60, 80, 0)], end=480, tracks=(Track("melody", 73),))
    alone = Markov(product=True).fit([Piece(one, "one")])
    for some in (model, alone):
        for piece in (one, one.replace(pitch=[127]), one.replace(pitch=[0])):
            assert np.isfinite(some.log_prob(piece).nats)
    same = Score.from_rows([(480 * i, 480, 60, 80, 0) for i in range(40)], end=480 * 40, tracks=one.tracks)
    stuck = Markov(product=True).fit([Piece(same, str(i)) for i in range(12)])
    assert np.isfinite(stuck.log_prob(song(3)).nats)
