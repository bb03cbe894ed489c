"""ABC tunes into Scores and back, beside music21 on the same tunes.

    python bench/run.py abc_tunes

The tunes are the first thousand of the books of nottingham, cut up before the clock runs; bytes in, a Score out, and
for writing a Score in, bytes out. music21 reads fifty of them, and its time is taken for a thousand; it writes no ABC.
"""

from __future__ import annotations

import warnings

from peers import Row, music, peer, seconds, show, side_by_side, version

from partimento.formats import abc_read, abc_write

TUNES = 1000
FEW = 50
ROUNDS = 3


def tunes() -> list[bytes]:
    """Return the tunes."""
    books = sorted((music("nottingham") / "ABC_cleaned").glob("*.abc"))
    return [tune for book in books for tune in abc_read.tunes(book.read_bytes())][:TUNES]


def main(argv: list[str]) -> list[Row]:
    """Return two rows: reading and writing."""
    data = tunes()
    few = data[::len(data) // FEW][:FEW]
    music21 = peer("music21")

    def theirs() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for tune in few:
                music21.converter.parseData(tune.decode(), format="abc")

    own, other = side_by_side(lambda: [abc_read.parse(tune) for tune in data], theirs, ROUNDS)
    other *= len(data) / FEW
    scores = [abc_read.parse(tune).score for tune in data]
    made = seconds(lambda: [abc_write.dumps(score) for score in scores])
    return [{"name": "1,000 ABC tunes read", "ours": own, "peer": other, "ratio": other / own, "target": "<= 5 s",
             "unit": "s", "n": len(data), "note": f"beside {version(music21)}, {FEW} tunes of them"},
            {"name": "1,000 ABC tunes written", "ours": made, "peer": None, "ratio": None, "target": "<= 30 s",
             "unit": "s", "n": len(data), "note": "from Scores to bytes"}]


if __name__ == "__main__":
    show(main)
