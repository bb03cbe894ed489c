"""The suite must catch what goes wrong: each fault is planted on purpose, and the law named must break."""

import dataclasses
import itertools

import numpy as np
import pytest

from partimento import checkpoint, controls, formats, frame, generate, provenance
from partimento.models.base import LogProb, Model
from partimento.models.markov import Markov, learn
from partimento.models.random import Random
from partimento.models.rnn import Rnn
from partimento.request import Blanks, Result
from partimento.score import Text
from partimento.testing import check_model, small_corpus

FAULTS = {}


def fault(law):
    def put(plant):
        FAULTS[plant.__name__] = (plant, law)
        return plant
    return put


def wrap(monkeypatch, owner, name, change):
    """Put `change(original, *args)` in the place of a function."""
    original = getattr(owner, name)
    monkeypatch.setattr(owner, name, lambda *args, **kwargs: change(original, *args, **kwargs))


@fault("notes_stay_in_the_piece")
def notes_ring_past_the_end(monkeypatch):
    def longer(original, new, kept, blanks, ranges):
        clipped = original(new, kept, blanks, ranges)
        return clipped.replace(duration=clipped.duration + 1)
    wrap(monkeypatch, generate, "_clip", longer)
    return Random


@fault("kept_music_is_identical")
def a_kept_note_is_louder(monkeypatch):
    def louder(original, *args):
        score, new, moved = original(*args)
        velocity = score.velocity.copy()
        velocity[np.flatnonzero(~new)[:1]] = 1
        return score.replace(velocity=velocity), new, moved
    wrap(monkeypatch, generate, "_finish", louder)
    return Random


@fault("kept_music_is_identical")
def new_notes_outside_the_blank(monkeypatch):
    class Everywhere(Random):
        def fill(self, around, blanks, request, rngs):
            return [s.replace(onset=np.maximum(s.onset - 480, 0)) for s in super().fill(around, blanks, request, rngs)]
    wrap(monkeypatch, generate, "_clip", lambda original, new, kept, blanks, ranges: original(
        new, kept, Blanks.everything(kept), ranges))
    return Everywhere


@fault("fill_itself_obeys")
def the_family_leaves_its_blank(monkeypatch):
    class Early(Random):
        def fill(self, around, blanks, request, rngs):
            return [s.replace(onset=np.maximum(s.onset - 480, 0)) for s in super().fill(around, blanks, request, rngs)]
    return Early


@fault("same_seed_same_bytes")
def global_randomness(monkeypatch):
    class Global(Random):
        def fill(self, around, blanks, request, rngs):
            found = super().fill(around, blanks, request, rngs)
            return [s.replace(velocity=1 + (s.velocity + np.random.randint(9)) % 126) for s in found]  # noqa: NPY002
    return Global


@fault("same_seed_same_bytes")
def a_candidate_depends_on_its_neighbours(monkeypatch):
    class Shared(Random):
        def fill(self, around, blanks, request, rngs):
            return super().fill(around, blanks, request, [rngs[0]] * len(rngs))
    return Shared


@fault("same_seed_same_bytes")
def a_clock_inside_the_file(monkeypatch):
    ticks = itertools.count()
    wrap(monkeypatch, generate, "stamped", lambda original, result: original(result).replace(
        texts=(*original(result).texts, Text(0, -1, "text", f"written at {next(ticks)}"))))
    return Random


@fault("seeds_differ")
def the_seed_is_ignored(monkeypatch):
    class Stuck(Random):
        def fill(self, around, blanks, request, rngs):
            return super().fill(around, blanks, request, [generate.generator(0) for _ in rngs])
    return Stuck


@fault("key_and_chords_hold")
def the_key_is_not_mended(monkeypatch):
    monkeypatch.setattr(controls, "mend_facts", lambda score, *args, **rest: (score, 0))
    return Random


@fault("ranges_hold")
def the_range_is_forgotten(monkeypatch):
    wrap(monkeypatch, generate, "track_ranges", lambda original, score, request: [(0, 127)] * len(score.tracks))

    class High(Random):
        def fill(self, around, blanks, request, rngs):
            return [s.replace(pitch=np.minimum(s.pitch + 30, 127)) for s in super().fill(around, blanks, request, rngs)]
    return High


@fault("facts_hold_exactly")
def the_tempo_is_rounded(monkeypatch):
    wrap(monkeypatch, frame, "_tempo", lambda original, tick, bpm: original(tick, 10 * round(bpm / 10)))
    return Random


@fault("facts_hold_exactly")
def one_bar_too_many(monkeypatch):
    wrap(monkeypatch, frame, "_compose",
         lambda original, request: original(request.replace(bars=(request.bars or 16) + 1)))
    return Random


@fault("continue_goes_on")
def the_part_filled_bar_is_left(monkeypatch):
    def late(original, request, source):
        made = original(request, source)
        longer = made.around.replace(end=made.around.end + made.around.full_bar_ticks(0))
        return made._replace(around=longer)
    wrap(monkeypatch, frame, "_continue", late)
    return Random


@fault("vary_by_strength")
def strength_is_ignored(monkeypatch):
    wrap(monkeypatch, frame, "_vary", lambda original, request, source: original(request.replace(strength=1.0), source))
    return Random


@fault("pitch_alone_keeps_the_rhythm")
def pitch_alone_shortens_notes(monkeypatch):
    class Short(Random):
        def fill(self, around, blanks, request, rngs):
            found = super().fill(around, blanks, request, rngs)
            return [s.replace(duration=np.maximum(s.duration // 2, 1)) if request.open == "pitch" else s for s in found]
    return Short


@fault("replay_rebuilds")
def the_stamp_forgets_the_temperature_of_the_seed(monkeypatch):
    def forgetful(original, result):
        return original(Result(**{**result.__dict__, "request": result.request.replace(seed=0)}))
    wrap(monkeypatch, generate, "stamped", forgetful)
    return Random


@fault("targets_are_measured")
def the_receipt_repeats_the_wish(monkeypatch):
    def flattering(original, request, made, best, targets):
        return tuple(row._replace(got=row.asked, met=True) for row in original(request, made, best, targets))
    wrap(monkeypatch, generate, "_rows", flattering)
    return Random


@fault("streams_add_up")
def the_stream_drops_a_bar(monkeypatch):
    class Short(Random):
        def stream(self, around, blanks, request, rng):
            yield from list(super().stream(around, blanks, request, rng))[:-1]
    return Short


@fault("settings_are_checked_and_kept")
def unknown_settings_are_swallowed(monkeypatch):
    class Lenient(Random):
        def __init__(self, config=None, **settings):
            super().__init__(config, **{k: v for k, v in settings.items() if k in Random.Config.__dataclass_fields__})
    return Lenient


@fault("saved_is_the_same_in_a_new_process")
def the_settings_are_lost_on_saving(monkeypatch):
    wrap(monkeypatch, checkpoint, "save", lambda original, model, path, **rest: original(type(model)(), path, **rest))
    return Random


@fault("likelihood_sums_to_one")
def the_ends_of_blanks_are_not_charged(monkeypatch):
    class Cheap(Random):
        def log_prob(self, score, blanks=None, request=None):
            found = super().log_prob(score, blanks, request)
            return LogProb(found.nats * 0.9, found.notes)
    return Cheap


@fault("likelihood_follows_the_music")
def the_likelihood_is_of_the_whole(monkeypatch):
    class Whole(Random):
        def log_prob(self, score, blanks=None, request=None):
            return super().log_prob(score, None if request is None else blanks, request)
    return Whole


@fault("low_music_sounds_lower")
def learning_is_ignored(monkeypatch):
    class Deaf(Markov):
        def fit(self, pieces, **rest):
            return super().fit(small_corpus(60), **rest)
    return Deaf


@fault("low_music_sounds_lower")
def the_second_fit_remembers_the_first(monkeypatch):
    class Hoarder(Markov):
        heard = ()

        def fit(self, pieces, **rest):
            if not self.fitted:
                self.heard = tuple(pieces)
            return super().fit(self.heard, **rest)
    return Hoarder


@fault("cancel_leaves_a_usable_model")
def a_cancel_is_not_heard(monkeypatch):
    class Stubborn(Markov):
        def fit(self, pieces, report=None, **rest):
            deaf = None if report is None else lambda progress: report(progress) or True
            return super().fit(pieces, report=deaf, **rest)
    return Stubborn


@fault("beats_the_random_baseline")
def the_likelihood_has_learnt_nothing(monkeypatch):
    class Flat(Markov):
        def log_prob(self, score, blanks=None, request=None):
            return Random().log_prob(score, blanks, request)
    return Flat


@fault("likelihood_sums_to_one")
def rhythm_costs_nothing(monkeypatch):
    class Free(Rnn):
        def log_prob(self, score, blanks=None, request=None):
            found = super().log_prob(score, blanks, request)
            return dataclasses.replace(found, nats=found.nats - found.parts["rhythm"])
    return Free


@fault("information_adds_up")
def the_ends_tell_nothing(monkeypatch):
    class Mute(Markov):
        def information(self, score, request=None):
            return dataclasses.replace(super().information(score, request), ends={})
    return Mute


@fault("entropy_is_the_information_expected")
def every_length_is_taken_to_be_expected(monkeypatch):
    class Sure(Random):
        def information(self, score, request=None):
            found = super().information(score, request)
            return dataclasses.replace(found, entropy={**found.entropy, "duration": found.content["duration"] * 0.99})
    return Sure


@fault("tables_can_be_read")
def a_column_is_left_out(monkeypatch):
    class Short(Markov):
        def tables(self):
            return [table._replace(columns=table.columns[:-1], values=tuple(row[:-1] for row in table.values))
                    for table in super().tables()]
    return Short


@fault("forgotten_is_never_learnt")
def a_row_too_few_is_forgotten(monkeypatch):
    def short(original, mixture, outside, history, symbols):
        keep = slice(0, max(0, len(symbols) - 1))
        return original(mixture, {name: outside[name][keep] for name in outside}, history[keep], symbols[keep])
    wrap(monkeypatch, learn, "subtract", short)
    return Markov


@fault("forgotten_is_never_learnt")
def forgetting_forgets_in_place(monkeypatch):
    class Careless(Markov):
        def forget(self, pieces):
            found = super().forget(pieces)
            return found._replace(model=self.restore(*found.model.state()))
    return Careless


@fault("copies_are_written_anew")
def what_borrows_is_left(monkeypatch):
    wrap(monkeypatch, generate, "_unborrowed",
         lambda original, best, request, model, made, targets, guard:
         (best, guard.look(best.score, best.new, request.originality), ()))
    return Random


@fault("copies_are_written_anew")
def copies_are_rewritten_with_other_randomness_each_time(monkeypatch):
    count = itertools.count()
    wrap(monkeypatch, generate, "_unborrowed",
         lambda original, best, request, *rest: original(best, request.replace(seed=request.seed + next(count)), *rest))
    return Random


@fault("records_say_who_made_what")
def a_record_says_less_than_was_composed(monkeypatch):
    wrap(monkeypatch, provenance, "record_of", lambda original, result: original(
        dataclasses.replace(result, regions=result.regions[:1])))
    return Random


@fault("resumed_is_uninterrupted")
def going_on_forgets_the_moments(monkeypatch):
    pytest.importorskip("torch")
    from partimento.nets import keep

    def forgetful(original, *args):
        found = original(*args)
        return found and (found[0], {name: array * (not name.startswith("mean/")) for name, array in found[1].items()})
    wrap(monkeypatch, keep, "read", forgetful)
    return Rnn


def settings_for(kind):
    """Settings that are not the defaults, and quick."""
    if issubclass(kind, Rnn):
        pytest.importorskip("torch")
        return {"width": 24, "layers": 1, "steps": 40, "batch": 4, "window": 64, "precision": "float32"}
    return {"order": 3} if issubclass(kind, Markov) else {"densities": (1.0, 3.0)}


@pytest.mark.parametrize("name", FAULTS)
def test_the_suite_catches(monkeypatch, name):
    plant, law = FAULTS[name]
    kind = plant(monkeypatch)
    assert issubclass(kind, Model)
    with pytest.raises(AssertionError, match=law):
        check_model(kind, settings_for(kind), only=law)


def test_there_are_faults_enough():
    assert len(FAULTS) >= 12
    assert formats.SUFFIXES
