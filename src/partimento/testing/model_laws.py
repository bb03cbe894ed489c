"""Laws of the model: seeds, replay, saving, learning, likelihood."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from partimento import checkpoint, controls, formats, generate
from partimento.errors import PartimentoError
from partimento.models.base import Model, Piece, Progress, Report
from partimento.models.random import Random
from partimento.request import Blanks, Region, Request, Result
from partimento.sampling import generator
from partimento.score import Key, Meter, Score, Track
from partimento.testing.music import inputs, rows_of, small_corpus, song
from partimento.testing.suite import SEEDS, Subject, expect, has_likelihood, law, learns, tells
from partimento.tokens.grid import snap


@law()
def same_seed_same_bytes(subject: Subject) -> None:
    """One seed, one piece, in MIDI bytes; candidate k is the same however many are asked; nothing global is touched."""
    state = _global_state()
    wish: dict[str, Any] = {"bars": 4, "tracks": ("piano", "bass"), "seed": 11}
    first, again, many = subject.results(2, **wish), subject.results(2, **wish), subject.results(5, **wish)
    for k in range(2):
        data = [formats.to_bytes(generate.stamped(results[k])) for results in (first, again, many)]
        expect(data[0] == data[1], f"candidate {k} differs between two runs")
        expect(data[0] == data[2], f"candidate {k} depends on how many were asked for")
    alone = subject.model.fill(*_frame_of(first[0]), [generator(5)])[0]
    beside = subject.model.fill(*_frame_of(first[0]), [generator(4), generator(5), generator(6)])[1]
    expect(rows_of(alone) == rows_of(beside), "a candidate depends on those beside it")
    expect(state == _global_state(), "the global random state moved")


def _global_state() -> list[int]:
    state: Any = np.random.get_state(legacy=False)  # noqa: NPY002 (it is the global state that must not move)
    return [int(state["state"]["pos"]), *state["state"]["key"].tolist()]


def _frame_of(result: Result) -> tuple[Score, Blanks, Request]:
    around = result.score.without_notes()
    return around, Blanks.everything(around), result.request


@law()
def seeds_differ(subject: Subject) -> None:
    """Of 8 seeds on a 4-bar blank, at least 2 pieces are distinct; so are candidates of one seed."""
    source = song(8)
    found = {subject.one(source, verb="infill", place="3-6", seed=seed).score.content_hash for seed in range(8)}
    expect(len(found) >= 2, "eight seeds gave one piece")
    several = {r.score.content_hash for r in subject.results(4, bars=4, seed=3)}
    expect(len(several) >= 2, "four candidates are one piece")


@law()
def replay_rebuilds(subject: Subject) -> None:
    """The settings inside a written piece rebuild it, input and all."""
    for wish, source in (({"bars": 4, "key": "D minor", "seed": 5}, None),
                         ({"verb": "continue", "bars": 2, "seed": 6}, song(7)),
                         ({"verb": "vary", "strength": 0.3, "seed": 7}, song(6))):
        result = subject.one(source, **wish)
        written = formats.to_bytes(generate.stamped(result))
        read = formats.parse(written).score
        again = generate.remake(generate.stamp_of(read), subject.model)
        expect(formats.to_bytes(generate.stamped(again)) == written, f"{wish}: a replay gave other bytes")


@law()
def targets_are_measured(subject: Subject) -> None:
    """The receipt measures the piece it comes with, and the best of several is nearer than the first."""
    far = near = 0.0
    for seed in SEEDS:
        for value in (2.0, 6.0):
            wish: dict[str, Any] = {"bars": 4, "targets": {"density": value}, "seed": seed}
            result = subject.one(**wish)
            got = controls.CONTROLS["density"].measure(result.score, None)
            row = next(row for row in result.rows if row.name == "density")
            expect(got is not None and row.got == f"{got:.3g}", f"the receipt says {row.got}, the piece {got}")
            single = controls.CONTROLS["density"].measure(subject.one(**wish, tries=1).score, None)
            near += abs((got or 0) - value)
            far += abs((single or 0) - value)
    expect(near < far, f"the best of many ({near:.2f} off in all) is no nearer than the first ({far:.2f})")


@law()
def streams_add_up(subject: Subject) -> None:
    """The bars of a stream are the fill, one part a bar; on the road they are the Result, and what is kept stays."""
    around = song(1, bars=4).without_notes()
    blanks, request = Blanks.everything(around), Request(bars=4)
    whole = subject.model.fill(around, blanks, request, [generator(3)])[0]
    parts = list(subject.model.stream(around, blanks, request, generator(3)))
    streamed = sorted(row for part in parts for row in rows_of(part))
    expect(streamed == sorted(rows_of(whole)), "the stream is not the fill")
    expect(len(parts) == 4, f"{len(parts)} parts for 4 bars")
    for number, part in enumerate(parts, 1):
        there = {around.bar_number(tick) for tick in part.onset.tolist()}
        expect(there <= {number}, f"part {number} holds notes of the bars {sorted(there)}")
    source = song(6)
    wishes: tuple[dict[str, Any], ...] = ({"place": "3-5", "tracks": ("melody",)}, {"place": "2.3-6", "key": "C major"})
    for wish in wishes:
        bars = generate.stream(Request(verb="infill", seed=8, **wish), subject.model, source=source)
        out = [row for bar in bars for row in rows_of(bar)]
        result = bars.finish()
        score, blank = result.score, Blanks(result.regions)
        written = [score.bar_span(number) for number in bars.numbers]
        inside = (score.onset >= written[0][0]) & (score.onset < written[-1][1])
        expect(sorted(out) == sorted(rows_of(score.select(inside))), f"{wish}: the bars are not the piece")
        kept, given = score.select(~blank.inside(score)), source.select(~blank.inside(source))
        expect(rows_of(kept) == rows_of(given), f"{wish}: kept music changed")
        again = generate.remake(result.request, subject.model).score
        expect(again == score, f"{wish}: a replay of what was streamed gave other notes")


@law()
def settings_are_checked_and_kept(subject: Subject) -> None:
    """An unknown setting is refused by name, and the constructor keeps what it is given and does no work."""
    try:
        subject.kind(**{"no_such_setting": 1})
    except Exception as error:
        expect("no_such_setting" in str(error), "the refusal does not name the setting")
    else:
        raise AssertionError("an unknown setting was taken")
    fresh = subject.fresh()
    for name, value in subject.settings.items():
        expect(getattr(fresh.config, name) == value, f"the setting {name} was lost")
    expect(not subject.kind.learns or not fresh.fitted, "a model that has learnt nothing says that it is fitted")


@law()
def saved_is_the_same_in_a_new_process(subject: Subject) -> None:
    """Saved, and loaded in a new process in an empty folder with its settings: the same bytes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.partimento"
        checkpoint.save(subject.model, path, record={"pieces": 8})
        request = Request(bars=3, tracks=("piano", "bass"), seed=21)
        code = ("import sys, json\nfrom partimento import checkpoint, formats, generate\n"
                "from partimento.request import Request\n"
                "loaded = checkpoint.load(sys.argv[1])\n"
                "result = generate.generate(Request.from_json(sys.argv[2]), loaded.model)[0]\n"
                "print(formats.to_bytes(generate.stamped(result)).hex())\n"
                "import dataclasses\nprint(json.dumps(dataclasses.asdict(loaded.model.config), sort_keys=True))")
        there = {**os.environ, "PYTHONPATH": os.pathsep.join(str(Path(p).resolve()) for p in sys.path if p)}
        done = subprocess.run([sys.executable, "-c", code, str(path), request.to_json()], cwd=folder, env=there,
                              capture_output=True, text=True, check=False)
        expect(done.returncode == 0, f"the new process failed: {done.stderr.strip().splitlines()[-1:]}")
        here = formats.to_bytes(generate.stamped(generate.generate(request, subject.model)[0])).hex()
        music, config = done.stdout.split("\n")[:2]
        expect(here == music, "the loaded model composes other music")
        wanted = json.dumps(dataclasses.asdict(subject.model.config), sort_keys=True)
        expect(config == wanted, f"the settings came back as {config}, not {wanted}")


@law(learns)
def low_music_sounds_lower(subject: Subject) -> None:
    """Fitted on low music it sounds lower than fitted on high music; a second fit forgets the first."""
    def mean_pitch(model: Model) -> float:
        wish = Request(bars=6, tracks=("piano",), key="C major", ranges={"piano": "A0-C8"}, seed=1)
        return float(np.mean([r.score.pitch.mean() for r in generate.generate(wish, model, count=4)]))

    model = subject.fresh()
    low = mean_pitch(model.fit(small_corpus(48)))
    high = mean_pitch(model.fit(small_corpus(72)))
    expect(low + 6 < high, f"after low music the mean pitch is {low:.1f}, after high music {high:.1f}")


@law(lambda kind: kind.learns and kind.has_likelihood)
def beats_the_random_baseline(subject: Subject) -> None:
    """Music it has not seen costs fewer nats than under the random family."""
    unseen = [song(s) for s in range(100, 104)]
    ours = sum(_nats(subject.model, s) for s in unseen)
    chance = sum(_nats(Random(), s) for s in unseen)
    expect(bool(np.isfinite(ours)) and ours > chance, f"{ours:.0f} nats against {chance:.0f} of the random family")


@law(learns)
def cancel_leaves_a_usable_model(subject: Subject) -> None:
    """A fit that is stopped by its report leaves a model that composes."""
    seen: list[Progress] = []

    def stop(progress: Progress) -> bool:
        seen.append(progress)
        return len(seen) < 2

    model = subject.fresh().fit(small_corpus(), report=stop)
    expect(len(seen) >= 1, "the fit never reported")
    expect(len(seen) <= 4, f"the fit went on for {len(seen)} reports after it was told to stop")
    expect(model.fitted, "the model is not usable after a cancel")
    generate.generate(Request(bars=2, seed=1), model)


@law(lambda kind: kind.resumes)
def resumed_is_uninterrupted(subject: Subject) -> None:
    """A fit stopped on the way and started again, twice, learns what an unbroken one does; then its file is gone."""
    heard: list[Progress] = []

    def go_on(progress: Progress) -> bool:
        heard.append(progress)
        return True

    def fit(keep: Path, report: Report) -> Model:
        return subject.fresh().fit(small_corpus(), valid=small_corpus(62, 2), seed=4, keep=keep, report=report)

    with tempfile.TemporaryDirectory() as folder:
        whole = fit(Path(folder, "whole"), go_on)
        keep, last = Path(folder, "parts"), heard[-1]
        for share in (1 / 3, 2 / 3):
            at = [p.done for p in heard if p.stage == last.stage and share * last.done <= p.done < last.done]
            expect(bool(at), f"the fit never reported between {share:.0%} and the end of {last.stage}")

            def stop(progress: Progress, at: int = min(at, default=0)) -> bool:
                return progress.stage != last.stage or progress.done < at
            part = fit(keep, stop)
            expect(part.fitted, "a model that was stopped is not usable")
            expect(keep.is_file(), "a fit that was stopped kept no file to go on from")
        resumed = fit(keep, go_on)
        expect(not list(Path(folder).iterdir()), "a fit that came to its end left its file")
    ours, theirs = resumed.state()[1], whole.state()[1]
    same = ours.keys() == theirs.keys() and all(ours[name].tobytes() == theirs[name].tobytes() for name in theirs)
    expect(same, "the arrays learnt are not those of the uninterrupted fit")


@law(learns)
def one_short_song_is_enough(subject: Subject) -> None:
    """Fitted on a single song it composes, and never one repeated note."""
    model = subject.fresh().fit(small_corpus(count=1))
    for seed in SEEDS:
        score = generate.generate(Request(bars=4, seed=seed), model)[0].score
        expect(len(np.unique(score.pitch)) > 1, f"seed {seed}: {len(score)} notes of one pitch")


@law(lambda kind: kind.forget is not Model.forget)
def forgotten_is_never_learnt(subject: Subject) -> None:
    """What forgot a piece is, in every byte it is saved as, what was fitted without it; the model itself stays."""
    music = small_corpus()
    before = _saved(subject.model)
    for gone in (0, 3):
        found = subject.model.forget([music[gone]])
        expect(found is not None and not found.unsure, f"piece {gone} is not forgotten for sure: {found}")
        assert found is not None
        without = subject.fresh().fit([piece for number, piece in enumerate(music) if number != gone])
        expect(_saved(found.model) == _saved(without), f"without piece {gone} it is another model than one fitted so")
    expect(_saved(subject.model) == before, "the model that was asked to forget has changed")
    try:
        subject.model.forget([Piece(song(99), "unheard")])
    except PartimentoError as error:
        expect("unheard" in str(error), "the refusal does not name the piece")
    else:
        raise AssertionError("a piece was forgotten that was never learnt")


def _saved(model: Model) -> list[Any]:
    values, arrays = model.state()
    return [json.dumps(values, sort_keys=True),
            *((name, array.dtype.str, array.shape, array.tobytes()) for name, array in sorted(arrays.items()))]


@law(has_likelihood)
def likelihood_follows_the_music(subject: Subject) -> None:
    """Finite for real music, of the notes in the blanks alone, and other notes have another likelihood."""
    score = song(31)
    whole = subject.model.log_prob(score)
    assert whole is not None
    expect(bool(np.isfinite(whole.nats)) and whole.nats < 0 and whole.notes == len(score), f"{whole}")
    part = subject.model.log_prob(score, Blanks((Region(0, 1920, 2 * 1920),)))
    assert part is not None
    expect(part.notes == int(((score.track == 0) & (score.onset >= 1920) & (score.onset < 3840)).sum()),
            "the notes of a blank are miscounted")
    expect(whole.nats < part.nats < 0, "a part costs more than the whole")
    other = score.replace(pitch=score.pitch + np.where(score.onset == score.onset[3], 6, 0))
    expect(_nats(subject.model, other) != whole.nats, "other music has the same likelihood")


@law(has_likelihood)
def likelihood_sums_to_one(subject: Subject) -> None:
    """Over every content of a tiny closed frame, with something kept too, exp(log_prob) sums to 1."""
    model = _coarse(subject)
    request = Request(ranges={"piano": "C4-C#4"})
    base = Score(end=960, ticks_per_quarter=480, meters=(Meter(0, 2, 4),), tracks=(Track("piano"),))
    blanks = Blanks.everything(base)
    total = sum(np.exp(_nats(model, score, blanks, request)) for score in _contents(base, 0, 960))
    expect(abs(total - 1) < 1e-6, f"all contents of a bar sum to {total:.6f}")
    kept = base.replace(end=1440, onset=[960], duration=[480], pitch=[60], velocity=[64], track=[0])
    region = Blanks((Region(0, 0, 960),))
    total = sum(np.exp(_nats(model, score, region, request)) for score in _contents(kept, 0, 960))
    expect(abs(total - 1) < 1e-6, f"before a kept note all contents sum to {total:.6f}")


@law(tells)
def information_adds_up(subject: Subject) -> None:
    """Bits a note by stage, with those of the ends, are the likelihood of any piece, with a key written or without."""
    plain = song(31, bars=4)
    off = plain.replace(onset=plain.onset + np.arange(len(plain)) % 3 * 7)
    for score in (plain, plain.replace(keys=()), off, *inputs()):
        found = subject.model.information(score)
        assert found is not None
        expect({"pitch"} <= found.content.keys() == found.entropy.keys(), f"the stages are {sorted(found.content)}")
        wanted = -_nats(subject.model, score) / float(np.log(2))
        expect(abs(found.bits - wanted) < 1e-5 * wanted, f"{found.bits:.4f} bits of the notes are not {wanted:.4f}")
        lost = np.isnan(found.total[0])
        expect(int((~lost).sum()) == len(snap(score)), f"{(~lost).sum()} of {len(score)} notes have numbers")
        for table in (found.content, found.entropy):
            for stage, bits in table.items():
                expect(len(bits) == len(score), f"{stage}: {len(bits)} numbers for {len(score)} notes")
                expect(bool(((bits >= -1e-9) & (bits < np.inf))[~lost].all()), f"{stage}: {bits}")


@law(tells)
def entropy_is_the_information_expected(subject: Subject) -> None:
    """Over every content of a tiny closed frame the content of each stage is in the mean its entropy."""
    model = _coarse(subject)
    request = Request(ranges={"piano": "C4-C#4"})
    base = Score(end=960, ticks_per_quarter=480, meters=(Meter(0, 2, 4),), tracks=(Track("piano"),))
    for frame in (base, base.replace(keys=(Key(0, 0, "major"),))):
        gap: dict[str, float] = {}
        for score in _contents(frame, 0, 960):
            found = model.information(score, request)
            assert found is not None
            chance = float(np.exp(_nats(model, score, None, request)))
            for stage in found.content:
                ends = found.ends.get(stage, (0.0, 0.0))
                told = found.content[stage].sum() + ends[0] - found.entropy[stage].sum() - ends[1]
                gap[stage] = gap.get(stage, 0.0) + chance * float(told)
        for stage, bits in gap.items():
            expect(abs(bits) < 1e-6, f"{stage}: what notes tell differs from what was expected by {bits:.6f} bits")


@law(lambda kind: kind.tables is not Model.tables)
def tables_can_be_read(subject: Subject) -> None:
    """Every row and column has a name, every number is finite, and what are said to be chances are; saved, the same."""
    found = subject.model.tables()
    expect(bool(found), "there is none")
    expect(len({table.name for table in found}) == len(found), "two tables have one name")
    for table in found:
        expect(bool(table.name and table.about and table.rows and table.columns), f"{table.name!r}: a word is missing")
        for names in (table.rows, table.columns):
            expect(len(set(names)) == len(names) and all(names), f"{table.name}: names are missing, or twice: {names}")
        values = np.array(table.values)
        expect(values.shape == (len(table.rows), len(table.columns)), f"{table.name}: its shape is {values.shape}")
        expect(len(table.seen) in (0, len(table.rows)), f"{table.name}: {len(table.seen)} rows were counted")
        expect(bool(np.isfinite(values).all()), f"{table.name}: not all numbers are finite")
        if table.kind != "number":
            expect(bool(((values >= -1e-9) & (values <= 1 + 1e-9)).all()), f"{table.name}: some are no chances")
        if table.kind == "distribution":
            expect(bool(np.allclose(values.sum(axis=1), 1, atol=1e-6)), f"{table.name}: a row does not sum to 1")
        expect(json.loads(json.dumps(table.as_dict())) == table.as_dict(), f"{table.name} is not JSON-ready")
    if subject.kind.learns:
        again = subject.fresh().restore(*subject.model.state()).tables()
        same = all(a.as_dict() == b.as_dict() or np.allclose(a.values, b.values, atol=1e-5)
                   for a, b in zip(found, again, strict=True))
        expect(same, "what is saved shows other tables")


def _nats(model: Model, score: Score, blanks: Blanks | None = None, request: Request | None = None) -> float:
    found = model.log_prob(score, blanks, request)
    assert found is not None
    return found.nats


def _coarse(subject: Subject) -> Model:
    """A model of the same settings on a grid of quarters, where it has one: all that can stand there can be listed."""
    fields = {f.name for f in dataclasses.fields(subject.kind.Config)}
    model = subject.kind(**{**subject.settings, **({"grid": 1} if "grid" in fields else {})})
    return model.fit(small_corpus()) if subject.kind.learns else model


def _contents(kept: Score, start: int, end: int) -> Iterator[Score]:
    """Every legal content of two pitches on two beats, with every length up to the next of its pitch or the end."""
    cells = [(tick, pitch) for tick in range(start, end, 480) for pitch in (60, 61)]
    for there in itertools.product((False, True), repeat=len(cells)):
        notes = [cell for cell, yes in zip(cells, there, strict=True) if yes]
        choices = []
        for tick, pitch in notes:
            stops = [t for t, p in notes if p == pitch and t > tick]
            stops += kept.onset[(kept.pitch == pitch) & (kept.onset > tick)].tolist()
            choices.append(range(480, min([kept.end, *stops]) - tick + 1, 480))
        for lengths in itertools.product(*choices):
            rows = [(t, d, p, 64, 0) for (t, p), d in zip(notes, lengths, strict=True)]
            yield kept.with_notes_of(kept.with_rows(rows))
