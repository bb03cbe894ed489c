"""A gallery of what every family writes: a page of candidates for each line below, and an index of the pages.

    python checks/gallery.py FOLDER
"""

from __future__ import annotations

import html
import shlex
import subprocess
import sys
from pathlib import Path

FAMILIES = ("markov", "random")
WISHES = {
    "a waltz for violin and piano": '--bars 12 --meter 3/4 --key "E minor" --tempo 92 --tracks violin,piano',
    "a song for flute, piano and bass": '--bars 16 --meter 4/4 --key "G major" --tempo 112 --tracks flute,piano,bass',
    "chords given": '--bars 8 --chords "Am F C G" --tracks piano,bass',
    "a loop with drums": "--bars 4 --loop --tempo 120 --tracks piano,bass,drums",
    "five beats to a bar": '--bars 8 --meter 5/4 --key "D major" --tracks cello,piano',
}


def main() -> int:
    """Compose every wish with every family, and write the index; return 1 where one could not be composed."""
    if len(sys.argv) != 2:
        sys.exit("usage: python checks/gallery.py FOLDER")
    folder = Path(sys.argv[1])
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
                pages = sorted((folder / place).glob("*.html"))
                links = " ".join(f'<a href="{place}/{html.escape(page.name)}">{title}, {family}</a>' for page in pages)
                items.append(f"<li>{links}<br><code>{command}</code></li>")
    index = folder / "index.html"
    folder.mkdir(parents=True, exist_ok=True)
    page = ['<!doctype html><meta charset="utf-8"><title>partimento</title><ul>', *items, "</ul>"]
    index.write_text("\n".join(page), encoding="utf-8")
    print(index)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
