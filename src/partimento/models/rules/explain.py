"""Why a note is there: the chord at its place, the note's place in it, the rules that speak for it, and its rivals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from partimento.models.base import Reason
from partimento.models.rules.basis import home_key, kept_evidence, lay_phrases, lay_slots
from partimento.models.rules.drums import drum_bar
from partimento.models.rules.explain_figures import struck_by, tone_chances
from partimento.models.rules.form import beat_bars
from partimento.models.rules.grammar import harmony_table, progression
from partimento.models.rules.lines import LineRules, choices
from partimento.models.rules.plan import RomanChord, pitch_class_name, roman_chord, symbol_for
from partimento.models.rules.sketch import NoteSpan, Sketch, rules_table
from partimento.models.rules.styles import style_for, style_named, track_roles
from partimento.models.rules.writing import PieceWriter
from partimento.request import Blanks, Region, Request
from partimento.sampling import Legal, generator
from partimento.score import Score
from partimento.theory import DRUM_NAMES, key_name, pitch_name

AROUND = 8              # bars before and after that are analysed
RIVALS = 5
ABSENT = 0.08           # of what sounds, that a tone of a chord counts which is not there, and a bass which is
LEFT_HAND = 60          # the pitch under which a keyboard's notes are taken for the left hand's
_PLACES = ("root", "third", "fifth", "seventh")
_LEVELS = ("on the first beat", "on a beat", "between beats", "off the beat")


def reason_for(score: Score, note: int, style_name: str) -> Reason:
    """Return why a note of a score is there, as the tables of the family tell it.

    The probability is that of its pitch among all others at its place, the notes around as they are, by the costs of
    its kind of line; for a note of a figure, that of its tone among those that the figure may strike there; for a drum,
    how much of the patterns strike it there.
    """
    bars = beat_bars(score)
    tick, track, pitch = int(score.onset[note]), int(score.track[note]), int(score.pitch[note])
    if not score.duration[note]:
        score = score.replace(duration=np.maximum(score.duration, 1))   # a note of no length is heard as a short one
    here = max(int(np.searchsorted([bar.start for bar in bars], tick, "right")) - 1, 0)
    name = style_for(score, Request(), generator(0)) if style_name == "auto" else style_name
    if score.tracks[track].is_drum:
        return _drum_reason(score, bars[here], here, tick, pitch, name)
    sketch, line = analysed(score, here, name, track, tick, pitch)
    place = next(k for k, (on, _, p) in enumerate(line) if on == tick and p == pitch)
    harmony = sketch.harmony_at(tick)
    kind = note_kind(sketch, line, place)
    table = rules_table("melody")
    roles = track_roles(score.tracks)
    role = roles[track]
    top = not _under(score, track, tick, pitch) if role == "keyboard" else \
        pitch == int(score.pitch[(score.track == track) & (score.onset == tick)].max())
    said = str((_row(harmony) or {}).get("rule", ""))
    where = f"{_named(pitch, harmony)} {_LEVELS[sketch.level(tick)]}: {_standing(pitch, harmony, kind)} of " \
            f"{harmony.degree} ({symbol_for(harmony)}) in {key_name(harmony.tonic, harmony.mode)}"
    part_of = "bass" if role == "bass" else role if role in ("chords", "pad") else \
        "" if role != "keyboard" or top else "chords" if "bass" in roles else "left"
    sung = {"upper", "lower"} & set(roles) and not {"keyboard", "chords", "pad"} & set(roles)
    if part_of and not (sung and style_named(name)["inner"] == "harmonies"):
        found = _figure_reason(score, sketch, (track, tick, pitch), name, part_of, here, "bass" in roles)
        if found is not None:
            share, why, others = found
            return Reason(f"{where}; {why}", share, said, tuple(
                (_named(pitch + (tone - pitch + 6) % 12 - 6, harmony), chance) for tone, chance in others)[:RIVALS])
    costs = table["bass" if role == "bass" else "line" if role in ("lead", "keyboard") and top else "inner"]
    low = max(min(p for _, _, p in line[max(place - 2, 0):place + 3]) - 7, 0)
    high = min(max(p for _, _, p in line[max(place - 2, 0):place + 3]) + 7, 127)
    part = line[max(place - 2, 0):place + 3]
    at = place - max(place - 2, 0)
    page = sketch.page(track, [NoteSpan(a, b) for a, b, _ in part], low, high, table["place"])
    chances = choices(page, LineRules(costs), [p for _, _, p in part], at)
    order = [int(k) for k in np.argsort(-chances, kind="stable")]
    rivals = tuple((_named(low + k, harmony), float(chances[k])) for k in order if low + k != pitch)[:RIVALS]
    rule = table["rules"][kind]
    text = f"{where}{_moved(line, place)}; {rule}"
    return Reason(text, float(chances[pitch - low]), said, rivals)


def _under(score: Score, track: int, tick: int, pitch: int) -> bool:
    """Whether a note of a keyboard is one of its accompanying hand: under another that sounds, or low."""
    own = (score.track == track) & (score.onset <= tick) & (score.offset > tick)
    return pitch < LEFT_HAND or bool((score.pitch[own] > pitch).any())


def _figure_reason(score: Score, sketch: Sketch, note: tuple[int, int, int], name: str, part: str, bar: int,
                   has_bass: bool) -> tuple[float, str, list[tuple[int, float]]] | None:
    """The chance of a note's tone in the figure of its part, that rule in words, and the other tones with theirs; None
    where no figure strikes it. `note` is its track, tick and pitch, `bar` the number of its bar."""
    track, tick, pitch = note
    low, high = sketch.bars[0].start, sketch.bars[-1].end
    mine = (score.track == track) & (score.onset >= low) & (score.onset < high)
    onsets = sorted({int(a) for a, p in zip(score.onset[mine], score.pitch[mine], strict=True)
                     if part not in ("left", "chords") or _under(score, track, int(a), int(p))
                     or track_roles(score.tracks)[track] != "keyboard"})
    struck = struck_by(sketch.bars, onsets, tick, style_named(name), part)
    if struck is None:
        return None
    harmony, tones, words = sketch.harmony_at(tick), struck.tones, ""
    rootless = has_bass and part != "bass"
    if bar + 1 == score.n_bars and tick == int(score.bar_starts[bar]):
        tones, words = "R" if part == "bass" else "B*", "the last bar holds its chord"
    elif part == "bass" and tick == harmony.start and tones in ("w", "a"):
        tones = "R"
    elif part != "bass" and not rootless and tick == harmony.start and pitch % 12 == harmony.bass:
        tones = "B"
    if rootless:
        tones = "".join(sign for sign in tones if sign not in "Bof") or "2"
    chances = tone_chances(tones, harmony)
    if not chances.get(pitch % 12):
        return None
    what = "the bass of the chord" if set(tones) <= set("BoR8") else "its fifth" if set(tones) <= set("f5") else \
        "the whole chord" if "*" in tones else "a voice of the chord"
    share = f", one that {100 * struck.share:.0f} % of such parts in the style {name} play" if struck.share else ""
    words = words or f"the figure {struck.name}{share}, strikes {what} there"
    others = sorted(((tone, chance) for tone, chance in chances.items() if tone != pitch % 12),
                    key=lambda one: (-one[1], one[0]))
    return chances[pitch % 12], words, others


def analysed(score: Score, bar: int, style_name: str, track: int, tick: int, pitch: int,
             ) -> tuple[Sketch, list[tuple[int, int, int]]]:
    """Return the sketch that fits the music around a bar best (no draw in it), and the line that a note stands in."""
    bars = beat_bars(score)
    first, stop = max(bar - AROUND, 0), min(bar + AROUND + 1, len(bars))
    window = bars[first:stop]
    low, high = window[0].start, window[-1].end
    near = score.select((score.onset < high) & (score.offset > low) & (score.duration > 0))
    blank = Blanks((Region(track, low, low),))
    style: Mapping[str, Any] = style_named(style_name)
    request = Request()
    rng = generator(0)
    writer = PieceWriter.__new__(PieceWriter)
    writer.around, writer.blanks, writer.request, writer.style, writer.rng = score, blank, request, style, rng
    writer.kept, writer.roles = near, track_roles(score.tracks)
    key = home_key(score, near, request, low, style, rng)
    phrases = lay_phrases(score, window, key, style, rng, "", False, score.has_pickup and first == 0)
    phrases = [p._replace(cadence="", repeats=-1) for p in phrases]
    given = [c.tick for c in score.chords]
    slots = lay_slots(window, phrases, "beats" if style["harmony"].get("slots") == "beats" else "half", given)
    lead = [n for n in writer._kept_line() if low <= n[0] < high]
    evidence = kept_evidence(near, lead, slots)
    found = progression(phrases, slots, evidence=evidence, given=score.chords)
    if style["harmony"]["kind"] == "loops" and not score.chords:
        found = _by_loops(found, near, style["harmony"], key)
    sketch = Sketch(score, window, phrases, found, style, Legal(score, None), rng, 1.0, 1.0, False)
    sketch.add([tuple(row) for row in near.notes().tolist()], fresh=False)
    return sketch, strand(near, track, tick, pitch)


def _by_loops(found: Sequence[RomanChord], near: Score, how: Mapping[str, Any], key: tuple[int, str],
              ) -> list[RomanChord]:
    """The chords found, or those of a style's loops (with sevenths and ninths) that more of what sounds belongs to."""
    tonic, mode = key
    loops = [*how[mode], *how.get(f"{mode}_b", ()), how["close"][mode], how.get("end", {}).get(mode, "")]
    signs = sorted({sign for loop in loops for sign in loop.replace(",", " ").split()})
    pitched = near.select(~np.isin(near.track, [k for k, track in enumerate(near.tracks) if track.is_drum]))
    out = []
    for one in found:
        sounds = np.minimum(pitched.offset, one.end) - np.maximum(pitched.onset, one.start)
        weight = np.bincount(pitched.pitch % 12, np.maximum(sounds, 0), minlength=12)
        low = int(pitched.pitch[sounds > 0].min()) % 12 if (sounds > 0).any() else -1
        choices = [one, *(roman_chord(one.start, one.end, tonic, mode, sign) for sign in signs)]

        def worth(chord: RomanChord, weight: Any = weight, low: int = low) -> float:
            inside = float(weight[list(chord.pitches)].sum()) / max(float(weight.sum()), 1.0)
            absent = sum(not weight[tone] for tone in chord.pitches)
            return inside - ABSENT * absent + ABSENT * (chord.bass == low)

        out.append(max(choices, key=worth))
    return out


def strand(score: Score, track: int, tick: int, pitch: int) -> list[tuple[int, int, int]]:
    """Return the line of a track in which a note stands, as (onset, end, pitch).

    From the note on, and back from it, every next one is the nearest of its moment, the highest of equals; moments
    with nothing within an octave are left out.
    """
    own = score.select(score.track == track)
    moments: dict[int, list[tuple[int, int, int]]] = {}
    for on, off, p in zip(own.onset.tolist(), own.offset.tolist(), own.pitch.tolist(), strict=True):
        moments.setdefault(on, []).append((on, off, p))
    here = next(n for n in moments[tick] if n[2] == pitch)
    out = [here]
    for ticks in (sorted(t for t in moments if t > tick), sorted((t for t in moments if t < tick), reverse=True)):
        last = pitch
        for t in ticks:
            note = min(moments[t], key=lambda n: (abs(n[2] - last), -n[2]))
            if abs(note[2] - last) <= 12:
                out.append(note)
                last = note[2]
    return sorted(out)


def note_kind(sketch: Sketch, line: Sequence[tuple[int, int, int]], place: int) -> str:
    """Return what a note of a line is over its harmony: ``tone`` or ``leading``, else ``passing``, ``neighbour``,
    ``suspension``, ``appoggiatura``, ``anticipation``, ``escape`` or ``free``."""
    tick, _, pitch = line[place]
    harmony = sketch.harmony_at(tick)
    before = pitch - line[place - 1][2] if place else 99
    after = line[place + 1][2] - pitch if place + 1 < len(line) else 99
    if pitch % 12 in harmony.pitches:
        leads = (harmony.tonic + 11) % 12 == pitch % 12 and harmony.function == "D" and after == 1
        return "leading" if leads else "tone"
    into, out = 0 < abs(before) <= 2, 0 < abs(after) <= 2
    if before == 0 and out and after < 0:
        return "suspension"
    if into and out:
        return "passing" if before * after > 0 else "neighbour"
    if after == 0 and place + 1 < len(line) and pitch % 12 in sketch.harmony_at(line[place + 1][0]).pitches:
        return "anticipation"
    if out:
        return "appoggiatura"
    return "escape" if into else "free"


def _named(pitch: int, harmony: RomanChord) -> str:
    """The name of a pitch as it is spelt in the key of its harmony, with its octave."""
    name = pitch_class_name(pitch % 12, harmony.tonic, harmony.mode)
    octave = pitch_name(pitch).lstrip("ABCDEFG#b")
    if name.startswith("Cb"):
        octave = str(int(octave) + 1)
    if name.startswith("B#"):
        octave = str(int(octave) - 1)
    return name + octave


def _standing(pitch: int, harmony: RomanChord, kind: str) -> str:
    if pitch % 12 in harmony.pitches:
        place = harmony.pitches.index(pitch % 12)
        word = _PLACES[place] if place < len(_PLACES) else "upper tone"
        return f"the {word}{', the leading tone,' if kind == 'leading' else ''}"
    article = "an" if kind[0] in "ae" else "a"
    return {"free": "a note outside", "escape": "an escape note outside"}.get(
        kind, f"{article} {kind}{' note' if kind in ('passing', 'neighbour') else ''} outside")


def _moved(line: Sequence[tuple[int, int, int]], place: int) -> str:
    """How the line comes to the note and leaves it, in words."""
    words = []
    for name, ok, by in (("reached", place > 0, line[place][2] - line[place - 1][2]),
                         ("left", place + 1 < len(line), line[min(place + 1, len(line) - 1)][2] - line[place][2])):
        if ok:
            size, way = "step" if abs(by) <= 2 else "leap", "up" if by > 0 else "down"
            words.append(f"{name} by {size} {way}" if by else f"{name} by repetition")
    return (", " + " and ".join(words)) if words else ""


def _row(harmony: RomanChord) -> Mapping[str, Any] | None:
    """The row of the harmony table that a degree stands under."""
    rows = harmony_table()[harmony.mode]
    own, stroke, target = harmony.degree.partition("/")
    base = own.rstrip("0123456789").removesuffix("maj") + stroke + target
    found = rows.get(base)
    return dict(found) if found is not None else None


def _drum_reason(score: Score, bar: Any, number: int, tick: int, key: int, name: str) -> Reason:
    patterns = rules_table("drums")
    style = rules_table("styles")[name]
    own = list(style["drums"]) or [n for n in patterns if n != "about"]
    counts: dict[int, float] = {}
    slack = score.ticks_per_quarter // 6
    for pattern in own:
        struck = {k for t, k, _ in drum_bar(bar, patterns[pattern], number % 2 == 1) if abs(t - tick) <= slack}
        for k in struck:
            counts[k] = counts.get(k, 0.0) + 1.0 / len(own)
    total = sum(counts.values()) + 0.1
    share = (counts.get(key, 0.0) + 0.1 * (key not in counts)) / (total if key in counts else total + 0.1)
    word = DRUM_NAMES.get(key, f"key {key}")
    why = (f"the pattern {' or '.join(own)} strikes it there" if key in counts
           else "no pattern of the style strikes it there: a fill, a crash where a section opens, or the player's own")
    rivals = sorted(((DRUM_NAMES.get(k, str(k)), v / total) for k, v in counts.items() if k != key),
                    key=lambda r: (-r[1], r[0]))
    return Reason(f"{word}: {why}", float(min(share, 1.0)), f"a pattern of the style {name}",
                  tuple(rivals[:RIVALS]))
