"""Writes docs/duplicates.md: the near duplicates among the pieces of the verdict-A sets, most alike first.

    python checks/duplicates.py            # some minutes at first; read scores are kept in the cache
"""

from __future__ import annotations

import sys
from itertools import groupby
from pathlib import Path

sys.path += [str(Path(__file__).resolve().parents[1] / folder) for folder in ("bench", "src")]

from pieces import CLOSED, VERDICT_A, scores_of

from partimento.fingerprint import MelodyPrint, melody_print, near_duplicates

ROOT = Path(__file__).resolve().parents[1]

# Pairs looked at by eye (titles, opus numbers, some notes where they differ): set and set, looked at, the same piece.
# Exercises of one method, canons over one bass and drum patterns were not judged.
LOOKED_AT: dict[tuple[str, str], tuple[int, int]] = {
    ("mutopia_midi", "mutopia_midi"): (34, 31),
    ("mutopia_midi", "openscore_lieder"): (9, 8),
    ("mutopia_midi", "openscore_quartets"): (4, 4),
    ("mutopia_midi", "openscore_orchestra"): (2, 2),
    ("mutopia_midi", "open_hymnal"): (14, 14),
    ("mutopia_midi", "chopin_first_editions"): (20, 20),
    ("mutopia_midi", "polish_piano"): (2, 2),
    ("openscore_lieder", "openscore_lieder"): (16, 8),
    ("openscore_lieder", "openscore_quartets"): (1, 0),
    ("openscore_lieder", "chopin_first_editions"): (6, 6),
    ("openscore_lieder", "polish_piano"): (4, 0),
    ("openscore_quartets", "polish_piano"): (1, 0),
    ("openscore_orchestra", "openscore_orchestra"): (1, 1),
    ("freedoom_midi", "freedoom_midi"): (1, 1),
    ("open_hymnal", "open_hymnal"): (31, 31),
    ("chopin_first_editions", "chopin_first_editions"): (255, 255),
    ("chopin_first_editions", "polish_piano"): (2, 2),
    ("polish_piano", "polish_piano"): (24, 23),
}


def main() -> None:
    """Find the pairs and write them down."""
    names: list[tuple[str, str]] = []
    prints: list[MelodyPrint] = []
    for name in VERDICT_A:
        for place, score in scores_of(name):
            if not place.startswith(CLOSED):
                names.append((name, place))
                prints.append(melody_print(score))
    pairs = [((names[a][0], names[b][0]), share, names[a][1], names[b][1]) for a, b, share in near_duplicates(prints)]
    pairs.sort(key=lambda pair: (VERDICT_A.index(pair[0][0]), VERDICT_A.index(pair[0][1]), -pair[1], pair[2:]))
    looked, right = (sum(counts[i] for counts in LOOKED_AT.values()) for i in (0, 1))
    text = ["# Near duplicates among the verdict-A sets", "",
            f"Written by `python checks/duplicates.py`: {len(pairs)} pairs among {len(prints)} pieces, most alike "
            "first. The number is the share of the shorter piece that agrees. Of mutopia_midi only the folders of "
            "verdict A are in it. In openscore_lieder two files hold another song than their folders say: lc30888626 "
            "is Zemlinsky's Liebe Schwalbe, lc6994338 Mendelssohn's Altdeutsches Frühlingslied.", "",
            f"{looked} pairs were looked at by eye (titles and opus numbers, and some notes where they differ); "
            f"{right} of them are one piece, or a piece and an arrangement, a movement or a long quotation of it. Not "
            "judged were exercises of one method, canons over one bass, and drum patterns.", ""]
    for sets, group in groupby(pairs, key=lambda pair: pair[0]):
        rows = list(group)
        text += [f"## {' and '.join(dict.fromkeys(sets))}", ""]
        if sets in LOOKED_AT:
            text += ["{} pairs, {} looked at, {} right.".format(len(rows), *LOOKED_AT[sets]), ""]
        text += ["| alike | piece | piece |", "|---|---|---|"]
        text += [f"| {share:.2f} | {first} | {second} |".replace("_", "\\_") for _, share, first, second in rows]
        text.append("")
    (ROOT / "docs" / "duplicates.md").write_text("\n".join(text), encoding="utf-8")
    print(f"docs/duplicates.md: {len(pairs)} pairs among {len(prints)} pieces")


if __name__ == "__main__":
    main()
