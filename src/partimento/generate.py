"""The one road that every family takes: frame, can, fill, clip, splice, mend, measure, the best of n, a Result."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from partimento import __version__, controls, theory
from partimento.errors import ModelError, RequestError, nearest
from partimento.formed import in_form
from partimento.forms import form_spans
from partimento.frame import BAND, Canvas, accompaniment, frame, new_ranges, unused
from partimento.judge.collapse import collapse
from partimento.judge.guard import Borrowed, Guard, parts_in
from partimento.models.base import Model
from partimento.request import (
    MAX_COUNT,
    Blanks,
    Region,
    Request,
    Result,
    Row,
    pack_score,
    platform_string,
    unpack_score,
)
from partimento.sampling import check_ranges, generator, lacking, track_ranges
from partimento.score import BoolArray, Score, Text, Track

TRIES_WITH_TARGETS = 24
RETRIES = 8
REWRITES = 6                            # attempts at what borrows too much: half of them at those cells alone
UNGUARDED = Guard()
STAMP = "partimento "
_DEFAULTS: dict[str, dict[str, object]] = {
    "compose": {"bars": 16, "meter": "4/4", "tempo": 120.0, "tracks": ("piano",)}, "continue": {"bars": 8},
    "vary": {"strength": 0.5},
}
Ticks = npt.NDArray[np.int64]


def generate(request: Request, model: Model, *, source: Score | None = None, count: int = 1,
             guard: Guard = UNGUARDED) -> list[Result]:
    """`count` Results of one Request, candidates 0 to count − 1; each is the same however many are asked for.

    `source` is the piece to work on (every verb but compose); it may stand inside the request instead. What the new
    notes borrow, by the index and the registries of `guard`, is written anew as `request.originality` asks.
    Raises RequestError where the wish cannot be met as put, ModelError where the model cannot do it.

    >>> from partimento.models.random import Random
    >>> [len(result.rows) for result in generate(Request(bars=2, key="C"), Random(), count=2)]
    [5, 5]
    """
    if not 1 <= count <= MAX_COUNT:
        raise RequestError(f"count must lie in 1..{MAX_COUNT} (pieces to write); got {count}")
    resolved, source = _ready(request, model, source)
    return [_one(resolved.replace(index=request.index + k), model, source, guard) for k in range(count)]


def remake(request: Request, model: Model, guard: Guard = UNGUARDED) -> Result:
    """The Result of a resolved Request again: the same notes, and on the same platform the same bytes."""
    source = unpack_score(request.input) if request.input is not None else None
    return _one(request, model, source, guard)


class Streaming(Iterator[Score]):
    """The bars of one piece as they are made; `result` is the whole piece, once the last bar is out.

    Every item is the frame of the piece with the notes of one bar, new and kept, as they will stand in it; `numbers`
    says which bars they are. `request` has everything filled in; `maker` is what the Result will say of its model.
    """

    def __init__(self, request: Request, numbers: Sequence[int], bars: Generator[Score, None, Result]) -> None:
        self.request, self.numbers, self._bars = request, tuple(numbers), bars
        self.maker: Mapping[str, Any] = {}
        self.result: Result | None = None

    def __next__(self) -> Score:
        try:
            return next(self._bars)
        except StopIteration as end:
            self.result = self.result or dataclasses.replace(end.value, maker=self.maker)
            raise StopIteration from None

    def finish(self) -> Result:
        """The Result, all bars that are still to come made."""
        for _ in self:
            pass
        assert self.result is not None
        return self.result


def stream(request: Request, model: Model, *, source: Score | None = None, guard: Guard = UNGUARDED) -> Streaming:
    """The bars that are written, one by one, as the model makes them; candidate `request.index` of the wish.

    Nothing can be ranked or made again once it is out: `tries`, targets and retries have no say, and the Result's
    notes say so. Key and chords are held bar by bar; a part that would complete a match with a registry of `guard`
    rests for that bar. Errors as of `generate`, at once.

    >>> from partimento.models.random import Random
    >>> bars = stream(Request(bars=3, seed=1), Random())
    >>> sum(len(bar) for bar in bars) == len(bars.result.score), bars.numbers
    (True, (1, 2, 3))
    """
    resolved, source = _ready(request.replace(stream=True), model, source)
    return _stream(resolved, model, source, guard)


def stamped(result: Result) -> Score:
    """The Score with its seed and settings as a text on the whole piece, from which `remake` rebuilds it."""
    text = Text(0, -1, "text", f"{STAMP}{__version__} {result.request.to_json()}")
    others = tuple(t for t in result.score.texts if not (t.track == -1 and t.text.startswith(STAMP)))
    return result.score.replace(texts=(text, *others))


def stamp_of(score: Score) -> Request:
    """The Request that `stamped` wrote into a Score; RequestError where there is none."""
    for text in score.texts:
        if text.track == -1 and text.text.startswith(STAMP) and "{" in text.text:
            return Request.from_json(text.text[text.text.index("{"):])
    raise RequestError("this file must carry the settings that partimento writes into a piece; it has none, "
                       "so it cannot be replayed")


# --- the steps ---------------------------------------------------------------------------------------------------


def _ready(request: Request, model: Model, source: Score | None) -> tuple[Request, Score | None]:
    """The request with everything filled in, and the piece to work on."""
    if request.verb == "humanize":
        raise RequestError("humanize writes no notes, so no model can do it: use partimento.humanize")
    if not model.fitted:
        raise ModelError(f"this {model.family} model has learnt nothing yet: fit it first, or load a checkpoint")
    if request.input is not None and source is None:
        source = unpack_score(request.input)
    styles = list(model.styles())
    if request.style is not None and request.style not in styles:
        raise ModelError(nearest(request.style, styles, "style") if styles else
                         f"the {model.family} family knows no styles, only rules does: leave the style out")
    return _resolve(request, model, source), source


def _resolve(request: Request, model: Model, source: Score | None) -> Request:
    """Open facts filled in: in the style learnt, then by the house's defaults; and the input put inside."""
    suggested = in_form(model, request).suggest(request, generator(request.seed, 0, 2))
    if request.verb != "compose":
        suggested = request.replace(tracks=suggested.tracks if request.verb == "harmonize" else request.tracks,
                                    temperature=suggested.temperature, top_p=suggested.top_p)
    if any(lacking(suggested, span) for span in request.ranges.values()):     # what was not asked gives way
        suggested = suggested.replace(key=request.key, chords=request.chords)
    defaults: dict[str, object] = {"temperature": 1.0, "top_p": 1.0, **_DEFAULTS.get(request.verb, {})}
    if request.verb == "accompany" and source is not None:
        defaults["tracks"] = accompaniment(source)
    if request.verb == "harmonize" and source is not None:
        defaults["tracks"] = (unused(BAND[0], source),)
    missing = {k: v for k, v in defaults.items() if getattr(suggested, k) in (None, ())}
    if request.verb in ("harmonize", "accompany") and source is not None and request.species is None:
        missing["ranges"] = new_ranges(suggested.replace(**missing), source)
    packed = pack_score(source) if source is not None else None
    return suggested.replace(**missing, input=packed)


class Candidate(NamedTuple):
    """One finished attempt: the whole piece, its new notes, pitches moved to hold the facts, and how far it is off.

    `distance` is in tolerances of the targets; `broken` counts the facts that do not hold; `fault` says in words how
    the music fell apart, if it did.
    """

    score: Score
    new: BoolArray
    moved: int
    distance: float
    broken: int
    fault: str

    @property
    def poor(self) -> str:
        """Why another attempt is called for; empty where none is."""
        return self.fault or ("could not hold a fact" if self.broken else "")


def _one(request: Request, model: Model, source: Score | None, guard: Guard) -> Result:
    if request.stream:
        return _stream(request, model, source, guard).finish()
    model = in_form(model, request)
    made, targets = _canvas(request, model, source)
    tries = request.tries or (TRIES_WITH_TARGETS if targets else 1)
    found = _candidates(request, model, made, targets, [(1, t) for t in range(tries)])
    retries = 0
    while all(c.poor for c in found) and retries < RETRIES:
        found += _candidates(request, model, made, targets, [(4, retries)])
        retries += 1
    best = min(found, key=lambda c: (c.fault != "", c.broken, c.distance))  # the first of equals
    told = (*_told(best, found, retries, tries), *model.remarks(made.around, made.blanks, request))
    best, borrowed, more = _unborrowed(best, request, model, made, targets, guard)
    return _result(request, made, best, targets, (*told, *more), retries, borrowed)


def _unborrowed(best: Candidate, request: Request, model: Model, made: Canvas, targets: list[_Target],
                guard: Guard) -> tuple[Candidate, Borrowed, tuple[str, ...]]:
    """The candidate with what it borrowed written anew, how it stands beside the corpus, and what is worth telling.

    First the cells that borrow, then, where that does not help, everything; the one that borrows least is taken.
    ModelError where each matches a registry.
    """
    borrowed = first = guard.look(best.score, best.new, request.originality)
    tried = [(best, borrowed)]
    while borrowed.cells and len(tried) <= REWRITES:
        k = len(tried) - 1
        cells = parts_in(borrowed.cells, made.blanks)
        if k < REWRITES // 2 and cells and model.can(*_reopened(best, cells), request) is None:
            around, blanks = _reopened(best, cells)
            fresh = model.fill(around, blanks, request, [generator(request.seed, request.index, 5, k)])[0]
            score, _, moved = _finish(fresh, made._replace(around=around, blanks=blanks), request)
            kept = made.around.select(~made.blanks.rewritten(made.around))
            best = _candidate(score, _not_of(score, kept), best.moved + moved, request, made, targets)
        else:
            best = _candidates(request, model, made, targets, [(5, k)])[0]
        borrowed = guard.look(best.score, best.new, request.originality)
        tried.append((best, borrowed))
    best, borrowed = min(tried, key=lambda one: (len(one[1].matches), one[0].fault != "", one[0].broken,
                                                 sum(cell.end - cell.start for cell in one[1].cells)))
    if borrowed.matches:
        raise ModelError(f"a piece must not match what authors have opted out by a registry; each of {len(tried)} "
                         "attempts did: take another --seed, or ask for something else")
    return best, borrowed, _told_borrowed(first, borrowed, len(tried) - 1)


def _reopened(best: Candidate, cells: Sequence[Region]) -> tuple[Score, Blanks]:
    """The finished piece as a frame in which only some cells are blank, with what of them was there before pinned."""
    opened = Blanks(tuple(cells))
    let_go = best.new & opened.inside(best.score, "all")
    around, new = best.score.select(~let_go), best.new[~let_go]
    return around, Blanks(opened.regions, tuple(np.flatnonzero(opened.inside(around) & ~new).tolist()))


def _canvas(request: Request, model: Model, source: Score | None) -> tuple[Canvas, list[_Target]]:
    """The frame and the targets of a resolved request; an error where the model, or anyone, cannot do it."""
    made = frame(request, source)
    names = [track.name for track in made.around.tracks]
    for name in request.ranges:
        if name not in names:
            raise RequestError(nearest(name, names, "track"))
    check_ranges(made.around, made.blanks.tracks(), request)
    targets = _targets(request, made.around)
    if request.species is not None and not model.knows_species:
        raise ModelError(f"species counterpoint needs a family that knows its rules; the {model.family} family does "
                         "not: take --model rules")
    why_not = model.can(made.around, made.blanks, request)
    if why_not is not None:
        raise ModelError(why_not)
    return made, targets


def _stream(request: Request, model: Model, source: Score | None, guard: Guard) -> Streaming:
    model = in_form(model, request)
    made, targets = _canvas(request, model, source)
    around, regions = made.around, made.blanks.regions
    spans = list(zip(around.bar_starts[:-1].tolist(), around.bar_starts[1:].tolist(), strict=True))
    written = [any(r.start < end and start < r.end for r in regions) for start, end in spans]
    numbers = [around.bar_number(start) for (start, _), here in zip(spans, written, strict=True) if here]

    def bars() -> Generator[Score, None, Result]:
        score, moved, silenced, left = around.select(~made.blanks.rewritten(around)), 0, 0, len(numbers)
        new = np.zeros(len(score), bool)
        parts = model.stream(around, made.blanks, request, generator(request.seed, request.index, 1, 0))
        for (start, end), here, part in zip(spans, written, parts if numbers else [around] * len(spans), strict=True):
            if here:
                left -= 1
                step = made if left == 0 else made._replace(finished=False)
                older = score.select(new)
                score, new, mended = _finish(part, step, request, older)
                caught = guard.look(score, new, "off").cells
                if caught:
                    tracks = [cell.track for cell in caught]
                    rest = part.select(~np.isin(part.track, tracks))
                    score, new, mended = _finish(rest, step, request, older)
                    silenced += len(set(tracks))
                moved += mended
                yield score.select((score.onset >= start) & (score.onset < end))
        best = _candidate(score, new, moved, request, made, targets)
        borrowed = guard.look(score, new, request.originality)
        told = ("streamed: the first attempt as it came, without ranking or retries", *_told(best, [best], 0, 1),
                *model.remarks(around, made.blanks, request), *_told_borrowed(borrowed, borrowed, 0))
        if silenced:
            told += (f"{silenced} bar{'s' * (silenced > 1)} of a track left empty, since it matched a registry of "
                     "music that may not be used",)
        return _result(request, made, best, targets, told, 0, borrowed)

    return Streaming(request, numbers, bars())


def _candidates(request: Request, model: Model, made: Canvas, targets: list[_Target],
                paths: Sequence[tuple[int, int]]) -> list[Candidate]:
    rngs = [generator(request.seed, request.index, *path) for path in paths]
    blank = bool(made.blanks.regions)
    filled = model.fill(made.around, made.blanks, request, rngs) if blank else [made.around.without_notes()]
    return [_candidate(*_finish(fresh, made, request), request, made, targets) for fresh in filled]


def _candidate(score: Score, new: BoolArray, moved: int, request: Request, made: Canvas,
               targets: list[_Target]) -> Candidate:
    distance = sum(target.distance(score) for target in targets)
    broken = sum(not verdict.ok for _, verdict in _verdicts(request, made, score, new))
    return Candidate(score, new, moved, distance, broken, collapse(score, new, made.blanks, request.loop))


def _result(request: Request, made: Canvas, best: Candidate, targets: list[_Target], told: tuple[str, ...],
            retries: int, borrowed: Borrowed) -> Result:
    rows = _rows(request, made, best, targets)
    if borrowed.originality is not None:
        rows += (Row("originality", request.originality, borrowed.originality.verdict, not borrowed.cells),)
    return Result(best.score, request, rows, best.new, made.blanks.regions, told, retries, best.moved,
                  platform_string(__version__), borrowed.as_dict())


def _finish(fresh: Score, made: Canvas, request: Request, older: Score | None = None) -> tuple[Score, BoolArray, int]:
    """Clip the new notes to their blanks, put them beside what is kept, and mend key and chords.

    `older` are new notes that are out already: they stay as they are, and count for the facts.
    """
    around, blanks = made.around, made.blanks
    kept = around.select(~blanks.rewritten(around))
    base = kept if older is None else kept.with_notes_of(older)
    new = _clip(fresh, base, blanks, track_ranges(around, request))
    score = base.with_notes_of(new)
    key = theory.parse_key(request.key) if request.key else None
    chords = score.chords if request.chords else ()
    if key is None and not chords:
        return score, _not_of(score, kept), 0
    mended, moved = controls.mend_facts(score, key, chords, _not_of(score, base), track_ranges(around, request),
                                        made.finished, notes=_not_of(score, kept), shorten=request.open == "all")
    if moved:
        new = _clip(mended.select(_not_of(mended, base)), base, blanks, track_ranges(around, request))
        score = base.with_notes_of(new)
    return score, _not_of(score, kept), moved


def _clip(new: Score, kept: Score, blanks: Blanks, ranges: list[tuple[int, int]]) -> Score:
    """New notes inside their blanks and ranges, at least a tick long, with no pitch sounding twice in a track.

    A note stops before the next of its pitch in its track, kept or new, at the end of the piece, and where the kept
    music of its track goes on after its blank (after less than a bar, or where none does: one bar later); one that
    would begin while a kept note of its pitch sounds, or with another new one, is dropped. Where only the pitch is
    open, a note of no length stays one.
    """
    new = new.select(blanks.inside(new))
    span = np.array(ranges, np.int64).reshape(-1, 2)[new.track]
    pitch = _fold(new.pitch.astype(np.int64), span[:, 0], span[:, 1])
    order = np.lexsort((new.onset, pitch, new.track))
    onset, track = new.onset[order].astype(np.int64), new.track[order]
    least = np.where(blanks.inside(new, "pitch"), 0, 1)[order]
    pitch, duration = pitch[order], np.maximum(new.duration[order].astype(np.int64), least)
    velocity = np.clip(new.velocity[order], 1, 127)
    stay = np.ones(len(order), bool)
    lane = track.astype(np.int64) * 128 + pitch
    same_next = np.append(lane[1:] == lane[:-1], False) if len(lane) else np.zeros(0, bool)
    after = np.append(onset[1:], 0) if len(onset) else onset
    stay[1:] &= ~(same_next[:-1] & (onset[1:] == onset[:-1]))
    stop = np.where(same_next & (after > onset), after, kept.end)
    kept_lane = kept.track.astype(np.int64) * 128 + kept.pitch
    for value in np.intersect1d(np.unique(lane), np.unique(kept_lane)):
        mine, theirs = np.flatnonzero(lane == value), np.flatnonzero(kept_lane == value)
        begins, ends = kept.onset[theirs], np.maximum(kept.offset[theirs], kept.onset[theirs] + 1)
        for i in mine:
            stay[i] &= not ((begins <= onset[i]) & (onset[i] < ends)).any()
            later = begins[begins > onset[i]]
            stop[i] = min(stop[i], later.min()) if len(later) else stop[i]
    for region in blanks.regions:
        bar = kept.full_bar_ticks(region.start)
        going = kept.onset[(kept.track == region.track) & (kept.onset >= region.end)]
        if region.open == "all" and region.end < kept.end:
            inside = (track == region.track) & (onset >= region.start) & (onset < region.end)
            limit = int(going.min()) if region.end - region.start >= bar and len(going) else region.end + bar
            stop[inside] = np.minimum(stop[inside], limit)
    duration = np.minimum(duration, stop - onset)
    stay &= duration >= least
    return kept.with_rows(np.stack([onset, duration, pitch, velocity, track], axis=1)[stay])


def _fold(pitch: Ticks, low: Ticks, high: Ticks) -> Ticks:
    """Pitches moved by octaves into [low, high], or to its edge where no octave fits."""
    up = np.where(pitch < low, pitch + 12 * -((pitch - low) // 12), pitch)
    down = np.where(up > high, up - 12 * -((high - up) // 12), up)
    return np.asarray(np.clip(down, low, high))


def _not_of(score: Score, part: Score) -> BoolArray:
    """bool[n]: which notes of `score` are not those of `part` (each note of `part` stands in it)."""
    there = {tuple(row) for row in part.notes().tolist()}
    return np.array([tuple(row) not in there for row in score.notes().tolist()], bool)


# --- what was asked, what was got --------------------------------------------------------------------------------


class _Target(NamedTuple):
    name: str
    control: controls.Control
    track: int | None
    asked: float

    def distance(self, score: Score) -> float:
        """How many tolerances the measure is from the wish; a measure that cannot be taken counts as far."""
        got = self.control.measure(score, self.track)
        return 50.0 if got is None else max(0.0, abs(got - self.asked) / self.control.tolerance - 0.5)


def _targets(request: Request, around: Score) -> list[_Target]:
    out = []
    for name, asked in request.targets.items():
        track_name, control_name, value = controls.parse_target(f"{name}={asked}")
        track = None
        if track_name is not None:
            names = [t.name.lower() for t in around.tracks]
            if track_name.lower() not in names:
                raise RequestError(nearest(track_name, [t.name for t in around.tracks], "track"))
            track = names.index(track_name.lower())
        out.append(_Target(name, controls.CONTROLS[control_name], track, value))
    return out


def _verdicts(request: Request, made: Canvas, score: Score, new: BoolArray) -> list[tuple[str, controls.Verdict]]:
    out = []
    if request.key:
        notes = None if request.verb == "compose" else new
        verdict = controls.key_holds(score, theory.parse_key(request.key), notes=notes, finished=made.finished,
                                     chords=score.chords if request.chords else ())
        out.append(("key", verdict))
    if request.chords:
        out.append(("chords", controls.chords_hold(score, score.chords, notes=new)))
    if request.species:
        out.append(("species", controls.species_holds(score, request.species, new)))
    if request.form:
        out.append(("form", controls.form_holds(score, form_spans(request.form, request.bars))))
    return out


def _rows(request: Request, made: Canvas, best: Candidate, targets: list[_Target]) -> tuple[Row, ...]:
    score, rows = best.score, []
    if request.verb == "compose":
        meter = f"{score.meters[0].numerator}/{score.meters[0].denominator}"
        rows += [Row("bars", str(request.bars), str(score.n_bars), score.n_bars == request.bars),
                 Row("meter", str(request.meter), meter, meter == request.meter),
                 Row("tempo", f"{request.tempo:g}", f"{score.tempos[0].bpm:.4g}",
                     abs(score.tempos[0].bpm - float(request.tempo or 0)) < 0.01),
                 Row("tracks", ", ".join(request.tracks), ", ".join(t.name for t in score.tracks),
                     _same_tracks(request.tracks, score.tracks))]
    for name, verdict in _verdicts(request, made, score, best.new):
        rows.append(Row(name, str(getattr(request, name)), verdict.reason or "holds", verdict.ok))
    ranges = track_ranges(score, request)
    for i, track in enumerate(score.tracks):
        if track.name in request.ranges:
            own = score.pitch[best.new & (score.track == i)]
            got = f"{theory.pitch_name(int(own.min()))}-{theory.pitch_name(int(own.max()))}" if len(own) else "no notes"
            met = not len(own) or bool(own.min() >= ranges[i][0] and own.max() <= ranges[i][1])
            rows.append(Row(f"{track.name} range", request.ranges[track.name], got, met))
    for target in targets:
        got_value = target.control.measure(score, target.track)
        met = got_value is not None and abs(got_value - target.asked) <= target.control.tolerance
        rows.append(Row(target.name, f"{target.asked:g}", "not measurable" if got_value is None else f"{got_value:.3g}",
                        met))
    return tuple(rows)


def _same_tracks(asked: Sequence[str], got: Sequence[Track]) -> bool:
    return [t.name for t in theory.parse_tracks(",".join(asked))] == [t.name for t in got]


def _told(best: Candidate, found: Sequence[Candidate], retries: int, tries: int) -> tuple[str, ...]:
    notes = []
    reasons = " or ".join(dict.fromkeys(c.poor for c in found if c.poor))
    if retries:
        notes.append(f"{retries} attempt{'s' if retries > 1 else ''} more, each with a new sub-seed, since what came "
                     f"before {reasons}")
    if best.fault:
        notes.append(f"every attempt {reasons}: give the model more music, or raise --temperature" if len(found) > 1
                     else f"it {best.fault}: give the model more music, raise --temperature, or try another seed")
    if tries > 1:
        notes.append(f"the best of {tries} attempts was taken")
    if best.moved:
        notes.append(f"{best.moved} new note{'s' if best.moved > 1 else ''} moved to hold the key or the chords")
    return tuple(notes)


def _told_borrowed(first: Borrowed, last: Borrowed, rewrites: int) -> tuple[str, ...]:
    notes = []
    if rewrites:
        why = " and ".join(filter(None, ["borrowed from the music that taught the model" * bool(
            first.originality and first.originality.cells), "matched a registry" * bool(first.matches)]))
        notes.append(f"{rewrites} attempt{'s' * (rewrites > 1)} more at {len(first.cells)} "
                     f"place{'s' * (len(first.cells) > 1)} that {why}")
    if last.originality is not None and last.cells:
        notes.append(f"it still borrows: {last.originality.text}; take another seed, or a model of more music")
    return tuple(notes)
