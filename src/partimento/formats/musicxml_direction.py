"""Directions, bar lines and chord symbols of MusicXML: what they say in the terms of a Score."""

from __future__ import annotations

import re
from typing import NamedTuple
from xml.etree.ElementTree import Element

from partimento.formats.loudness import ACCENT, ACCENTS, LEVELS
from partimento.formats.musicxml_harmony import Degree, Root, symbol_of
from partimento.formats.tempo_words import returns_to_tempo, usual_tempo

_BEATS = {"long": 16.0, "breve": 8.0, "whole": 4.0, "half": 2.0, "quarter": 1.0, "eighth": 0.5, "16th": 0.25,
          "32nd": 0.125, "64th": 0.0625}
_STYLES = {"light-light": "double", "heavy-heavy": "double", "light-heavy": "final", "heavy": "final",
           "dashed": "dashed", "dotted": "dashed", "none": "none"}
_CAPO = re.compile(r"^(?:d\.? ?c\.?|da capo)(?= |$|,)", re.IGNORECASE)
_SEGNO = re.compile(r"^(?:d\.? ?s\.?|dal segno|dal s\.?)(?= |$|,)", re.IGNORECASE)
_FINE = re.compile(r"^fine\.?$", re.IGNORECASE)
_SIGNS = ("segno", "coda")
_TO_CODA = re.compile(r"^(?:to coda|al coda|alla coda|to ø|to 𝄌|go to coda)\b", re.IGNORECASE)


class Direction(NamedTuple):
    """What one direction says; texts are empty and numbers 0 where it says nothing of the kind.

    `jump` is a text of a ``repeat`` mark, or ``coda?`` for a sign that does not say which of the two it is.
    """

    words: str
    tempo: float               # quarter notes a minute
    guess: float               # the same, by the words alone
    tempo_words: bool
    dynamic: str
    level: int                 # velocity from here on
    accent: int                # velocity of what begins here
    section: str
    jumps: tuple[str, ...]


def direction_of(element: Element) -> Direction | None:
    """What a ``<direction>`` says, or a ``<sound>`` in one; None where nothing of it is kept."""
    words: list[str] = []
    dynamics: list[str] = []
    section, tempo = "", 0.0
    jumps: list[str] = []
    for kind in element.iterfind("direction-type"):
        for sign in kind:
            if sign.tag == "words":
                words.append(sign.text or "")
            elif sign.tag == "dynamics":
                dynamics += [(said.text or "").strip() if said.tag == "other-dynamics" else said.tag for said in sign]
            elif sign.tag == "metronome":
                tempo = _metronome(sign)
            elif sign.tag == "rehearsal":
                section = section or " ".join((sign.text or "").split())
            elif sign.tag == "segno":
                jumps.append("segno")
            elif sign.tag == "coda":
                jumps.append("coda?")
    said = " ".join(" ".join(words).split())
    sound = element.find("sound")
    loud = 0.0
    if sound is not None:
        tempo = _float(sound.get("tempo")) or tempo
        loud = _float(sound.get("dynamics")) * 0.9
    jumps = _jumps(said, sound, jumps)
    if jumps and any(pattern.match(said) for pattern in (_CAPO, _SEGNO, _TO_CODA, _FINE)):
        said = ""                                    # the words are what the mark says
    dynamic = "".join(dynamics) if all(len(said) <= 1 for said in dynamics) else " ".join(dynamics)
    level, accent = _loudness(dynamic, loud)
    guess = usual_tempo(said) or 0.0 if said else 0.0
    tempo_words = bool(said and (tempo or guess or returns_to_tempo(said)))
    found = Direction(said, tempo, guess, tempo_words, dynamic, level, accent, section, tuple(jumps))
    return found if any(found) else None


def _float(text: str | None) -> float:
    """A number that may be written with anything around it; 0 where there is none."""
    found = re.search(r"\d{1,6}(?:[.,]\d{1,6})?", text or "")
    return float(found[0].replace(",", ".")) if found else 0.0


def _metronome(sign: Element) -> float:
    """Quarter notes a minute of a metronome mark; 0 for an equation of two notes."""
    units = [(unit.text or "").strip() for unit in sign.iterfind("beat-unit")]
    if len(units) != 1 or units[0] not in _BEATS:
        return 0.0
    dots = len(sign.findall("beat-unit-dot"))
    numbers = [float(n) for n in re.findall(r"\d{1,4}(?:\.\d{1,4})?", sign.findtext("per-minute") or "")][:2]
    return sum(numbers) / len(numbers) * _BEATS[units[0]] * (2 - 0.5 ** min(dots, 4)) if numbers else 0.0


def _loudness(dynamic: str, loud: float) -> tuple[int, int]:
    """The level from here on and that of what begins here, 0 for none; `loud` is the number of the file, 0 for none."""
    number = min(max(round(loud), 1), 127) if loud else 0
    if dynamic in LEVELS:
        return number or LEVELS[dynamic], 0
    if dynamic in ACCENTS:
        return LEVELS.get(ACCENTS[dynamic], 0), ACCENT
    words = [LEVELS[word] for word in re.findall(r"\b[pmf]+\b", dynamic) if word in LEVELS]
    return number or (words[-1] if words else 0), 0


def _jumps(said: str, sound: Element | None, signs: list[str]) -> list[str]:
    """The texts of the marks that a direction's words, sound and signs make together."""
    out = []
    goes_on = " al coda" if re.search(r"\b(?:al|alla|e poi la|e poi|to) +(?:coda|ø|𝄌)", said, re.IGNORECASE) \
        else " al fine" if re.search(r"\bal +fine\b", said, re.IGNORECASE) else ""
    says = {} if sound is None else sound.attrib
    if says.get("dacapo") == "yes" or _CAPO.match(said):
        out.append("da capo" + goes_on)
    elif "dalsegno" in says or _SEGNO.match(said):
        out.append("dal segno" + goes_on)
    elif "tocoda" in says or _TO_CODA.match(said):
        out.append("to coda")
        signs = [sign for sign in signs if sign != "coda?"]
    elif "fine" in says or _FINE.match(said):
        out.append("fine")
    if "segno" in says and "segno" not in signs:
        out.append("segno")
    if "coda" in says:
        out.append("coda")
        signs = [sign for sign in signs if sign != "coda?"]
    return out + (signs if not out or out[0] in _SIGNS else [])


def barline_marks(element: Element, last_ending: int) -> list[tuple[bool, str, str]]:
    """The marks of a bar line: whether each stands at the end of the bar, its text and its kind."""
    out = []
    at_end = element.get("location", "right") != "left"
    style = _STYLES.get((element.findtext("bar-style") or "").strip(), "")
    repeat = element.find("repeat")
    ending = element.find("ending")
    if ending is not None:
        if ending.get("type") == "start":
            numbers = [int(n) for n in re.findall(r"\d{1,3}", ending.get("number") or "") if int(n)] or \
                      [int(n) for n in re.findall(r"\d{1,3}", ending.text or "") if int(n)] or [last_ending + 1]
            out.append((False, "ending " + ",".join(map(str, sorted(set(numbers)))), "repeat"))
        else:
            out.append((True, "ending open" if ending.get("type") == "discontinue" else "ending stop", "repeat"))
    if repeat is not None and repeat.get("direction") == "forward":
        out.append((False, "start", "repeat"))
    elif repeat is not None and repeat.get("direction") == "backward":
        times = (repeat.get("times") or "").strip()
        out.append((True, f"end {int(times)}" if times.isdecimal() and 2 < int(times) < 100 else "end", "repeat"))
    elif style:
        out.append((at_end, style, "barline"))
    return out


def chord_symbol(element: Element) -> str | None:
    """The chord symbol that a ``<harmony>`` says; None where it has neither root nor kind ``none``."""
    kind = element.find("kind")
    name = (kind.text or "").strip() if kind is not None else ""
    root = _root(element, "root")
    if root is None and name != "none":
        return None
    degrees: list[Degree] = []
    for degree in element.iterfind("degree"):
        value, alter = (degree.findtext("degree-value") or "").strip(), (degree.findtext("degree-alter") or "").strip()
        if value.isdecimal() and 0 < int(value) <= 13:
            degrees.append((int(value), _alter(alter), (degree.findtext("degree-type") or "add").strip()))
    return symbol_of(root, name, kind.get("text", "") if kind is not None else "", degrees, _root(element, "bass"))


def _root(element: Element, tag: str) -> Root | None:
    found = element.find(tag)
    step = (found.findtext(f"{tag}-step") or "").strip().upper() if found is not None else ""
    if found is None or step not in tuple("CDEFGAB"):
        return None
    return step, _alter((found.findtext(f"{tag}-alter") or "").strip())


def _alter(text: str) -> int:
    found = re.fullmatch(r"[+-]?[0-2](?:\.0*)?", text)
    return int(float(text)) if found else 0
