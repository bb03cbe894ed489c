"""Chord symbols as MusicXML says them, a root, a kind, degrees and a bass, and back: for the reader and the writer."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from partimento import theory
from partimento.errors import RequestError

Degree = tuple[int, int, str]           # value 1–13, alteration in semitones, "add", "alter" or "subtract"
Root = tuple[str, int]                  # step A–G and alteration in semitones

# Kind of MusicXML, the suffix musicians write for it, and its tones in semitones over the root.
_KINDS: dict[str, tuple[str, tuple[int, ...]]] = {
    "major": ("", (0, 4, 7)), "minor": ("m", (0, 3, 7)), "augmented": ("aug", (0, 4, 8)),
    "diminished": ("dim", (0, 3, 6)), "dominant": ("7", (0, 4, 7, 10)), "major-seventh": ("maj7", (0, 4, 7, 11)),
    "minor-seventh": ("m7", (0, 3, 7, 10)), "diminished-seventh": ("dim7", (0, 3, 6, 9)),
    "augmented-seventh": ("aug7", (0, 4, 8, 10)), "half-diminished": ("m7b5", (0, 3, 6, 10)),
    "major-minor": ("m(maj7)", (0, 3, 7, 11)), "major-sixth": ("6", (0, 4, 7, 9)), "minor-sixth": ("m6", (0, 3, 7, 9)),
    "dominant-ninth": ("9", (0, 2, 4, 7, 10)), "major-ninth": ("maj9", (0, 2, 4, 7, 11)),
    "minor-ninth": ("m9", (0, 2, 3, 7, 10)), "dominant-11th": ("11", (0, 2, 4, 5, 7, 10)),
    "major-11th": ("maj11", (0, 2, 4, 5, 7, 11)), "minor-11th": ("m11", (0, 2, 3, 5, 7, 10)),
    "dominant-13th": ("13", (0, 2, 4, 7, 9, 10)), "major-13th": ("maj13", (0, 2, 4, 7, 9, 11)),
    "minor-13th": ("m13", (0, 2, 3, 7, 9, 10)), "suspended-second": ("sus2", (0, 2, 7)),
    "suspended-fourth": ("sus4", (0, 5, 7)), "power": ("5", (0, 7))}
# Kinds that programs write though MusicXML has no such.
_OTHER_KINDS = {"": "major", "dominant-seventh": "dominant", "minor-major": "major-minor", "maj69": "major-sixth",
                "augmented-ninth": "augmented-seventh", "diminished-7th": "diminished-seventh", "min": "minor",
                "maj": "major", "dim": "diminished", "aug": "augmented", "minMaj7": "major-minor",
                "sus47": "suspended-fourth"}
_QUALITIES = {"maj": "maj", "Maj": "maj", "M": "maj", "Δ": "maj", "min": "m", "mi": "m", "m": "m", "-": "m",
              "dim": "dim", "°": "dim", "o": "dim", "ø": "ø", "aug": "aug", "+": "aug", "": ""}
_KIND_OF = {suffix: kind for kind, (suffix, _) in _KINDS.items()} | {
    "maj": "major", "ø": "half-diminished", "ø7": "half-diminished", "mmaj7": "major-minor", "majΔ": "major-seventh"}
_SYMBOL = re.compile(r"([A-G])(#|b)?(.*?)(?:/([A-G])(#|b)?)?", re.DOTALL)
_SUFFIX = re.compile(r"(maj|Maj|M(?!aj)|min|mi|m(?!aj)|-(?!5)|dim|aug|Δ|°|ø|o|\+|)"
                     r"(\(?(?:maj|Maj|M)7\)?|69|6/9|5|6|7|9|11|13|)"
                     r"((?:\(?(?:sus2|sus4|sus|add\d+|[b#-]5|b9|#9|#11|b13|no3|no5)\)?,?)*)")
_STEP_PITCH = theory.LETTERS
_NATURAL = {1: 0, 2: 2, 3: 4, 4: 5, 5: 7, 6: 9, 7: 10, 9: 2, 11: 5, 13: 9}
_UPPER = {"dominant-ninth": (9,), "major-ninth": (9,), "minor-ninth": (9,), "dominant-11th": (9, 11),
          "major-11th": (9, 11), "minor-11th": (9, 11), "dominant-13th": (9, 13), "major-13th": (9, 13),
          "minor-13th": (9, 13)}
_NO_CHORD = ("N", "NC", "N.C.", "N.C", "n.c.", "")


class HarmonySign(NamedTuple):
    """A chord symbol in the terms of MusicXML; `root` is None for no chord.

    `text` is the suffix as it is written, without the altered tones that `degrees` names.
    """

    root: Root | None
    kind: str
    text: str
    degrees: tuple[Degree, ...]
    bass: Root | None


def harmony_of(symbol: str) -> HarmonySign:
    """Return root, kind, suffix, degrees and bass of a chord symbol; what is no known chord gets the kind ``other``.

    A symbol that does not begin with a root, as ``N``, gets the kind ``none``. Only sharpened and flattened tones are
    said as degrees, since programs print degrees beside the suffix: ``7sus4`` and ``add9`` stand in the suffix alone.
    Of MusicXML, W3C, 4.0: element kind.

    >>> harmony_of("F#m7b5/E")
    HarmonySign(root=('F', 1), kind='half-diminished', text='m7b5', degrees=(), bass=('E', 0))
    >>> harmony_of("C7b9")[1:4]
    ('dominant', '7', ((9, -1, 'add'),))
    """
    word = " ".join(symbol.split())
    found = _SYMBOL.fullmatch(word)
    if not found:
        return HarmonySign(None, "none", "N.C." if word in _NO_CHORD else word, (), None)
    step, sign, suffix, bass_step, bass_sign = found.groups("")
    root = (step, _alter(sign))
    bass = (bass_step, _alter(bass_sign)) if bass_step else None
    suffix = suffix.strip()
    kind, degrees = _kind_of(suffix)
    parts = _SUFFIX.fullmatch(suffix)
    if degrees and parts and kind != "half-diminished" and all(alter for _, alter, _ in degrees):
        suffix = parts[1] + parts[2]
    else:
        degrees = ()
    return HarmonySign(root, kind, suffix, degrees, bass)


def symbol_of(root: Root | None, kind: str, text: str = "", degrees: Iterable[Degree] = (),
              bass: Root | None = None) -> str:
    """Return the chord symbol for what a ``<harmony>`` says; `text` is the attribute of ``<kind>``, empty where absent.

    The suffix in `text` stands where it agrees with kind and degrees, with the degrees added where it lacks them;
    else the usual suffix of the kind. The kind ``none`` gives ``N`` or, where it has words of its own, these.
    Double sharps and flats give the same pitch with at most one sign.

    >>> symbol_of(("C", 0), "dominant", "7", [(9, -1, "add")], ("B", -1))
    'C7b9/Bb'
    >>> symbol_of(("A", 0), "minor-seventh"), symbol_of(None, "none", "N.C.")
    ('Am7', 'N')
    """
    text = " ".join(text.split())
    if kind == "none" or root is None:
        return "N" if text in _NO_CHORD else text
    kind = _OTHER_KINDS.get(kind, kind)
    suffix = _suffix_of(kind, text, tuple(degrees))
    symbol = _name(root) + (f"({suffix})" if suffix[:1] in ("b", "#") else suffix)     # C(b5) is no Cb5
    return f"{symbol}/{_name(bass)}" if bass and _name(bass) != _name(root) else symbol


def _alter(sign: str) -> int:
    return {"#": 1, "b": -1}.get(sign, 0)


def _name(root: Root) -> str:
    """Letter and at most one sign of a step with its alteration."""
    step, alter = root
    if abs(alter) <= 1:
        return step + ("", "#", "b")[alter]
    return (theory.SHARP_NAMES if alter > 0 else theory.FLAT_NAMES)[(_STEP_PITCH[step] + alter) % 12]


def _kind_of(suffix: str) -> tuple[str, tuple[Degree, ...]]:
    """Kind and degrees of the suffix of a chord symbol; ``other`` where they cannot be said."""
    found = _SUFFIX.fullmatch(suffix.strip())
    if not found:
        return "other", ()
    quality, number, changes = _QUALITIES[found[1]], found[2].strip("()"), re.findall(r"[a-z#b-]+\d*", found[3])
    degrees: list[Degree] = []
    if number in ("69", "6/9"):
        number, degrees = "6", [(9, 0, "add")]
    if number in ("maj7", "Maj7", "M7"):
        quality, number = ("m", "maj7") if quality == "m" else ("maj", "7") if quality == "" else ("?", "")
    if found[1] == "Δ" and not number:
        number = "7"
    if quality + number == "m7" and changes[:1] in (["b5"], ["-5"]):
        quality, changes = "ø", changes[1:]
    kind = "half-diminished" if quality + number == "ø7" else _KIND_OF.get(quality + number, "")
    for change in changes:
        if change.startswith("sus"):
            upper = {"major": (), "dominant": (7,), "dominant-ninth": (7, 9), "dominant-13th": (7, 9, 13)}.get(kind)
            if upper is None:
                return "other", ()
            degrees = [(value, 0, "add") for value in upper] + degrees
            kind = "suspended-second" if change == "sus2" else "suspended-fourth"
        elif change.startswith("no"):
            degrees.append((int(change[2:]), 0, "subtract"))
        else:
            sign, value = re.fullmatch(r"(add|[b#-])(\d+)", change).groups()    # type: ignore[union-attr]
            alter = {"#": 1, "add": 0}.get(sign, -1)
            has = value == "5" or int(value) in _UPPER.get(kind, ())
            degrees.append((int(value), alter, "alter" if has and alter else "add"))
    return (kind, tuple(degrees)) if kind else ("other", ())


def _suffix_of(kind: str, text: str, degrees: tuple[Degree, ...]) -> str:
    """The suffix to write for a kind with its words and degrees."""
    if kind not in _KINDS:
        return text or _degree_words(degrees)
    usual, wanted = _KINDS[kind][0], _tones(kind, degrees)
    if kind.startswith("suspended") and (7, 0, "add") in degrees:
        usual, degrees = "7" + usual, tuple(d for d in degrees if d != (7, 0, "add"))
    words = _degree_words(degrees)
    if text and _heard(text) and not degrees:
        return text
    candidates = ([text, text + words] if text else []) + [usual + words]
    known = [suffix for suffix in candidates if _heard(suffix)]
    exact = [suffix for suffix in known if _heard(suffix) == wanted]
    wider = [suffix for suffix in known if _heard(suffix) > wanted]
    return (exact + wider + known or candidates)[0]


def _degree_words(degrees: tuple[Degree, ...]) -> str:
    said = []
    for value, alter, way in degrees:
        sign = "b" * -alter + "#" * alter
        value = {6: 13}.get(value, value)
        if way == "subtract":
            said.append(f"no{value}")
        elif (value, alter) == (7, 0):
            said.insert(0, "7")
        elif (value, alter) == (7, 1):
            said.insert(0, "maj7")
        else:
            said.append(f"{sign}{value}" if alter else f"add{value}")
    return "".join(said)


def _tones(kind: str, degrees: tuple[Degree, ...]) -> frozenset[int]:
    """Pitch classes over the root of a kind with its degrees."""
    tones = set(_KINDS[kind][1])
    for value, alter, way in degrees:
        tone = (_NATURAL.get(value, 0) + alter) % 12
        if way in ("subtract", "alter"):
            near = {3: {3, 4}, 5: {6, 7, 8}, 7: {9, 10, 11}, 9: {1, 2}, 11: {5, 6}, 13: {8, 9}}.get(value, set())
            tones -= near
        if way != "subtract":
            tones.add(tone)
    return frozenset(tones)


def _heard(suffix: str) -> frozenset[int]:
    """Pitch classes over the root that a suffix means to a musician; empty where it means none that is known."""
    try:
        return theory.parse_chord("C" + suffix).tones
    except RequestError:
        return frozenset()
