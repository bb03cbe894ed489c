"""Tempos said in numbers and in words: a number wins, words stand for the usual one, *a tempo* for the one before."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from partimento.formats.tempo_words import returns_to_tempo, usual_tempo

_Time = int | Fraction


class Tempos:
    """What is said of the tempo of a piece, in any order.

    >>> said = Tempos()
    >>> said.words(0, "Allegro"), said.words(4, "rit."), said.words(8, "a tempo"), said.number(16, 60.0)
    (True, False, True, None)
    >>> list(said)
    [(0, 132.0), (8, 132.0), (16, 60.0)]
    """

    def __init__(self) -> None:
        self._numbers: dict[_Time, float] = {}
        self._guesses: dict[_Time, float] = {}
        self._returns: dict[_Time, str] = {}

    def number(self, time: _Time, bpm: float) -> None:
        """A tempo in quarter notes a minute; the first at a moment counts."""
        self._numbers.setdefault(time, bpm)

    def words(self, time: _Time, text: str) -> bool:
        """Words at a moment; whether they are of the tempo."""
        guess, again = usual_tempo(text), returns_to_tempo(text)
        if guess:
            self._guesses.setdefault(time, float(guess))
        elif again:
            self._returns.setdefault(time, again)
        return bool(guess or again)

    def __iter__(self) -> Iterator[tuple[_Time, float]]:
        first = last = 0.0
        for time in sorted({*self._numbers, *self._guesses, *self._returns}):
            bpm = self._numbers.get(time) or self._guesses.get(time) \
                or (first if self._returns.get(time) == "first" else last)
            if bpm:
                yield time, bpm
                first, last = first or bpm, bpm
