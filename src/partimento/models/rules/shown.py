"""The tables of the family that hold numbers: what harmony goes where, what styles draw, what a breach of a rule costs.

They are shown as they stand in ``tables/*.json``, weights of alternatives brought to chances.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from partimento.models.base import Table
from partimento.models.rules.grammar import harmony_table
from partimento.models.rules.sketch import rules_table


def rules_shown() -> list[Table]:
    """The tables: the grammar of harmony in both modes, its rules, the styles, the rules of part-writing."""
    harmony, styles = harmony_table(), rules_table("styles")
    found = []
    for mode in ("major", "minor"):
        rows = {base: row["next"] for base, row in harmony[mode].items()}
        found.append(_chances(f"harmony in {mode}", "the chance of each degree after each, before basses, figures and "
                              "cadences speak", rows, "after", "comes", list(rows)))
        found.append(_chances(f"figures in {mode}", "the chance of each figure (inversions, sevenths; 5 is the plain "
                              "triad) of a degree, before the bass speaks",
                              {base: {figure or "5": weight for figure, weight in row["figures"].items()}
                               for base, row in harmony[mode].items()}, "degree", "figure"))
    found.append(_chances("openings", "the chance of each first chord of a phrase", harmony["opening"], "mode",
                          "chord"))
    found.append(_numbers("steps of harmony", "by how much each rule multiplies the weight of a step",
                          {name.replace("_", " "): {"weight": row["weight"]} for name, row in harmony["steps"].items()},
                          "rule"))
    for mode in ("major", "minor"):
        found.append(_numbers(f"keys near a {mode} one", "how near other keys are, in semitones over the tonic",
                              {f"{row['by']} {row['mode']}": {"weight": row["weight"]}
                               for row in harmony["keys"][mode]}, "key"))
    for name, about in (("meters", "the chance of each meter"), ("modes", "the chance of each mode"),
                        ("forms", "the chance of each form")):
        found.append(_chances(f"{name} of the styles", f"{about} in each style",
                              {style: row[name] for style, row in styles.items()}, "style", name[:-1]))
    found.append(_numbers("styles", "how often a style is drawn (weight), its tempo in quarters a minute, how late the "
                          "second of two swung eighths comes (0: straight), its loudness",
                          {style: {"weight": row["weight"], "slowest": row["tempo"][0], "fastest": row["tempo"][1],
                                   "swing": row["swing"], "loud": row["loud"]} for style, row in styles.items()},
                          "style"))
    leading = rules_table("voice_leading")
    found.append(_numbers("part-writing", "what a breach of each rule costs, in the cost of a leap of a third in an "
                          f"inner voice ({leading['never']:g}: never, where anything else is left)",
                          {name.replace("_", " "): {"cost": leading["never"] if row["weight"] == "never" else
                                                    row["weight"]} for name, row in leading["rules"].items()
                           if "weight" in row}, "rule"))
    return found


def _chances(name: str, about: str, rows: Mapping[str, Mapping[str, float]], down: str, across: str,
             order: Sequence[str] = ()) -> Table:
    columns = list(dict.fromkeys([*(one for one in order if any(one in row for row in rows.values())),
                                  *(column for row in rows.values() for column in row)]))
    total = {label: sum(row.values()) for label, row in rows.items()}
    values = tuple(tuple(row.get(column, 0.0) / total[label] for column in columns) for label, row in rows.items())
    return Table(name, about, tuple(rows), tuple(columns), values, "distribution", down, across)


def _numbers(name: str, about: str, rows: Mapping[str, Mapping[str, Any]], down: str) -> Table:
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    values = tuple(tuple(float(row.get(column, 0.0)) for column in columns) for row in rows.values())
    return Table(name, about, tuple(rows), tuple(columns), values, "number", down)
