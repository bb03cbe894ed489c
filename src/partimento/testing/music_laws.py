"""Laws of the music: facts, borders, what is kept, what each verb gives."""

from __future__ import annotations

import itertools

import numpy as np

from partimento import controls, generate, theory
from partimento.errors import RequestError
from partimento.forms import form_spans
from partimento.request import Blanks, Region, Request, Result
from partimento.sampling import generator, track_ranges
from partimento.score import Meter, Score
from partimento.testing.music import inputs, rows_of, song
from partimento.testing.suite import SEEDS, Subject, expect, law


@law()
def facts_hold_exactly(subject: Subject) -> None:
    """Bars, meter, tempo, tracks and programs are as asked."""
    frames = itertools.product(("4/4", "3/4", "7/8", "5/4"), ("piano", "violin,piano,drums"))
    for seed, (meter, tracks) in enumerate(frames):
        score = subject.one(bars=5, meter=meter, tempo=92, tracks=tuple(tracks.split(",")), seed=seed).score
        wanted = theory.parse_tracks(tracks)
        exact = score.n_bars == 5 and score.end == 5 * score.full_bar_ticks(0)
        expect(exact, f"{score.n_bars} bars, not 5, of {meter}")
        expect(score.meters == (Meter(0, *theory.parse_meter(meter)),), f"the meter is {score.meters}, not {meter}")
        expect([t.us_per_quarter for t in score.tempos] == [round(60e6 / 92)], f"the tempo is {score.tempos}")
        expect(tuple(score.tracks) == tuple(wanted), f"the tracks are {score.tracks}")


@law()
def key_and_chords_hold(subject: Subject) -> None:
    """The one predicate of each holds; a piece in one key fails the test for another."""
    for seed, key in zip(SEEDS, ("E minor", "D major", "Bb major", "F# minor", "C major", "A minor"), strict=True):
        score = subject.one(bars=6, key=key, tracks=("violin", "piano"), seed=seed).score
        verdict = controls.key_holds(score, theory.parse_key(key))
        expect(verdict.ok, f"seed {seed} is not in {key}: {verdict.reason}")
        wrong = theory.parse_key("Eb major")
        expect(not controls.key_holds(score, wrong).ok, f"a piece in {key} passes for Eb major")
    for seed in SEEDS:
        score = subject.one(bars=4, chords="Am F | C | G7 Em", tracks=("flute", "piano"), seed=seed).score
        verdict = controls.chords_hold(score, score.chords)
        expect(len(score.chords) >= 5 and verdict.ok, f"seed {seed} leaves the chords: {verdict.reason}")


@law()
def ranges_hold(subject: Subject) -> None:
    """Every new pitch lies in the range asked, or in what the instrument can play."""
    for seed in SEEDS:
        score = subject.one(bars=4, tracks=("violin", "piano"), ranges={"violin": "C5-E5"}, seed=seed).score
        violin, piano = (score.pitch[score.track == i] for i in (0, 1))
        expect(bool(((violin >= 72) & (violin <= 76)).all()), f"the violin leaves C5-E5: {violin.tolist()}")
        low, high = theory.instrument_range(0)
        expect(bool(((piano >= low) & (piano <= high)).all()), "the piano leaves its keyboard")
        expect(bool(((score.velocity >= 1) & (score.velocity <= 127)).all()), "a velocity is not in 1..127")


@law()
def kept_music_is_identical(subject: Subject) -> None:
    """Whatever the blank, every other note comes back event for event, and new onsets lie inside the blank."""
    for number, source in enumerate(inputs()):
        first = 0 if source.has_pickup else 1
        last = first + source.n_bars - 1
        places = (f"{first}-{last}", f"{last}", f"1.2-{last}")
        for seed, place in enumerate(places):
            result = subject.one(source, verb="infill", place=place, tracks=("1",), seed=seed)
            _kept(source, result, f"input {number}, bars {place}")


def _kept(source: Score, result: Result, where: str) -> None:
    score, new = result.score, result.new
    inside = Blanks(result.regions).inside(score)
    expect(bool(inside[new].all()), f"{where}: a new note begins outside the blank")
    outside_before = rows_of(source.select(~Blanks(result.regions).inside(source)))
    outside_after = rows_of(score.select(~inside))
    expect(outside_before == outside_after, f"{where}: kept music changed")
    kept = score.select(~new)
    for i in np.flatnonzero(new):
        same = (kept.track == score.track[i]) & (kept.pitch == score.pitch[i])
        after = kept.onset[same & (kept.onset > score.onset[i])]
        expect(not len(after) or score.offset[i] <= after.min(), f"{where}: a new note rings over a kept one")
        expect(not (same & (kept.onset <= score.onset[i]) & (kept.offset > score.onset[i])).any(),
                f"{where}: a new note begins while a kept one of its pitch sounds")
        expect(score.offset[i] <= score.end and score.duration[i] > 0, f"{where}: a new note rings past the end")
    expect(result.score.meters == source.meters and result.score.tempos == source.tempos, f"{where}: the frame changed")


@law()
def notes_stay_in_the_piece(subject: Subject) -> None:
    """No new note rings past the end, none is empty, none sounds twice in a track at once."""
    for seed in range(16):
        score = subject.one(bars=3, tracks=("piano", "cello"), seed=seed).score
        expect(bool((score.offset <= score.end).all() and (score.duration > 0).all()), f"seed {seed}: past the end")
        for track, pitch in set(zip(score.track.tolist(), score.pitch.tolist(), strict=True)):
            own = score.select((score.track == track) & (score.pitch == pitch))
            expect(bool((own.onset[1:] >= own.offset[:-1]).all()), f"seed {seed}: pitch {pitch} sounds twice at once")


@law()
def fill_itself_obeys(subject: Subject) -> None:
    """Before the road clips anything: notes only in blanks, in range, in the frame, on legal pitches of the key."""
    source = song(9, bars=6)
    around = source.select(~((source.onset >= 1920) & (source.onset < 3 * 1920)))
    blanks = Blanks((Region(0, 1920, 3 * 1920), Region(1, 1920, 3 * 1920)))
    request = Request(verb="infill", key="C major")
    found = subject.model.fill(around, blanks, request, [generator(seed) for seed in SEEDS])
    expect(len(found) == len(SEEDS), f"{len(found)} candidates for {len(SEEDS)} generators")
    scale = sorted(theory.scale(0, "major"))
    for fresh in found:
        expect(fresh.end == around.end and fresh.meters == around.meters, "the frame of a fill is not that of around")
        expect(bool(blanks.inside(fresh).all()), "a note of a fill begins outside the blank")
        ranges = track_ranges(around, request)
        for i, (low, high) in enumerate(ranges):
            own = fresh.pitch[fresh.track == i]
            expect(bool(((own >= low) & (own <= high)).all()), "a note of a fill is out of range")
        expect(bool(np.isin(fresh.pitch % 12, scale).mean() >= 0.9) if len(fresh) else True, "a fill ignores the key")


@law()
def continue_goes_on(subject: Subject) -> None:
    """A continuation keeps all there is, completes a part-filled bar, and is exactly as long as asked."""
    for number, source in enumerate(inputs()):
        result = subject.one(source, verb="continue", bars=3, seed=number)
        last_onset = int(source.onset.max())
        bars = int(np.searchsorted(source.bar_starts[:-1], last_onset, side="right"))
        expect(result.score.n_bars == bars + 3, f"input {number}: {result.score.n_bars} bars, not {bars} + 3")
        expect(rows_of(result.score.select(~result.new)) == rows_of(source), f"input {number}: kept music changed")
        if len(source) > 3:
            expect(bool(result.new.any()), f"input {number}: nothing new")


@law()
def harmonize_keeps_the_melody(subject: Subject) -> None:
    """The melody comes back identical and the other tracks are written over all its bars."""
    for seed, source in zip(SEEDS, [song(s, tracks=1) for s in SEEDS], strict=True):
        result = subject.one(source, verb="harmonize", tracks=("piano", "bass"), seed=seed)
        score = result.score
        expect(rows_of(score.select(score.track == 0)) == rows_of(source), "the melody changed")
        expect(len(score.tracks) == 3 and score.end == source.end, "the frame changed")
        expect(bool((score.track[result.new] > 0).all()) and bool(result.new.any()), "nothing was added beside it")


@law()
def accompany_keeps_every_note(subject: Subject) -> None:
    """All tracks of the input come back identical; the new ones are written beside them, or silence is said."""
    for seed, source in zip(SEEDS, [song(s, tracks=2) for s in SEEDS], strict=True):
        result = subject.one(source, verb="accompany", tracks=("cello", "bass"), seed=seed)
        score = result.score
        expect(rows_of(score.select(score.track < 2)) == rows_of(source), "the input changed")
        expect(len(score.tracks) == 4 and score.end == source.end, "the frame changed")
        expect(bool((score.track[result.new] > 1).all()), "a note was added to the input's own tracks")
        expect(bool(result.new.any()) or any("silent" in note for note in result.notes), "silence, and no word of it")


@law()
def vary_by_strength(subject: Subject) -> None:
    """Strength 0 gives the input back; the notes that are not let go stay; 1 lets all go."""
    for number, source in enumerate(inputs()):
        same = subject.one(source, verb="vary", strength=0.0, seed=number).score
        expect(rows_of(same) == rows_of(source) and same.controls.rows().tolist() == source.controls.rows().tolist(),
                f"input {number}: strength 0 is not the input")
    source = song(2)
    for seed in SEEDS:
        result = subject.one(source, verb="vary", strength=0.4, seed=seed)
        kept = rows_of(result.score.select(~result.new))
        expect(set(kept) <= set(rows_of(source)), "a pinned note changed")
        expect(0.35 * len(source) < len(kept) < 0.85 * len(source), f"{len(kept)} of {len(source)} stayed at 0.4")
    whole = subject.one(source, verb="vary", strength=1.0, seed=0)
    expect(bool(whole.new.all()), "strength 1 kept notes")


@law()
def pitch_alone_keeps_the_rhythm(subject: Subject) -> None:
    """In a blank open for pitch, onsets, durations and velocities stay."""
    source = song(1)
    changed = 0
    for seed in SEEDS:
        score = subject.one(source, verb="infill", place="3-5", open="pitch", seed=seed).score
        expect(_rhythm(score) == _rhythm(source), f"seed {seed}: the rhythm changed")
        changed += rows_of(score) != rows_of(source)
    expect(changed >= 2, "the pitches never changed")


def _rhythm(score: Score) -> list[list[int]]:
    return sorted(np.delete(score.notes(), 2, axis=1).tolist())


@law()
def form_is_held(subject: Subject) -> None:
    """What returns in a form comes back, what varies differs, what is new is new; a replay gives it again."""
    for seed, (text, bars) in enumerate((("A4 B4 A4", 12), ("A4 A'4 B2 A4", 14), ("AABA", 32))):
        result = subject.one(form=text, tracks=("flute", "piano"), seed=seed)
        score = result.score
        expect(score.n_bars == bars, f"{text}: {score.n_bars} bars")
        verdict = controls.form_holds(score, form_spans(text, bars))
        row = next(row for row in result.rows if row.name == "form")
        expect((row.met, row.got) == (verdict.ok, verdict.reason), f"{text}: the receipt is of another piece")
        expect(verdict.ok, f"{text}: {verdict.reason}")
        again = generate.remake(Request.from_json(result.request.to_json()), subject.model).score
        expect(again == score, f"{text}: a replay gave other notes")
    for wish in ({"bars": 8}, {"chords": "C F G C Am F G C D F G C"}):
        try:
            subject.one(form="A4 B4 A4", **wish)
        except RequestError as error:
            expect("A4 B4 A4" in str(error), f"the refusal of {wish} does not name the form")
        else:
            raise AssertionError(f"{wish} were taken with a form that contradicts them")
