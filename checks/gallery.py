"""A gallery to read: what every family writes, and pages engraved of music from every set, unpicked.

    python checks/gallery.py FOLDER                  # everything
    python checks/gallery.py FOLDER --only pages     # or: families

``families``: a page of candidates for each wish below. ``pages``: the beginnings of 20 pieces of the sets, 10 composed
pieces and 10 places of performed songs, by seed and unpicked, each as engraved page, roll, MIDI and MusicXML, with what
reading mended, the faults that are found, and one sentence of a reader (``gallery_words.json``); the worst stand first.
Sets that are not here are left out, and it says so.
"""

from __future__ import annotations

import argparse
import html
import json
import random
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))
import music_sets

from partimento import formats, output, verbs
from partimento.errors import PartimentoError
from partimento.formats import frame_notices, rebar
from partimento.judge.faults import findings, findings_text
from partimento.notation.play import in_order
from partimento.score import Score

WORDS = Path(__file__).with_name("gallery_words.json")
FAMILIES = ("markov", "random")
WISHES = {
    "a waltz for violin and piano": '--bars 12 --meter 3/4 --key "E minor" --tempo 92 --tracks violin,piano',
    "a song for flute, piano and bass": '--bars 16 --meter 4/4 --key "G major" --tempo 112 --tracks flute,piano,bass',
    "chords given": '--bars 8 --chords "Am F C G" --tracks piano,bass',
    "a loop with drums": "--bars 4 --loop --tempo 120 --tracks piano,bass,drums",
    "five beats to a bar": '--bars 8 --meter 5/4 --key "D major" --tracks cello,piano',
}
SETS = {"openscore_lieder": "*.mxl", "chopin_first_editions": "*.krn", "open_hymnal": "*.abc", "openewld": "*.mxl",
        "mutopia_midi": "*.mid", "openscore_quartets": "*.mxl", "polish_piano": "*.krn", "nottingham": "*.abc",
        "openscore_orchestra": "*.mxl", "freedoom_midi": "*.mid"}
COMPOSED = ({"tracks": "piano"}, {"tracks": "violin,piano"}, {"tracks": "flute,cello"},
            {"tracks": "soprano,alto,tenor,bass"}, {"tracks": "piano,bass,drums"})
BARS = 24


class Piece(NamedTuple):
    """One entry of the pages: its name, the words under it, and its music."""

    name: str
    about: str
    score: Score


def main() -> int:
    """Make the gallery; return 1 where a piece of it could not be made."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", choices=["families", "pages"])
    wish = parser.parse_args()
    wish.folder.mkdir(parents=True, exist_ok=True)
    items, failed = [], 0
    if wish.only != "pages":
        found, failed = families(wish.folder)
        items += found
    if wish.only != "families":
        found, more = pages(wish.folder / "pages")
        items += found
        failed += more
    index = wish.folder / "index.html"
    page = ['<!doctype html><meta charset="utf-8"><title>partimento</title>',
            "<style>img{max-width:45em;width:100%;border:1px solid #ccc}li{margin:1em 0}</style><ul>", *items, "</ul>"]
    index.write_text("\n".join(page), encoding="utf-8")
    print(index)
    return 1 if failed else 0


def families(folder: Path) -> tuple[list[str], int]:
    """Return the entries of what every family composes to every wish, and how many failed."""
    items, failed = [], 0
    for number, (title, wish) in enumerate(WISHES.items(), 1):
        for family in FAMILIES:
            place = f"{number}-{family}"
            words = ["compose", "--model", family, *shlex.split(wish), "--seed", str(number), "-n", "4"]
            out = ["--format", "mid,html", "-o", str(folder / place)]
            done = subprocess.run([sys.executable, "-m", "partimento", *words, *out], capture_output=True,
                                  encoding="utf-8", check=False)  # fmt: skip
            command = html.escape(shlex.join(["partimento", *words]))
            if done.returncode:
                failed += 1
                print(f"{title}, {family}: {done.stderr.strip()}", file=sys.stderr)
            else:
                found = sorted((folder / place).glob("*.html"))
                links = " ".join(f'<a href="{place}/{html.escape(page.name)}">{title}, {family}</a>' for page in found)
                items.append(f"<li>{links}<br><code>{command}</code></li>")
    return items, failed


def pages(folder: Path) -> tuple[list[str], int]:
    """Return the entries of the pages, the five worst first, and how many failed."""
    folder.mkdir(parents=True, exist_ok=True)
    words = json.loads(WORDS.read_text(encoding="utf-8")) if WORDS.exists() else {}
    items: dict[str, str] = {}
    failed = 0
    for piece in (*written(), *composed(), *performed()):
        try:
            files = [folder / f"{piece.name}.{make}" for make in ("mid", "musicxml")]
            for file in files:
                formats.write(piece.score, file)
            files += output.render(piece.score, folder / f"{piece.name}.png")
            files += output.render(piece.score, folder / f"{piece.name}.roll.svg")
        except PartimentoError as error:
            failed += 1
            print(f"{piece.name}: {error}", file=sys.stderr)
            continue
        links = " ".join(f'<a href="pages/{html.escape(file.name)}">{html.escape(file.name)}</a>' for file in files)
        sentence = html.escape(words.get(piece.name, "not read yet"))
        faults = html.escape(findings_text(piece.score, findings(piece.score))).replace("\n", "; ")
        items[piece.name] = (f"<li><b>{html.escape(piece.name)}</b>: {html.escape(piece.about)}<br>{sentence}<br>"
                             f"<i>{faults}</i><br>"
                             f'{links}<br><img loading="lazy" src="pages/{html.escape(files[2].name)}"></li>')
    worst = [name for name in words.get("worst", []) if name in items]
    return [items[name] for name in (*worst, *(name for name in items if name not in worst))], failed


def written() -> Iterator[Piece]:
    """Yield the beginnings of 20 pieces, two of each set, by seeds 1 to 20."""
    for seed in range(1, 21):
        name = list(SETS)[(seed - 1) % len(SETS)]
        try:
            files = sorted(music_sets.find(name).rglob(SETS[name]))
        except LookupError as absent:
            print(f"left out: {absent}", file=sys.stderr)
            continue
        tunes = formats.tunes_of(random.Random(seed).choice(files))
        tune = random.Random(seed).choice(tunes)
        reading = formats.read_report(tune)
        mended = ", ".join(f"{what} ({count})" for what, count in reading.repairs.items()) or "nothing mended"
        yield Piece(f"{seed:02}-{name}", f"{Path(tune).name}: {mended}", excerpt(reading.score, 0))


def composed() -> Iterator[Piece]:
    """Yield 10 composed pieces, by seeds 1 to 10."""
    for seed in range(1, 11):
        asked = COMPOSED[(seed - 1) % len(COMPOSED)]
        (result,) = verbs.compose(bars=16, seed=seed, **asked)
        findings = "; ".join(result.notes) or "nothing to tell"
        yield Piece(f"composed-{seed:02}", f"partimento compose --bars 16 --tracks {asked['tracks']} --seed {seed}: "
                                           f"{findings}", result.score)  # fmt: skip


def performed() -> Iterator[Piece]:
    """Yield 10 places of performed songs, by seeds 1 to 10."""
    try:
        files = sorted(path for path in music_sets.find("pop909").rglob("*.mid") if "versions" not in path.parts)
    except LookupError as absent:
        print(f"left out: {absent}", file=sys.stderr)
        return
    for seed in range(1, 11):
        chance = random.Random(seed)
        path = chance.choice(files)
        score = rebar(formats.read(path), (4, 4), "auto")
        first = chance.randrange(max(1, score.n_bars - 16))
        yield Piece(f"performed-{seed:02}", f"{path.name} from bar {first}: {'; '.join(frame_notices(score))}",
                    excerpt(score, first, 16))


def excerpt(score: Score, first: int, bars: int = BARS) -> Score:
    """Return some bars of a Score."""
    return in_order(score, [(bar, 1) for bar in range(first, min(first + bars, score.n_bars))])


if __name__ == "__main__":
    sys.exit(main())
