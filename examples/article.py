"""The five steps of the best-known tutorial on music by recurrent networks, done here, and what each did without.

    python examples/article.py                      # on small music that it makes itself, in about a minute
    python examples/article.py midi/ --seconds 600  # on a folder of yours

The tutorial reads MIDI files, writes down their notes, cuts them into sequences, trains two or three LSTM layers, and
lets them write a MIDI file. Thousands of programs have copied it, with its faults; each is named beside the line that
does without it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

import partimento
from partimento.data import load
from partimento.score import Score
from partimento.testing import small_corpus

PIECES = 40
ARGMAX = 0.01       # at this temperature the likeliest choice is taken nearly always, as the tutorial does


def main() -> None:
    """Run the five steps and print what came of them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", help="MIDI files; without it small music is made")
    parser.add_argument("--seconds", type=float, default=45.0, help="of training")
    parser.add_argument("--out", type=Path, default=Path("article.mid"), help="what is written")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        try:
            run(given.folder or small_folder(Path(made)), given.seconds, given.out)
        except partimento.PartimentoError as error:
            sys.exit(str(error))


def run(folder: Path, seconds: float, out: Path) -> None:
    """Print how a network trained on a folder does, and write what it composes."""
    # 1. Read MIDI files. The tutorial's reader takes 3 seconds a file of any size; this one takes milliseconds, mends
    #    what is broken and says so, and keeps meters, tempos, tracks and loudness.
    # 2. Take out the notes. The tutorial keeps pitches and chord names in one long list: the parts are merged, and when
    #    each note begins, how long it lasts and how loud it is are thrown away, so that what it writes comes in even
    #    eighths. Here a piece stays a Score.
    # 3. Make sequences. The tutorial learns one vocabulary of all strings that it met: a chord unheard, or the same
    #    chord in another key, is no word at all. Here a note is chosen in stages (when, which track, which pitch, how
    #    long, how loud), and is heard in twelve keys. The tutorial has no split, so it cannot know whether it learnt or
    #    only remembers; here a tenth of the pieces is kept back, whole pieces at a time.
    corpus = load(folder, seed=1)
    print(corpus.summary())

    # 4. Train the network. The tutorial's weights need its notes beside them in a pickle, which runs what it is given;
    #    a checkpoint is one file of plain numbers with what taught it. `budget` is in seconds.
    with tempfile.TemporaryDirectory() as place:
        learnt = partimento.train(corpus, model="rnn", budget=seconds, seed=1, out=Path(place, "article.partimento"))
    if learnt.likelihood is not None:
        print(f"bits a note on unseen pieces: {learnt.likelihood.bits_per_note:.2f} "
              f"(random notes: {learnt.likelihood.random_bits_per_note:.2f})")

    # 5. Generate, and write MIDI. The tutorial takes the likeliest note each time, and so falls into a loop within a
    #    few bars; here every choice is drawn, and a piece that loops all the same is made again.
    piece = partimento.compose(model=learnt.model, bars=16, seed=1)[0]
    partimento.write(piece.score, out)

    likeliest = partimento.compose(model=learnt.model, bars=16, seed=1, temperature=ARGMAX)[0]
    print(f"{'':24}{'the music':>12}{'drawn':>12}{'likeliest':>12}")
    for name, measure in (("immediate repeats", repeats), ("bars heard before", echoes)):
        usual = float(np.mean([measure(one.score) for one in corpus.train]))
        print(f"{name:24}{usual:12.0%}{measure(piece.score):12.0%}{measure(likeliest.score):12.0%}")
    for note in likeliest.notes:
        print(f"likeliest: {note}")
    print(out)


def repeats(score: Score) -> float:
    """Return the share of notes that have the pitch of the note before them in their track.

    >>> repeats(Score.from_rows([(0, 1, 60, 80, 0), (1, 1, 60, 80, 0), (2, 1, 62, 80, 0)]))
    0.5
    """
    lines = [np.diff(score.pitch[score.track == track]) == 0 for track in np.unique(score.track)]
    again = np.concatenate([*lines, np.zeros(0, bool)])
    return float(again.mean()) if len(again) else 0.0


def echoes(score: Score) -> float:
    """Return the share of bars whose notes, with their places and lengths, stood in an earlier bar.

    >>> echoes(Score.from_rows([(0, 480, 60, 80, 0), (1920, 480, 60, 90, 0)], end=3840))
    0.5
    """
    seen: set[tuple[tuple[int, ...], ...]] = set()
    again = 0
    starts = score.bar_starts
    for start, end in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        inside = score.select((score.onset >= start) & (score.onset < end))
        bar = tuple((onset - start, lasts, pitch, track) for onset, lasts, pitch, _, track in inside.notes().tolist())
        again += bar in seen
        seen.add(bar)
    return again / score.n_bars


def small_folder(folder: Path) -> Path:
    """Return a folder with some small made pieces as MIDI files."""
    for piece in small_corpus(count=PIECES):
        partimento.write(piece.score, folder / f"{piece.id}.mid")
    return folder


if __name__ == "__main__":
    main()
