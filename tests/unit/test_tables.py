"""What models show as tables: counted again by hand from a small corpus, followed by enumeration, drawn, and old files.
"""

from __future__ import annotations

import itertools
import json
import math
import re
import xml.etree.ElementTree as ElementTree
import zipfile
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest

from partimento import checkpoint
from partimento.cli import main
from partimento.errors import WriteError
from partimento.inspecting import model_tables, table_text
from partimento.models.base import Piece, Table, family
from partimento.models.hmm import Hmm
from partimento.models.hmm.harmony import QUALITIES, STATES, chord_name
from partimento.models.hmm.page import PageGrid
from partimento.models.hmm.rhythm import entries_of
from partimento.models.markov import Markov
from partimento.models.markov.harmony import bar_chords, chord_in_key
from partimento.models.rules.grammar import harmony_table
from partimento.render.heat import heat_page, heat_scene, plain_number, write_heat
from partimento.render.scene import Label
from partimento.score import Chord, Key, Meter, Score, Track
from partimento.testing import small_corpus

COIN = Table("coin", "the chance of each side", ("fair", "bent"), ("head", "tail"), ((0.5, 0.5), (0.996, 0.004)),
             down="coin", across="side", seen=(10, 1200))


def table_named(model, name):
    return next(table for table in model.tables() if table.name == name)


def as_chances(counts, before, after):
    """Counts of (before, after) pairs as rows of chances."""
    return [[counts[b, a] / sum(n for (one, _), n in counts.items() if one == b) for a in after] for b in before]


# --- markov ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def markov():
    return Markov(order=2).fit(small_corpus())


def test_chords_are_what_followed_what_bar_by_bar(markov):
    counts = Counter()
    for piece in small_corpus():
        _, mode, chords = bar_chords(piece.score)
        assert mode == 0
        names = ["none", *(chord_in_key(chord, 0, 0) for chord in chords)]
        counts.update(itertools.pairwise(names))
    table = table_named(markov, "chords in major")
    assert set(table.columns) == {after for _, after in counts}
    assert np.allclose(table.values, as_chances(counts, table.rows, table.columns))
    assert table.seen == tuple(sum(n for (one, _), n in counts.items() if one == name) for name in table.rows)


def test_degrees_and_lengths_are_what_followed_what_note_by_note(markov):
    degrees, lengths = Counter(), Counter()
    scale = ("1", "b2", "2", "b3", "3", "4", "#4", "5", "b6", "6", "b7", "7")
    for piece in small_corpus():
        tune = piece.score.select(piece.score.track == 0)       # in C major
        degrees.update(itertools.pairwise(["none", *(scale[pitch % 12] for pitch in tune.pitch.tolist())]))
        gaps = [str(Fraction(int(gap), 480)) for gap in np.diff(tune.onset)]
        lengths.update(itertools.pairwise(["none", *gaps]))
    for name, counts in (("pitches of the lead in major", degrees), ("rhythm of the lead", lengths)):
        table = table_named(markov, name)
        assert {pair[0] for pair in counts} == set(table.rows)
        assert np.allclose(table.values, as_chances(counts, table.rows, table.columns))
        assert sum(table.seen) == sum(counts.values())


def test_in_minor_degrees_are_over_the_tonic_and_of_chords_the_outer_note_is_counted():
    rows = [(480 * i, 480, p, 80, 0) for i, p in enumerate([57, 60, 64, 57] * 8)]       # A C E A over a fifth below
    rows += [(480 * i, 480, p - 7, 80, 0) for i, p in enumerate([57, 60, 64, 57] * 8)]
    score = Score.from_rows(rows, ticks_per_quarter=480, keys=(Key(0, 0, "minor"),), tracks=(Track("piano"),))
    table = table_named(Markov(order=1).fit([Piece(score, "one")]), "pitches of the keyboard in minor")
    assert table.rows == ("1", "b3", "5", "none")
    assert dict(zip(table.columns, table.values[0], strict=True))["b3"] == pytest.approx(8 / 15)


def test_what_was_forgotten_is_not_counted(markov):
    music = small_corpus()
    less = markov.forget([music[2]]).model
    fresh = Markov(order=2).fit(music[:2] + music[3:])
    assert [table.as_dict() for table in less.tables()] == [table.as_dict() for table in fresh.tables()]


def test_an_older_checkpoint_shows_its_chords_and_says_what_is_missing(markov, tmp_path):
    values, arrays = markov.state()
    old = Markov(order=2).restore(values, {n: a for n, a in arrays.items() if not n.startswith("shown.")})
    assert [table.name for table in old.tables()] == ["chords in major"]
    assert np.allclose(old.tables()[0].values, markov.tables()[0].values)      # so few are kept whole
    assert "older" in old.untabled()
    assert markov.untabled() == ""
    assert old.state()[1].keys() == {n for n in arrays if not n.startswith("shown.")}
    assert old.forget(small_corpus()[:1]).model.untabled() == old.untabled()
    checkpoint.save(old, tmp_path / "old.partimento", record={"pieces": 8})
    assert main(["inspect", str(tmp_path / "old.partimento")]) == 0


def test_the_bundled_checkpoint_still_loads_and_shows_its_chords():
    found = model_tables("markov", "chords")
    assert {"chords in major", "chords in minor", "rhythm of the chords on top"} <= {one.name for one in found.tables}
    assert all(abs(sum(row) - 1) < 1e-9 for table in found.tables for row in table.values)


# --- hmm -------------------------------------------------------------------------------------------------------------

SONGS = ("C C F G C Am F C", "C G C F G G Am C", "F C Am G C F G C")
ROOTS = {"C": (0, 0), "F": (5, 0), "G": (7, 0), "Am": (9, 1)}


def chorded(symbols):
    """A chord a bar of 4/4, written and played, in C major."""
    rows = [(1920 * b, 1920, 48 + (ROOTS[s][0] + t) % 12, 80, 0) for b, s in enumerate(symbols.split())
            for t in ((0, 4, 7), (0, 3, 7))[ROOTS[s][1]]]
    chords = tuple(Chord(1920 * b, s) for b, s in enumerate(symbols.split()))
    return Score.from_rows(rows, end=8 * 1920, ticks_per_quarter=480, keys=(Key(0, 0),), chords=chords,
                           tracks=(Track("piano"),))


def test_the_chain_of_chords_is_counted_and_smoothed_as_a_list_of_moves():
    """P(s_t | s_{t-1}) from the list of all moves, each level of context leaning on the wider one."""
    model = Hmm(states=2, rounds=1, batches=1).fit([Piece(chorded(symbols), symbols) for symbols in SONGS])
    moves = []
    for symbols in SONGS:
        beats = [name for name in symbols.split() for _ in range(4)]
        for t in range(1, 32):
            section = 6 if t // 4 == 7 else 5 if t // 4 == 6 else 0 if t // 4 == 0 else 1 + t // 4 % 4
            moves.append((section, 0 if t % 4 == 0 else 1 if t % 4 == 2 else 2, beats[t - 1], beats[t]))

    def chance(section, place, before, after):
        found = 1 / STATES
        for fits in (lambda m: True, lambda m: m[2] == before, lambda m: m[1:3] == (place, before),
                     lambda m: m[1:3] == (place, before), lambda m: m[:3] == (section, place, before)):
            own = [m[3] for m in moves if fits(m)]
            found = (own.count(after) + 4 * found) / (len(own) + 4)
        return (1 - 1e-4) * found + 1e-4 / STATES

    for name, section, place in (("on the first of a bar", 2, 0), ("inside a bar", 2, 2), ("into the last bar", 6, 0)):
        table = table_named(model, f"chords in major, {name}")
        assert set(table.rows) == set(ROOTS)
        for row, values, seen in zip(table.rows, table.values, table.seen, strict=True):
            wanted = [chance(section, place, row, column) for column in table.columns[:-1]]
            assert np.allclose(values, [*wanted, 1 - sum(wanted)])
            assert seen == sum(m[:3] == (section, place, row) for m in moves)


def test_what_sounds_in_a_chord_is_its_share_of_the_time():
    """P(o_t | s_t) of harmony: every class as long as it sounds, a little for all and more for those of the chord."""
    table = table_named(Hmm(states=2, rounds=1, batches=1).fit([Piece(chorded(s), s) for s in SONGS]), "classes")
    for quality, name in ((0, "major"), (1, "m")):
        beats = 4 * sum(ROOTS[s][1] == quality for symbols in SONGS for s in symbols.split())
        tones = QUALITIES[quality][1]
        share = np.array([(beats + 4.2) if degree in tones else 0.2 for degree in range(12)])
        assert np.allclose(table.values[table.rows.index(name)], share / share.sum())


def test_the_chain_of_patterns_is_what_all_paths_together_expect():
    """P(s_t | s_{t-1}) and P(o_t | s_t) of rhythm: one more round of learning, by listing every path of states."""
    tunes = [[0, 1, 2, 4, 5, 6], [0, 2, 3, 4, 6, 7], [0, 1, 2, 3, 4, 6], [0, 2, 4, 5, 6, 7]]      # onsets, in eighths
    pieces = [Piece(Score.from_rows([(240 * on, 240 * (off - on), 60, 80, 0) for on, off in
                                     itertools.pairwise([*tune, 8])], end=1920, ticks_per_quarter=480,
                                    meters=(Meter(0, 4, 4),), tracks=(Track("flute", 73),)), str(tune))
              for tune in tunes]
    before, after = (Hmm(states=2, rounds=n, batches=1, grid=2).fit(pieces)._learnt.patterns[0] for n in (1, 2))
    moves, marks = np.zeros((4, 2, 2)), np.zeros((2, 2, 2))     # [entry, state, state], [state, slot, onset or not]
    for piece, tune in zip(pieces, tunes, strict=True):
        entries = entries_of(PageGrid(piece.score, 2))
        paths = {path: before.chain.start[path[0]] * math.prod(
            before.chain.moves[entries[t], path[t - 1], path[t]] for t in (1, 2, 3)) * math.prod(
            _seen(before, path[t], t, tune) for t in range(4)) for path in itertools.product((0, 1), repeat=4)}
        for path, weight in paths.items():
            for t in range(4):
                if t:
                    moves[entries[t], path[t - 1], path[t]] += weight / sum(paths.values())
                for slot in (0, 1):
                    marks[path[t], slot, int(2 * t + slot in tune)] += weight / sum(paths.values())
    pooled = moves.sum(axis=0) + 0.05
    wanted = moves + 4 * pooled / pooled.sum(axis=1, keepdims=True)
    assert np.allclose(after.chain.moves, wanted / wanted.sum(axis=2, keepdims=True), atol=1e-5)
    model = Hmm(states=2, rounds=2, batches=1, grid=2).fit(pieces)
    for entry, name in ((0, "on the first of a bar"), (1, "inside a bar")):
        assert np.allclose(table_named(model, f"patterns of the lead, {name}").values, after.chain.moves[entry])
    wide = (marks.sum(axis=0)[:, 1] + 0.05) / (marks.sum(axis=(0, 2)) + 0.5)
    own = (marks[..., 1] + 2 * wide) / (marks.sum(axis=2) + 2)  # of a step of which nothing before is known
    says = np.array(table_named(model, "patterns of the lead").values)
    first = np.array([_first_beats(before, entries_of, pieces, tunes, state) for state in (0, 1)])
    assert np.allclose(says[:, :2], (first[..., 1] + 2 * own) / (first.sum(axis=2) + 2), atol=1e-5)


def _seen(patterns, state, beat, tune):
    """The chance that a state gives to what happens in one beat: onsets, and that every note lasts to the next."""
    out = 1.0
    for slot in (0, 1):
        step = 2 * beat + slot
        last = 0 if beat == 0 else 2 if step - 2 in tune else 1
        chance = patterns.strikes[state, slot, last * 2]
        out *= chance if step in tune else 1 - chance
        if step in tune:
            out *= patterns.full[state, 0 if step == tune[0] else 1]
    return out


def _first_beats(patterns, entries_in, pieces, tunes, state):
    """[slot, onset or not]: how often a state is expected in a first beat, where nothing is known of a beat before."""
    out = np.zeros((2, 2))
    for piece, tune in zip(pieces, tunes, strict=True):
        entries = entries_in(PageGrid(piece.score, 2))
        weights = Counter()
        for path in itertools.product((0, 1), repeat=4):
            weights[path[0]] += patterns.chain.start[path[0]] * math.prod(
                patterns.chain.moves[entries[t], path[t - 1], path[t]] for t in (1, 2, 3)) * math.prod(
                _seen(patterns, path[t], t, tune) for t in range(4))
        for slot in (0, 1):
            out[slot, int(slot in tune)] += weights[state] / weights.total()
    return out


def test_hmm_tables_have_names_a_musician_knows():
    tables = Hmm(states=6, batches=60, rounds=4).fit(small_corpus()).tables()
    chords = next(table for table in tables if table.name == "chords in major, inside a bar")
    assert {"C", "F", "G"} <= set(chords.rows)
    assert set(chords.rows) <= {chord_name(state) for state in range(STATES)}
    says = next(table for table in tables if table.name == "patterns of the lead")
    assert all(re.fullmatch(r"\d+: [-xo.]+( .*)?", name) for name in says.rows)
    assert says.columns[:3] == ("0", "1/12", "1/6")
    assert says.columns[-1] == "held"


# --- rules, and families without -------------------------------------------------------------------------------------


def test_the_grammar_is_shown_as_it_stands_in_its_table():
    table = table_named(family("rules")(), "harmony in major")
    row = harmony_table()["major"]["V"]["next"]
    shown = dict(zip(table.columns, table.values[table.rows.index("V")], strict=True))
    assert {name: chance for name, chance in shown.items() if chance} == pytest.approx(
        {name: weight / sum(row.values()) for name, weight in row.items()})


def test_families_without_tables_say_so_in_a_sentence(capsys):
    for name, said in (("random", "learns nothing"),):
        assert main(["inspect", name]) == 0
        assert said in capsys.readouterr().out
        assert main(["inspect", name, "-o", "none.svg"]) == 1
        assert said in capsys.readouterr().err
    assert "weights of a network" in family("rnn")().untabled()


# --- as text and as pictures -----------------------------------------------------------------------------------------


def test_a_table_as_text_is_a_matrix_where_there_is_room_and_else_the_likeliest():
    assert table_text(COIN).split("\n") == ["coin: the chance of each side", "coin  head  tail   seen",
                                            "fair    50    50     10", "bent   100     ·  1,200"]
    columns = tuple(f"column {i}" for i in range(40))
    wide = Table("wide", "chances", ("row",), (*columns, "others"), ((0.5, 0.3, *[0.005] * 38, 0.01),))
    assert table_text(wide, 80).split("\n")[1].startswith("row  column 0 50, column 1 30, column 2 0")
    assert table_text(wide, 80).endswith("others 18")
    weights = Table("weights", "numbers", ("row",), columns, ((*range(39), -40.5),), "number")
    assert table_text(weights, 80).split("\n")[1].startswith("row  column 39 -40.5, column 38 38")


def test_the_picture_says_every_number_with_its_row_and_column(tmp_path):
    scene = heat_scene([COIN], title="Coins", note="two of them")
    words = [item.text for item in scene.items if isinstance(item, Label)]
    for word in ("Coins", "two of them", "coin", "side", "head", "tail", "fair", "bent", "50", "100", "1,200", "seen"):
        assert word in words
    place = {item.text: item for item in scene.items if isinstance(item, Label)}
    assert abs(place["100"].x - place["head"].x) < 1
    assert abs(place["100"].y - place["bent"].y) < 1
    assert all(0 <= item.x <= scene.width and 0 <= item.y <= scene.height for item in scene.items
               if isinstance(item, Label))
    drawn = write_heat([COIN], tmp_path / "coin.svg").read_text(encoding="utf-8")
    root = ElementTree.fromstring(drawn)
    assert "coin fair, side head: 50 %" in {title.text for title in root.iter("{http://www.w3.org/2000/svg}title")}
    assert write_heat([COIN], tmp_path / "coin.png").read_bytes().startswith(b"\x89PNG")
    page = heat_page([COIN, COIN._replace(name="<b>")], title="Coins & more")
    assert page.count("<figure>") == 2
    assert "&lt;b&gt;" in page
    assert "https:" not in page


def test_numbers_below_nought_have_another_colour_and_pictures_keep_their_tables_apart():
    weights = Table("weights", "numbers", ("a", "b"), ("x",), ((1.5,), (-0.75,)), "number", across="column")
    roles = {item.role for item in heat_scene([weights]).items if not isinstance(item, Label)}
    assert {"t0", "t1"} <= roles
    names = [f"{i} of many" for i in range(9)]
    scene = heat_scene([COIN._replace(name=name) for name in names])
    places = {(item.x, item.y) for item in scene.items if isinstance(item, Label) and item.text in names}
    assert len(places) == 9
    assert plain_number(-0.0004) == "0"


def test_a_picture_that_cannot_be_is_one_sentence(tmp_path):
    with pytest.raises(WriteError, match=r"\.svg, \.png or \.html; got 'coin\.pdf'"):
        write_heat([COIN], tmp_path / "coin.pdf")
    with pytest.raises(WriteError, match="there must be a table"):
        write_heat([], tmp_path / "coin.svg")


def test_the_command_shows_tables_as_text_as_json_and_as_pictures(tmp_path, capsys, markov):
    path = tmp_path / "m.partimento"
    checkpoint.save(markov, path, record={"pieces": 8})
    assert main(["inspect", str(path)]) == 0
    said = capsys.readouterr().out
    assert "chords in major: the chance" in said
    assert "rhythm of the lead" in said
    assert main(["inspect", str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["record"]["pieces"] == 8
    assert [table["name"] for table in found["tables"]] == [table.name for table in markov.tables()]
    for suffix in ("svg", "png", "html"):
        out = tmp_path / f"m.{suffix}"
        assert main(["inspect", str(path), "--table", "lead", "-o", str(out)]) == 0
        said = capsys.readouterr().out
        assert "chords in major" not in said
        assert said.splitlines()[-1] == str(out)
        assert out.stat().st_size > 2000
    assert main(["inspect", str(path), "--table", "leed"]) == 1
    assert "table of this model" in capsys.readouterr().err


def test_a_checkpoint_of_a_family_that_is_not_here_still_says_what_it_is(tmp_path, capsys, markov):
    checkpoint.save(markov, tmp_path / "m.partimento", record={"pieces": 8})
    with zipfile.ZipFile(tmp_path / "m.partimento") as whole, zipfile.ZipFile(tmp_path / "x.partimento", "w") as other:
        for name in whole.namelist():
            data = whole.read(name)
            other.writestr(name, data.replace(b'"markov"', b'"quartz"') if name.endswith(".json") else data)
    assert main(["inspect", str(tmp_path / "x.partimento")]) == 0
    said = capsys.readouterr().out
    assert said.startswith("quartz model")
    assert "its tables cannot be shown" in said
    assert main(["inspect", str(tmp_path / "x.partimento"), "-o", str(tmp_path / "x.svg")]) == 1
