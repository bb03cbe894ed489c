"""Fréchet Music Distance: how far two sets of pieces lie apart in the space of the embedding, freed of their size.

After J. Retkowski, J. Stępniak and M. Modrzejewski, "Frechet Music Distance: A Metric for Generative Symbolic Music
Evaluation" (2024): the Fréchet distance of D. C. Dowson and B. V. Landau, "The Fréchet Distance between Multivariate
Normal Distributions" (1982), between the bells fitted to the places of both sets. It is too high for small sets, by
about as much as one over their size; the corrected number is where the line through that ends, as in M. J. Chong and
D. Forsyth, "Effectively Unbiased FID and Inception Score and where to find them", CVPR 2020, drawn here for both sets
at once. Numbers of another embedding, or of another version of this one, cannot be compared with these.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from partimento.errors import RequestError
from partimento.judge.distances import parted
from partimento.judge.embedding import EMBEDDING, embed
from partimento.sampling import generator
from partimento.score import Score

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.int64]

FEWEST = 4                 # pieces in a set
STEADY = 3                 # pieces an axis, from which on the number can be relied on
SHARES = (.6, .7, .8, .9, 1.0)          # of the pieces of both sets, through which the line is drawn
DRAWS, QUICK = 24, 4       # of pieces for each share but all; the same where many such numbers are wanted
RESAMPLES = 200
BANDS = 10                 # times that pieces of the reference are drawn


class Frechet(NamedTuple):
    """The distance of two sets: `value` of these pieces, `corrected` as of endlessly many, each with its 95 % interval.

    `band` and `corrected_band` are the lowest and the highest of real music beside real music: as many pieces of the
    reference, at most half of it, beside its others. `embedding` names the space and its version; `pieces` and
    `reference_pieces` had a place in it. `warning` is a sentence where these are too few for it, else empty.
    """

    value: float
    low: float
    high: float
    corrected: float
    corrected_low: float
    corrected_high: float
    band: tuple[float, float]
    corrected_band: tuple[float, float]
    embedding: str
    pieces: int
    reference_pieces: int
    warning: str = ""

    def as_dict(self) -> dict[str, Any]:
        """All of it, JSON-ready."""
        return self._asdict()


def frechet_distance(places: FloatArray, others: FloatArray) -> float:
    """Return the squared Fréchet distance of the bells fitted to two sets of places (float64[n, d] and [m, d]).

    Covariances are over n − 1, as published, and may be of low rank. RequestError where a set has fewer than two.

    >>> one = np.array([[0.0], [2.0], [4.0]])
    >>> frechet_distance(one, 3 + 2 * one)
    29.0
    """
    if min(len(places), len(others)) < 2:
        raise RequestError(f"a distance of bells needs two places in each set; got {len(places)} and {len(others)}")
    return _between(_bell(places), _bell(others))


class _Bell(NamedTuple):
    mean: FloatArray
    covariance: FloatArray


def _bell(places: FloatArray) -> _Bell:
    mean = places.mean(axis=0)
    apart = places - mean
    return _Bell(mean, apart.T @ apart / (len(places) - 1))


def _between(one: _Bell, other: _Bell) -> float:
    """|μ₁ − μ₂|² + tr(Σ₁ + Σ₂ − 2 (Σ₁ Σ₂)^½); the last trace is that of (Σ₁^½ Σ₂ Σ₁^½)^½, which is symmetric."""
    values, vectors = np.linalg.eigh(one.covariance)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    common = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ other.covariance @ root), 0)).sum()
    apart = one.mean - other.mean
    return max(0.0, float(apart @ apart + np.trace(one.covariance) + np.trace(other.covariance) - 2 * common))


def corrected_distance(places: FloatArray, others: FloatArray, *, seed: int = 0, path: tuple[int, ...] = (),
                       draws: int = DRAWS) -> float:
    """Return the Fréchet distance that endlessly many pieces of both kinds would have, by a line over one over n.

    Parts of both sets, of 0.6 of their pieces and more, are drawn `draws` times by `seed` (and a `path` from it)
    without putting back; the line through their distances ends where one over n is nought. Of sets alike it may lie a
    little below nought.

    >>> places, others = np.random.default_rng(1).normal(size=(2, 200, 8))
    >>> frechet_distance(places, others) > 4 * abs(corrected_distance(places, others))
    True
    """
    rng = generator(seed, *path)
    found, over = [], []
    for share in SHARES:
        for _ in range(draws if share < 1 else 1):
            found.append(frechet_distance(*(table[_some(len(table), share, rng)] for table in (places, others))))
            over.append(1 / share)
    return float(np.polyfit(over, found, 1)[1])


def _some(count: int, share: float, rng: np.random.Generator) -> IndexArray:
    return np.argsort(rng.random(count), kind="stable")[:max(2, round(share * count))].astype(np.int64)


def frechet(music: Sequence[Score], reference: Sequence[Score], *, seed: int = 0) -> Frechet:
    """Return the Fréchet Music Distance of two sets of pieces, in the space of `EMBEDDING`.

    Pieces without notes have no place in it. RequestError where fewer than 4 of a set have one.

    >>> pieces = [Score.from_rows([(240 * i, 240, 60 + i * k % 7, 80, 0) for i in range(32)]) for k in range(1, 7)]
    >>> frechet(pieces, pieces).value
    0.0
    """
    return frechet_of(*(places_of(pieces) for pieces in (music, reference)), seed=seed)


def places_of(pieces: Sequence[Score]) -> FloatArray:
    """Return float64[pieces with notes, d]: the places of pieces in the space of the embedding."""
    found = [place for place in map(embed, pieces) if place is not None]
    return np.array(found) if found else np.zeros((0, 1))


def frechet_of(places: FloatArray, others: FloatArray, *, seed: int = 0) -> Frechet:
    """Return the Fréchet Music Distance of places in the space of the embedding, the others being the reference.

    Intervals are by bootstrap over the pieces of both sets. Pieces drawn twice make a set poorer and all distances
    larger, so what is taken from the bootstrap is how far its numbers lie from their mean. RequestError where either
    set has fewer than 4 places.
    """
    for name, table in (("music", places), ("reference", others)):
        if len(table) < FEWEST:
            raise RequestError(f"a Fréchet Music Distance needs at least {FEWEST} pieces with notes in each set; the "
                               f"{name} has {len(table)}: give more of them")
    rng = generator(seed, 1)
    drawn = []
    for number in range(RESAMPLES):
        one, other = (table[(rng.random(len(table)) * len(table)).astype(np.int64)] for table in (places, others))
        drawn.append(_both(one, other, QUICK, seed, 2, number))
    value, corrected = _both(places, others, DRAWS, seed)
    spread = np.quantile(np.array(drawn) - np.mean(drawn, axis=0), (0.025, 0.975), axis=0)
    size = min(len(places), len(others) // 2)
    real = [_both(others[some], others[rest], DRAWS, seed, 3, k)
            for k, (some, rest) in enumerate(parted(len(others), size, seed + k) for k in range(BANDS))]
    (low, lowest), (high, highest) = np.min(real, axis=0).tolist(), np.max(real, axis=0).tolist()
    if _same(places, others):
        value, corrected, spread = 0.0, 0.0, np.zeros((2, 2))
    least, enough = min(len(places), len(others)), STEADY * places.shape[1]
    warning = "" if least >= enough else (
        f"the Fréchet Music Distance is rough with {least} pieces, of {enough} that it needs to be relied on: look at "
        "where it lies beside real music, not at its size")
    return Frechet(value, max(0.0, value + float(spread[0, 0])), value + float(spread[1, 0]), corrected,
                   corrected + float(spread[0, 1]), corrected + float(spread[1, 1]), (low, high), (lowest, highest),
                   EMBEDDING, len(places), len(others), warning)


def _both(places: FloatArray, others: FloatArray, draws: int, seed: int, *path: int) -> tuple[float, float]:
    return frechet_distance(places, others), corrected_distance(places, others, seed=seed, path=path, draws=draws)


def _same(places: FloatArray, others: FloatArray) -> bool:
    """Whether the same places stand in both, in any order."""
    if places.shape != others.shape:
        return False
    one, other = (table[np.lexsort(table.T)] for table in (places, others))
    return bool(np.allclose(one, other, rtol=0, atol=1e-9))


def frechet_text(found: Frechet) -> str:
    """The distance in words for a terminal."""
    return "\n".join((
        f"Fréchet Music Distance ({found.embedding}): {found.value:.2f} ({found.low:.2f}–{found.high:.2f}), real "
        f"beside real {found.band[0]:.2f}–{found.band[1]:.2f}",
        f"  freed of the sets' size (∞): {found.corrected:.2f} ({found.corrected_low:.2f}–{found.corrected_high:.2f}), "
        f"real beside real {found.corrected_band[0]:.2f}–{found.corrected_band[1]:.2f}"))
