"""The markov family: n-grams that hear more than their own past.

A piece is written part after part in a settled order (lead, bass, inner parts, drums), each given all that stands
already, what came before and what comes after alike. A part is written in stages, as a player would work out a
partimento: first *when* it plays, then *how many notes* at once, then *which* (line after line of its chords, the
outer ones first), then how *long* each lasts, and last how *loud*. Every stage is a mixture of interpolated
Kneser–Ney n-grams (see `partimento.counting.mixture`) whose contexts mix the line's own last symbols with the place
in the bar, the distance of the end, the key, and what the other parts do now and next; `views` names them. Pitches
are counted as degrees of the key. Where no key is written and too little is kept to hear one, the key is unknown too:
a draw draws it first, and the likelihood sums over all 24.

Because every stage knows a line's own past only through stored contexts, whatever is pinned or kept after a blank is
met with the exact conditional probability of the stage, by backward values over those contexts (`line`); a stage that
is so bound looks only two symbols back and has no memory of the piece. Which rank in its chord a pinned note takes is
drawn evenly among the ranks it can have.

With `product`, as is usual, the views of the pitches are multiplied instead, together with more of them and with a
short-term model of the line itself (see `partimento.counting.blend`): music is more likely by far. Lines that must
meet what is pinned are then led by the sum and chosen among several, and the chance of meeting it may be an estimate
(`joint`).
"""

from __future__ import annotations

import dataclasses
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Sized
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from partimento import habits, theory
from partimento.counting.blend import FOLDS, Blend
from partimento.counting.mixture import Mixture, View
from partimento.errors import ModelError, nearest
from partimento.features import heard_key, written_key_fits
from partimento.models.base import (
    Arrays,
    Copying,
    Forgotten,
    Information,
    LogProb,
    Model,
    Piece,
    Progress,
    Reason,
    Report,
    Rng,
    Table,
)
from partimento.models.markov import forget, views
from partimento.models.markov.explain import Reasons
from partimento.models.markov.groove import grooved
from partimento.models.markov.hands import hands_apart, hands_together, is_piano
from partimento.models.markov.harmony import Harmony, bar_chords, count_chords
from partimento.models.markov.information import markov_information
from partimento.models.markov.joint import CANDIDATES
from partimento.models.markov.learn import STAGES, Rows, add_part, parts_of
from partimento.models.markov.part import LONG, SIZES
from partimento.models.markov.pens import Drawing, Weighing
from partimento.models.markov.sheet import (
    BASS,
    DEGREES,
    DRUMS,
    LEAD,
    PASSING,
    STAND_INS,
    Frame,
    chords_heard,
    keys_over,
    role_signs,
    roles_heard,
    roles_named,
    snapped,
    with_passing_voices,
)
from partimento.models.markov.shown import MOVES, Moves, markov_tables, untold
from partimento.models.markov.taste import is_sharpened, tones_at_home
from partimento.models.markov.write import Page
from partimento.request import Blanks, Request
from partimento.sampling import draw, generator
from partimento.score import Score

GIVEN = ("before", "all")
FACTS = {**habits.KEPT, "roles": 200, "harmony": 4000, "span": 9 * 128}     # rows kept of each
CALM, LIKELY = 1.0, 0.95  # temperature and top-p where none is asked: the tails of smoothing are not music
HANDS = (LEAD, BASS)      # the roles between which a piano lies


@dataclasses.dataclass(frozen=True, kw_only=True)
class MarkovConfig:
    """How far back and at what the family looks.

    `order`: most symbols of a line's own past. `grid`: steps a quarter. `senses`: what besides its own past a line
    looks at. `normalise`: count pitches as degrees of the key; `transpositions`: in how many keys each piece is
    counted (1 its own, 12 all). `given`: whether a part is learnt given the parts written `before` it, `all` others,
    or both.
    `discount` and `strength` of the smoothing; `prune`: contexts of two and more columns seen fewer times are dropped.
    `product`: multiply the views of pitch, with more of them and a short-term model (see `partimento.counting.blend`),
    or else add them; `ahead`: look at what is still to come too (the rhythm, the end) where it is known.
    """

    order: int = 4
    grid: int = 12
    senses: tuple[str, ...] = views.SENSES
    normalise: bool = True
    transpositions: int = 1
    given: tuple[str, ...] = GIVEN
    discount: float = 0.8
    strength: float = 1.0
    prune: int = 1
    product: bool = True
    ahead: bool = True

    def __post_init__(self) -> None:
        for name, low, high in (("order", 0, 6), ("grid", 1, 24), ("transpositions", 1, 12), ("discount", 0.01, 0.99),
                                ("strength", 0.01, 100), ("prune", 1, 1000)):
            if not low <= getattr(self, name) <= high:
                raise ModelError(f"{name} must lie in {low}..{high}; got {getattr(self, name):g}")
        for name, known in (("senses", views.SENSES), ("given", GIVEN)):
            object.__setattr__(self, name, tuple(getattr(self, name)))
            for word in getattr(self, name):
                if word not in known:
                    raise ModelError(nearest(word, known, f"word of {name}"))
        if not self.given:
            raise ModelError("given must hold before, all, or both")


class Markov(Model):
    """Interpolated n-grams with several views, exact in likelihood and between pins.

    `effective` are the effective sample sizes of the lines of the last fill that a product had to choose.

    >>> tune = Score(onset=np.arange(32) * 240, duration=[240] * 32, pitch=[60, 62, 64, 65, 67, 65, 64, 62] * 4,
    ...              velocity=[80] * 32, track=[0] * 32)
    >>> model = Markov(order=2).fit([Piece(tune, "tune")])
    >>> frame = Score(end=7680, tracks=(tune.tracks[0]._replace(name="piano"),))
    >>> new, = model.fill(frame, Blanks.everything(frame), Request(top_p=0.9), [generator(1)])
    >>> len(new) > 8 and len(set(new.pitch.tolist())) > 2
    True
    """

    Config: ClassVar[type] = MarkovConfig
    family: ClassVar[str] = "markov"
    learns: ClassVar[bool] = True
    has_likelihood: ClassVar[bool] = True
    config: MarkovConfig

    def __init__(self, config: Any = None, **settings: Any) -> None:
        super().__init__(config, **settings)
        self._stages: dict[str, Mixture] = {}
        self._tables: dict[str, Any] = {}
        self._told: forget.Told | None = None       # of an older checkpoint not known
        self._moves: Moves | None = None            # nor are these
        self._read: tuple[Score, Reasons] | None = None     # the last Score that was explained
        self.effective: list[float] = []           # sample sizes of the lines that the last fill bound

    @property
    def fitted(self) -> bool:
        """Whether anything has been counted."""
        return bool(self._stages)

    def _mixtures(self) -> dict[str, Mixture]:
        config = self.config
        out: dict[str, Mixture] = {}
        sizes = {"rhythm": LONG * config.grid + 2, "size": SIZES, "pitch": DEGREES, "duration": LONG * config.grid + 2,
                 "velocity": 128}
        for stage in STAGES:
            size = sizes[stage]
            order = min(config.order, 62 // size.bit_length() - 1)
            def seen(some: tuple[View, ...], order: int = order) -> list[View]:
                return views.chosen(some, order, config.senses, config.ahead)
            smoothing: dict[str, Any] = {"discount": config.discount, "strength": config.strength,
                                         "prune": config.prune}
            if config.product and stage == "pitch":
                out[stage] = Blend(seen(views.PITCH + views.PRODUCT), seen(views.RECENT), size, **smoothing)
            else:
                out[stage] = Mixture(seen(getattr(views, stage.upper())), size, **smoothing)
        return out

    # --- learning --------------------------------------------------------------------------------------------

    def fit(self, pieces: Iterable[Piece], *, valid: Iterable[Piece] = (), seed: int = 0, device: str = "auto",
            start: Model | None = None, budget: float | None = None, keep: Path | None = None,
            copying: Copying | None = None, report: Report | None = None) -> Self:
        """Count the pieces; see the contract. It takes no `start`; of a `budget` half goes to reading."""
        if start is not None:
            raise ModelError("the markov family counts all its pieces at once; fit it on the old and the new together")
        stages = self._mixtures()
        rows = {stage: Rows(mixture) for stage, mixture in stages.items()}
        tables: dict[str, Counter[Any]] = {name: Counter() for name in FACTS}
        told, moves = forget.Notebook(), Moves.none()
        total = len(pieces) if isinstance(pieces, Sized) else 0
        used, stopped = 0, False
        until = None if budget is None else time.monotonic() + budget / 2
        for number, piece in enumerate(pieces):
            if until is not None and used and time.monotonic() > until:
                break
            if report is not None and not report(Progress("learning", number, total)):
                stopped = True
                break
            if len(piece.score):
                facts = self._add(rows, piece.score, used, moves)
                for name in FACTS:
                    tables[name].update(facts[name])
                told.add(piece.score, facts)
                used += 1
        if not used:
            raise ModelError("the markov family needs at least one piece with notes to learn from")
        order = _order(used, seed)
        for i, stage in enumerate(STAGES):
            rows[stage].count(order)
            if report is not None and not stopped:
                report(Progress(f"counting {stage}", i + 1, len(STAGES)))
        self._stages, self._told, self._moves = stages, told.told(), moves
        self._tables = self._plain(tables, sorted(rows["rhythm"].parts))
        return self

    def _plain(self, tables: dict[str, Counter[Any]], parts: list[int]) -> dict[str, Any]:
        span = forget.sorted_rows(tables["span"], FACTS["span"])
        return {**habits.plain({**tables, "span": span}, FACTS), "parts": parts}

    def forget(self, pieces: Sequence[Piece]) -> Forgotten:
        """What stays when their counts are subtracted; see the contract."""
        if not self.fitted:
            raise ModelError("a model must be fitted before it forgets")
        rows = {stage: Rows(mixture) for stage, mixture in self._stages.items()}
        tables = forget.counters(self._tables, FACTS)
        left, moves, unsure = self._told, Moves.none(), []
        for piece in pieces:
            times = 1
            if left is not None:
                times, left = left.times(piece.score), left.without(piece.score)
            if not times or not len(piece.score):
                raise ModelError(f"only music that was learnt can be forgotten; {piece.id} was not learnt as it is now")
            for _ in range(times):
                facts = self._add(rows, piece.score, 0, moves)
                tables = {name: forget.without(tables[name], facts[name]) for name in FACTS}
        made, doubts = type(self)(self.config), 0
        for stage, own in rows.items():
            made._stages[stage], number = own.taken_out()
            forget.trimmed(made._stages[stage], stage in ("rhythm", "pitch"))
            doubts += number
        if not len(made._stages["rhythm"].levels[0].symbol):
            raise ModelError("a model must have learnt something else to forget this music; it has not: delete it")
        if left is None:
            unsure.append("which of equally frequent meters, tempos, keys, bands, roles and chords stands first")
        else:
            tables |= left.tables()
        made._told, made._moves = left, self._moves.less(moves) if self._moves is not None else None
        made._tables = made._plain(tables, forget.codes_of(made._stages["rhythm"]))
        if doubts:
            counts = sum(len(level.times) for mixture in made._stages.values() for level in mixture.levels)
            unsure.append(f"{doubts:,} of {counts:,} counts, which may be too low: contexts seen too rarely to be kept "
                          "may have been in other pieces too")
        return Forgotten(made, self._chosen(), tuple(unsure))

    def _chosen(self) -> tuple[str, ...]:
        """What was chosen on the pieces beyond counting them."""
        out = []
        if any((mixture.worth != 1).any() for mixture in self._stages.values()):
            out.append("the weights of the views, learnt on a tenth of the pieces")
        if any(isinstance(mixture, Blend) and mixture.learnt for mixture in self._stages.values()):
            out.append("the powers of the views, learnt on up to all of the pieces, each left out of the counts")
        raised = sum(int((mixture.floors > mixture.prune).sum()) for mixture in self._stages.values()
                     if mixture.floors is not None)
        if raised:
            out.append(f"how rare a context must be to be dropped, in {raised} views that had too many")
        return tuple(out)

    def _add(self, rows: dict[str, Rows], score: Score, number: int, moves: Moves) -> dict[str, Counter[Any]]:
        """Add the rows and the moves of a piece, and give the counts of its facts."""
        tables: dict[str, Counter[Any]] = {name: Counter() for name in FACTS}
        low = -((self.config.transpositions - 1) // 2)
        transpositions = range(low, low + self.config.transpositions)
        frame = Frame(score, self.config.grid)
        notes, _ = snapped(score, self.config.grid)
        filled = np.unique(notes.track).tolist()
        tracks = [score.tracks[i] for i in filled]
        notes = notes._replace(track=np.searchsorted(filled, notes.track))
        heard = roles_heard(tracks, notes, frame.steps)
        for sign, role in zip(role_signs(tracks), heard or (), strict=False):
            tables["roles"][sign, role] += 1
        if heard is not None and PASSING in heard:
            notes = with_passing_voices(tracks, heard, notes)
            filled = np.unique(notes.track).tolist()
            tracks = [tracks[i] for i in filled]
            notes = notes._replace(track=np.searchsorted(filled, notes.track))
            heard = roles_heard(tracks, notes, frame.steps)
        roles = heard or roles_named(tracks)
        default = None if written_key_fits(score) else heard_key(score) or (0, 0)
        keys = keys_over(frame, default if self.config.normalise else (0, 0))
        tonic, minor, chords = bar_chords(score)
        chord = chords_heard(frame, chords, tonic, keys[0])
        for part in parts_of(frame, notes, roles, keys, chord, self.config.given):
            add_part(rows, part, notes.where(notes.track == part.track), number, transpositions)
        moves.add(notes, roles, keys, self.config.grid)
        moves.add_chords(minor, chords)
        for role, track in zip(roles, range(len(tracks)), strict=True):
            tables["span"].update((role, pitch) for pitch in notes.pitch[notes.track == track].tolist())
        if all(track.is_drum for track in tracks):
            return tables  # a drummer alone says nothing of what else a piece is made of
        count_chords(tables["harmony"], score)
        habits.count(tables, score, default or (int(keys[0][0]), int(keys[1][0])), tracks)
        return tables

    # --- composing -------------------------------------------------------------------------------------------

    def can(self, around: Score, blanks: Blanks, request: Request) -> str | None:
        """None, or that the model has not been fitted."""
        return None if self.fitted else "the markov family must be fitted before it composes: train it on some music"

    def fill(self, around: Score, blanks: Blanks, request: Request, rngs: Sequence[Rng]) -> list[Score]:
        """One candidate a generator; see the contract."""
        why_not = self.can(around, blanks, request)
        if why_not is not None:
            raise ModelError(why_not)
        temperature, top_p = request.temperature or 1.0, request.top_p or 1.0
        sharpened = is_sharpened(temperature, top_p)
        apart = hands_apart(around, blanks) if sharpened else None
        page = Page(self.config.grid, apart.around if apart else around, apart.blanks if apart else blanks, request,
                    self._usual_roles(), written=sharpened and request.verb != "continue")
        out, self.effective = [], []
        for rng in rngs:
            key = self._key(page)
            if key is None and self.config.normalise:
                key = self._keys()[draw([weight for _, weight in self._key_weights()], rng.random())]
            pen = Drawing(rng, temperature, top_p)
            harmony = None
            if sharpened:
                ends = request.verb == "continue" and page.ends
                tonic, chords = harmony = Harmony(self._tables["harmony"]).heard(page.kept_score, rng, ends) or (0, ())
                page.tones = tones_at_home(page.kept_score, request.key, [
                    ((chord // 4 + tonic) % 12 if chord >= 0 else -1, chord % 4) for chord in chords], ends)
            new = page.fill(self._stages, self._codes(), key, pen, harmony)
            self.effective += pen.effective
            new = hands_together(new, apart.back, around) if apart else new
            out.append(grooved(new, around, blanks) if sharpened else new)
        return out

    def remarks(self, around: Score, blanks: Blanks, request: Request) -> tuple[str, ...]:
        """How well a product of viewpoints met what was kept in the last fill, where it had to choose among lines; and
        whether it wrote drums that it never heard."""
        told = []
        if DRUMS not in {code // 2 for code in self._tables["parts"]} and any(
                around.tracks[i].is_drum for i in blanks.tracks()):
            told.append("this model has heard no drums, so the drum part is guesswork: train it on music with drums")
        if self.effective:
            told.append(f"lines that had to meet kept notes: each chosen among {CANDIDATES}, worth "
                        f"{min(self.effective):.1f} at the least, {float(np.median(self.effective)):.1f} as a rule "
                        f"(effective sample size, {CANDIDATES} at best)")
        return tuple(told)

    def log_prob(self, score: Score, blanks: Blanks | None = None, request: Request | None = None) -> LogProb:
        """Exact log-probability of what stands in the blanks; see the contract."""
        why_not = self.can(score, Blanks(), Request())
        if why_not is not None:
            raise ModelError(why_not)
        page = Page(self.config.grid, score, blanks or Blanks.everything(score), request,
                    self._usual_roles(), weigh=True)
        key = self._key(page) if self.config.normalise else (0, 0)
        given = key is not None or bool(page.frame.score.keys)
        pen = Weighing()
        page.weigh(self._stages, self._codes(), key if given else self._keys()[0], pen)
        parts = dict(pen.parts)
        if not given:
            weights = self._key_weights()
            by_key = [parts["pitch"] + np.log(weights[0][1])]
            for other, weight in weights[1:]:
                again = Weighing(only="pitch")
                page.weigh(self._stages, self._codes(), other, again)
                by_key.append(again.parts["pitch"] + np.log(weight))
            parts["pitch"] = float(np.logaddexp.reduce(by_key))
        expression = parts.pop("velocity")
        return LogProb(sum(parts.values()), page.count, parts, expression)

    def explain(self, score: Score, note: int) -> Reason | None:
        """Which context gave this note its pitch, how often it was seen, and what else was likely."""
        if not self.fitted or not 0 <= note < len(score):
            return None
        if self._read is None or self._read[0] is not score or self._read[1].stages is not self._stages:
            page = Page(self.config.grid, score, Blanks.everything(score), None, self._usual_roles(), weigh=True)
            key = self._key(page)
            if key is None and not score.keys:
                key = heard_key(score)
            self._read = score, Reasons(page, self._stages, self._codes(), key)
        return self._read[1].of(note)

    def information(self, score: Score, request: Request | None = None) -> Information:
        """What every note tells: when, how many at once, which pitch, how long; see the contract."""
        why_not = self.can(score, Blanks(), Request())
        if why_not is not None:
            raise ModelError(why_not)
        page = Page(self.config.grid, score, Blanks.everything(score), request, self._usual_roles(), weigh=True)
        key = self._key(page)
        given = key is not None or bool(page.frame.score.keys)
        return markov_information(page, self._stages, self._codes(), [(key, 1.0)] if given else self._key_weights())

    def tables(self) -> Sequence[Table]:
        """Chord after chord in both modes; of each role degree after degree, and the time to the next note."""
        return markov_tables(self._tables, self._moves, self.config.normalise) if self.fitted else ()

    def untabled(self) -> str:
        """What an older checkpoint has not kept."""
        return untold(self._moves) if self.fitted else super().untabled()

    def _key(self, page: Page) -> tuple[int, int] | None:
        """The key the kept notes speak of; None where one is written, or where there are too few notes to tell."""
        if not self.config.normalise:
            return 0, 0
        return None if page.frame.score.keys else heard_key(page.kept_score)

    def _keys(self) -> list[tuple[int, int]]:
        return [key for key, _ in self._key_weights()]

    def _key_weights(self) -> list[tuple[tuple[int, int], float]]:
        """All 24 keys (shift, mode) and how likely each is, as often as seen and half a time more."""
        seen = {(int(shift), int(mode)): count for shift, mode, count in self._tables["key"]}
        keys = [(shift, mode) for mode in (0, 1) for shift in range(-5, 7)]
        total = sum(seen.values()) + 12.0
        return [(key, (seen.get(key, 0) + 0.5) / total) for key in keys]

    def _codes(self) -> dict[tuple[int, int], int]:
        """The code that stands for each (role, situation): its own where it was learnt, else the nearest kind's."""
        learnt, out = set(self._tables["parts"]), {}
        for role, others in STAND_INS.items():
            for situation in (0, 1):
                wanted = [r * 2 + s for r in (role, *others) for s in (situation, 1 - situation)]
                out[role, situation] = next((code for code in wanted if code in learnt), min(learnt))
        return out

    def _usual_roles(self) -> dict[str, int]:
        """What tracks of such names, instruments and places most often turned out to be."""
        return {sign: role for sign, role, _ in reversed(self._tables["roles"])}

    def suggest(self, request: Request, rng: Rng) -> Request:
        """The request with bars, meter, tempo, key and tracks filled in as the pieces learnt from have them."""
        if not self.fitted:
            return request
        request = habits.suggested(self._tables, request, rng, CALM, LIKELY)
        if request.verb == "compose" and request.tracks:
            request = request.replace(ranges=self._spans(request))
        if request.verb == "compose" and request.chords is None and request.key and request.bars:
            key = theory.parse_key(request.key)
            harmony = Harmony(self._tables["harmony"])
            chords = harmony.draw(key.tonic, key.mode == "minor", request.bars, rng, closed=not request.loop)
            request = request.replace(chords=chords)
        return request

    def _spans(self, request: Request) -> dict[str, str]:
        """The ranges asked, and for every other pitched track where nearly all notes of its role lie."""
        tracks, usual = theory.parse_tracks(request.tracks), self._usual_roles()
        out = dict(request.ranges)
        for track, sign, named in zip(tracks, role_signs(tracks), roles_named(tracks), strict=True):
            own = HANDS if is_piano(track) else (usual.get(sign, named),)
            rows = [(pitch, count) for role, pitch, count in self._tables["span"] if role in own]
            if track.is_drum or track.name in out or not rows:
                continue
            found = habits.usual_range(rows, track)
            if found is not None:
                out[track.name] = found
        return out

    # --- saving ----------------------------------------------------------------------------------------------

    def state(self) -> tuple[dict[str, Any], Arrays]:
        """The counts as small arrays, and the tables of facts."""
        arrays = {f"{stage}.{name}": array for stage, mixture in self._stages.items()
                  for name, array in mixture.state().items()}
        arrays |= {} if self._moves is None else self._moves.state()
        if self._told is None:
            return {"tables": self._tables}, arrays
        values, more = self._told.state()
        return {"tables": self._tables, "told": values}, {**arrays, **more}

    def restore(self, values: Mapping[str, Any], arrays: Arrays) -> Self:
        """Take back what `state` gave, and return self."""
        if self.config.product and "pitch.powers0.alone" not in arrays:     # an older one, which does not say
            self.config = dataclasses.replace(self.config, product=False)
        stages = self._mixtures()
        for stage, mixture in stages.items():
            mixture.restore({name.partition(".")[2]: array for name, array in arrays.items()
                             if name.startswith(f"{stage}.")})
        self._stages, self._tables = stages, dict(values["tables"])
        self._told = forget.Told.restored(values["told"], arrays) if "told" in values else None
        self._moves = Moves.restored(arrays) if MOVES[0] in arrays else None
        return self


def _order(count: int, seed: int) -> list[int]:
    """All pieces in seeded order, the first tenth of which is held out; none where there are fewer than ten."""
    if count < FOLDS:
        return []
    return [int(i) for i in np.argsort(generator(seed).random(count), kind="stable")]
