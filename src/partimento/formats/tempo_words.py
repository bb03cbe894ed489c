"""Tempo words as numbers: what a musician takes an Allegro to be where a page says no more."""

from __future__ import annotations

import re

# Quarter notes a minute, the middle of the ranges that metronomes print beside these words.
_USUAL = {
    "larghissimo": 24, "grave": 40, "largo": 50, "larghetto": 63, "lento": 52, "lent": 52, "lentement": 52,
    "langsam": 56, "slow": 60, "slowly": 60, "adagio": 66, "adagietto": 72, "ruhig": 72, "andante": 76,
    "andantino": 84, "gehend": 80, "modéré": 96, "mässig": 96, "mäßig": 96, "moderato": 108, "moderately": 108,
    "moderate": 108, "allegretto": 112, "assez vif": 120, "animato": 126, "animé": 126, "bewegt": 116, "con moto": 100,
    "lebhaft": 132, "allegro moderato": 116, "allegro non troppo": 120, "allegro ma non troppo": 120,
    "allegro": 132, "fast": 132, "vivo": 152, "vif": 152, "vivace": 152, "rasch": 144, "schnell": 144, "lively": 132,
    "vivacissimo": 172, "presto": 180, "prestissimo": 200, "tempo di valse": 160, "tempo di marcia": 112,
    "tempo di minuetto": 120, "tempo di menuetto": 120, "waltz tempo": 160, "valse": 160, "march": 112,
}
_LONGEST_FIRST = sorted(_USUAL, key=len, reverse=True)
_BEFORE = re.compile(r"^(?:molto|poco|un poco|piuttosto|più|piu|assez|très|tres|sehr|ziemlich|etwas|nicht zu|very|"
                     r"rather|quite|moderately|quasi|un peu|tempo i\b\.?|tempo primo)\s+")
_NUMBER = re.compile(r"=\s*(?:c\.?|ca\.?|circa|approx\.?)?\s*(\d{2,3}(?:\.\d+)?)")


def usual_tempo(words: str) -> float | None:
    """The usual number of quarter notes a minute for tempo words, or a number written in them; None for other words.

    >>> usual_tempo("Allegro con brio"), usual_tempo("Sehr langsam"), usual_tempo("dolce"), usual_tempo("♩ = 92")
    (132, 56, None, 92.0)
    """
    said = " ".join(words.casefold().split())
    found = _NUMBER.search(said)
    if found:
        return float(found[1])
    said = _BEFORE.sub("", said.lstrip("([{“\"'"))
    for word in _LONGEST_FIRST:
        if said.startswith(word) and not said[len(word):len(word) + 1].isalpha():
            return _USUAL[word]
    return None


def returns_to_tempo(words: str) -> str:
    """``last`` for words such as *a tempo*, ``first`` for *Tempo I*, nothing for others.

    >>> returns_to_tempo("a tempo"), returns_to_tempo("Tempo primo"), returns_to_tempo("rit.")
    ('last', 'first', '')
    """
    said = " ".join(words.casefold().split()).strip("().")
    if re.match(r"(?:tempo (?:primo|1mo|1|i)\b|tempo i°|im ersten zeitma|1er mouvement|1o tempo|primo tempo)", said):
        return "first"
    if re.match(r"(?:a tempo|in tempo|au mouv|im tempo|im zeitma|tempo giusto)", said):
        return "last"
    return ""
