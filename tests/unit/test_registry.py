"""Registries: what they know again, what they keep to themselves, and what an attacker gets out of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from bench_modules import bench
from click.testing import CliRunner

from partimento import cli, formats
from partimento.cli.registry import registry_group
from partimento.data import load as load_corpus
from partimento.data import optout
from partimento.data.ledger import Entry
from partimento.data.reading import File
from partimento.errors import PartimentoError, ReadError, RequestError, WriteError
from partimento.fingerprint import melody_print, registry_runs
from partimento.fingerprint import registry as room
from partimento.fingerprint.lines import PlacedLine, melody_lines, placed_lines
from partimento.fingerprint.registry import Registry, digest
from partimento.fingerprint.registry_runs import OVERLAP, RUN_STEPS, chosen_runs, runs_of, says
from partimento.models.base import Progress
from partimento.score import Meter, Score, Tempo, Track

SALT = b"0123456789abcdef"
STEPS = [-5, -4, -3, -2, -1, 1, 2, 3, 4, 7]


def tune(seed: int, notes: int = 64) -> Score:
    """A melody of its own, of quarters, eighths and halves."""
    random = np.random.default_rng(seed)
    pitch = 60 + np.cumsum(random.choice(STEPS, notes)) % 24
    length = random.choice([240, 480, 480, 960], notes)
    return Score.from_rows(list(zip((np.cumsum(length) - length).tolist(), length.tolist(), pitch.tolist(),
                                    [80] * notes, [0] * notes, strict=True)))


def joined(*parts: Score) -> Score:
    """Pieces one after another, each begun on a quarter note."""
    rows, at = [], 0
    for part in parts:
        moved = part.notes()
        moved[:, 0] += at
        rows.append(moved)
        at += -(-part.end // 480) * 480
    return Score.from_rows(np.concatenate(rows).tolist())


def polyphonic(seed: int) -> Score:
    """Two tracks and two staves, with chords, rests and notes that are not quite together."""
    random = np.random.default_rng(seed)
    n = 80
    return Score(onset=random.integers(0, 40, n) * 240 + random.integers(0, 3, n), duration=random.integers(1, 900, n),
                 pitch=random.integers(48, 85, n), velocity=[80] * n, track=random.integers(0, 2, n),
                 staff=random.integers(1, 3, n))


@pytest.fixture(scope="module")
def mine() -> Registry:
    return Registry.make([tune(0), tune(1)], salt=SALT, note="me")


# --- what it knows again -------------------------------------------------------------------------------------------

@pytest.mark.parametrize("way", [
    lambda score: score, lambda score: score.replace(pitch=score.pitch - 7),
    lambda score: score.replace(ticks_per_quarter=96, tempos=(Tempo(0, 300_000),)),
    lambda score: score.replace(onset=score.onset * 2, duration=score.duration * 2),
    lambda score: score.replace(onset=score.onset + 480, end=score.end + 480, meters=(Meter(0, 5, 8),)),
    lambda score: joined(tune(7), score, tune(8)),
    lambda score: joined(tune(7), score.select((score.onset >= 4800) & (score.onset < 4800 + 32 * 480)), tune(8)),
    lambda score: score.replace(tracks=(Track("Flute", 73),), velocity=score.velocity - 30),
], ids=["as it is", "another key", "another clock and tempo", "twice the values", "other bars", "inside another",
        "32 quarters of it inside another", "another player"])
def test_a_piece_is_known_again(mine: Registry, way: Callable[[Score], Score]) -> None:
    assert mine.matches(way(tune(0)))
    assert mine.matches(way(tune(1)))
    assert not mine.matches(way(tune(2)))


def test_other_pieces_are_not_known(mine: Registry) -> None:
    others = [tune(seed) for seed in range(100, 125)]
    assert mine.meets([melody_print(score) for score in others]) == [None] * 25
    assert mine.matches(tune(0).replace(pitch=(127 - tune(0).pitch))) == []         # upside down


def test_prints_and_scores_meet_the_same(mine: Registry) -> None:
    pieces = [tune(3), joined(tune(4), tune(1)), Score(), polyphonic(0)]
    found = mine.meets([melody_print(score) for score in pieces])
    assert [hit is not None for hit in found] == [bool(mine.matches(score)) for score in pieces]
    assert found[1] in [(match.label, match.number) for match in mine.matches(pieces[1])]


def test_comparing_is_told_and_not_cut_short(mine: Registry) -> None:
    prints = [melody_print(tune(seed)) for seed in range(4)]
    told: list[tuple[int, int]] = []
    mine.meets(prints, lambda done, total: told.append((done, total)) is None)
    runs = {run.tobytes() for seed in range(4) for line in placed_lines(tune(seed)) for run in runs_of(line.symbols)[0]}
    assert told[-1] == (len(runs), len(runs))
    assert [done for done, _ in told] == sorted({done for done, _ in told})
    with pytest.raises(RequestError, match="compared with a registry to its end"):
        mine.meets(prints, lambda done, total: False)
    entries = [Entry(file=f"{i}.mid", sha256=str(i)) for i in range(4)]
    read = {entry.file: File("", music=entry.file) for entry in entries}
    stages: list[Progress] = []
    after, (said,) = optout.apply(entries, read, {str(i): each.to_bytes() for i, each in enumerate(prints)},
                                  optout.OptOut("", {}, {}, {}, (), registry=mine),
                                  lambda progress: stages.append(progress) is None)
    assert [entry.why for entry in after] == ["opted out", "opted out", "", ""]
    assert said == "opt-out: 2 files left out, 2 for a run of melody that the registry has"
    assert (stages[-1].stage, stages[-1].done, stages[-1].total) == ("comparing with the registry", *told[-1])


def test_where_it_stands() -> None:
    """One run of eleven notes, planted at a known place: quarters 20 to 30 of the second track."""
    leaps = [0, 3, 2, 6, 4, 9, 10, 7, 9, 5, 12]
    rows = [(480 * i, 480, 72 + leap, 80, 0) for i, leap in enumerate(leaps)]
    small = Registry.make([Score.from_rows(rows)], note="eleven notes")
    assert small.runs == 1
    under = [(480 * i, 480, 40 + i % 2, 80, 0) for i in range(50)]
    above = [(480 * 20 + 480 * i, 480, 60 + leap, 80, 1) for i, leap in enumerate(leaps)]
    (match,) = small.matches(Score.from_rows(under + above))
    assert match == ("eleven notes", 0, 480 * 20, 480 * 31, 1)


def test_only_runs_with_new_notes_are_looked_at(mine: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    score = joined(tune(0), tune(5))
    new = score.onset >= tune(0).end
    assert mine.matches(score)
    assert mine.matches(score, ~new) == mine.matches(score)
    assert mine.matches(score, new) == []
    tried: list[bytes] = []
    monkeypatch.setattr(room, "digest", lambda run, salt: tried.append(run) or digest(run, salt))
    last = np.zeros(len(score), bool)
    last[-1] = True
    mine.matches(score, last)
    assert len(tried) <= 2                              # the run that ends with it, in the line and the plain line
    mine.matches(score, np.zeros(len(score), bool))
    assert len(tried) <= 2
    with pytest.raises(RequestError, match="a value for each of the 128 notes"):
        mine.matches(score, new[1:])


@pytest.mark.parametrize("seed", range(6))
def test_placed_lines_are_the_lines_of_a_print(seed: int) -> None:
    for score in (polyphonic(seed), tune(seed), joined(polyphonic(seed), tune(seed))):
        lines, _ = melody_lines(score)
        placed = placed_lines(score)
        assert [line.tobytes() for line in lines] == [line.symbols.tobytes() for line in placed]
        for line in placed:
            assert (np.diff(line.pitch) == line.symbols // 3 - np.int64(40)).all()        # no leap here is over 40
            assert (np.diff(line.begin) > 0).all()


# --- what goes in --------------------------------------------------------------------------------------------------

def test_what_a_run_says() -> None:
    """Hand-worked: leaps 4.0 + 3.5 + … by the table, a leap after a leap 2.0; even time 0.4 a step after 1.3; a pair
    that came before says nothing."""
    leaps = np.array([3, -1, 4, -2, 5, 1, -3, 2, -4, 7])
    run = (3 * (leaps + 40) + 1).astype(np.uint8)[None]
    run[:, 0] -= 1
    expected = 4.0 + 3.5 + 4.7 + 2.8 + 4.6 + 3.5 + 4.0 + 2.8 + 4.7 + 2.0 + 1.3 + 8 * 0.4
    assert says(run)[0] == pytest.approx(expected)
    again = (3 * (np.array([2, -1] * 5) + 40) + 1).astype(np.uint8)[None]
    again[:, 0] -= 1
    assert says(again)[0] == pytest.approx(2.8 + (3.5 + 1.3) + (2.8 + 0.4))


def stands(run: bytes, lines: list[PlacedLine]) -> set[tuple[int, int]]:
    """The steps, as (line, step), at which a run stands anywhere."""
    found = set()
    for number, line in enumerate(lines):
        for start in range(len(line.symbols) - RUN_STEPS + 1):
            window = line.symbols[start:start + RUN_STEPS].copy()
            window[0] -= window[0] % 3
            if window.tobytes() == run:
                found |= {(number, step) for step in range(start, start + RUN_STEPS)}
    return found


def test_no_two_runs_overlap_anywhere() -> None:
    """Phrases that come again in other company, where runs might begin at another step, and overlap in content."""
    a, b, c = tune(11, 23), tune(12, 17), tune(13, 29)
    piece = joined(a, b, a, c, b, c, a, a, b)
    taken: set[bytes] = set()
    kept = chosen_runs(placed_lines(piece), taken) + chosen_runs(placed_lines(joined(c, a, b)), taken)
    assert len(kept) >= 4
    lines = placed_lines(piece)
    for one, other in combinations(kept, 2):
        assert not stands(one, lines) & stands(other, lines)
        parts = [{run[i:i + OVERLAP] for i in range(1, RUN_STEPS - OVERLAP + 1)} for run in (one, other)]
        assert not parts[0] & parts[1]
    dense = sorted({run.tobytes() for line in lines for run in runs_of(line.symbols)[0]})
    assert any(stands(one, lines) & stands(other, lines) for one, other in combinations(dense, 2))


def test_what_stands_with_another_registry_gives_nothing_twice(mine: Registry) -> None:
    again = Registry.make([tune(0), tune(3)], beside=mine)
    alone = Registry.make([tune(3)], salt=SALT)
    assert again.deposits[0].salt == SALT
    assert again.runs == alone.runs
    with pytest.raises(ReadError, match="nothing to add"):
        Registry.make([tune(1)], beside=mine)
    both = mine.merge(again)
    assert both.runs == mine.runs + alone.runs
    assert both.merge(mine, again) == both
    assert {match.label for match in both.matches(joined(tune(0), tune(3)))} == {"me", "deposit 2"}


def test_a_digest_is_salted_scrypt_cut_short(mine: Registry) -> None:
    run = bytes(range(100, 110))
    slow = hashlib.scrypt(run, salt=SALT, n=256, r=8, p=1, dklen=8)
    assert digest(run, SALT) == int.from_bytes(slow, "big")
    (deposit,) = mine.deposits
    kept = chosen_runs(placed_lines(tune(0)), taken := set()) + chosen_runs(placed_lines(tune(1)), taken)
    assert deposit.bits == 22 + int(np.ceil(np.log2(len(kept))))
    assert deposit.digests.tolist() == sorted(digest(run, SALT) >> (64 - deposit.bits) for run in kept)
    other = Registry.make([tune(0), tune(1)], note="me")
    assert not set(other.deposits[0].digests.tolist()) & set(deposit.digests.tolist())


@pytest.mark.parametrize("pieces", [
    [], [Score()], [Score.from_rows([(0, 480, 60, 80, 0)])], [tune(0, 10)],
    [Score.from_rows([(240 * i, 240, 60 + i % 12, 80, 0) for i in range(100)])],
    [Score(onset=range(0, 9600, 240), duration=[240] * 40, pitch=[36, 38, 42, 46] * 10, velocity=[80] * 40,
           track=[0] * 40, tracks=(Track("", 0, True),))],
], ids=["none", "empty", "one note", "ten notes", "scales", "drums"])
def test_music_without_melody_makes_no_registry(mine: Registry, pieces: list[Score]) -> None:
    with pytest.raises(ReadError, match="a registry must be of music with 11 notes of melody"):
        Registry.make(pieces)
    assert [mine.matches(piece) for piece in pieces] == [[] for _ in pieces]
    assert mine.meets([melody_print(piece) for piece in pieces]) == [None] * len(pieces)


# --- the file ------------------------------------------------------------------------------------------------------

def test_a_file_comes_back(mine: Registry, tmp_path: Path) -> None:
    assert Registry.from_bytes(mine.to_bytes()) == mine
    other = Registry.make([tune(2)], note="Žofie, zofie@example.org")
    (tmp_path / "below").mkdir()
    (tmp_path / "a.registry").write_bytes(mine.to_bytes())
    (tmp_path / "below" / "b.registry").write_bytes(other.to_bytes())
    both = room.load(tmp_path)
    assert both == mine.merge(other) == room.load(tmp_path / "a.registry", tmp_path / "below")
    assert {match.label for match in both.matches(joined(tune(1), tune(2)))} == {"me", "Žofie, zofie@example.org"}
    assert Registry().matches(tune(0)) == []
    for run in chosen_runs(placed_lines(tune(0)), set()):
        assert run.hex() not in mine.to_bytes().decode()


def signed(lines: list[str]) -> bytes:
    """Lines with a checksum that is right."""
    body = "".join(f"{line}\n" for line in lines).encode()
    return body + json.dumps({"sha256": hashlib.sha256(body).hexdigest()}).encode() + b"\n"


def test_a_file_that_is_cut_or_changed_is_refused(mine: Registry) -> None:
    data = mine.to_bytes()
    for size in [*range(0, len(data), 37), len(data) - 1]:
        with pytest.raises(ReadError, match=r"fetch it again|make one with") as caught:
            Registry.from_bytes(data[:size])
        assert str(caught.value).count(". ") == 0
    for at in range(0, len(data), 23):
        changed = data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]
        with pytest.raises(ReadError):
            Registry.from_bytes(changed)


@pytest.mark.parametrize("change", [
    {"salt": "00"}, {"salt": "zz" * 16}, {"bits": 4}, {"bits": 65}, {"bits": "24"}, {"digests": "ffff ffff"},
    {"digests": "b a"}, {"digests": "ffffffffffffff"}, {"digests": 7}, {"digests": "-1"}, {"note": "x" * 501},
    {"note": "two\nlines"}, {"salt": None}])
def test_a_forged_deposit_is_refused(mine: Registry, change: dict[str, object]) -> None:
    head, row, _ = mine.to_bytes().decode().splitlines()
    assert Registry.from_bytes(signed([head, row])) == mine
    with pytest.raises(ReadError, match="deposit 1 has not: it is forged or was edited"):
        Registry.from_bytes(signed([head, json.dumps({**json.loads(row), **change})]))


def test_other_files_are_refused(mine: Registry, tmp_path: Path) -> None:
    head, row, _ = mine.to_bytes().decode().splitlines()
    for data, words in ((b"", "begin with a line"), (b"[" * 10_000, "begin with a line"), (b"MThd\0\0", "begin with"),
                        (signed([head.replace(": 1", ": 2", 1), row]), "of version 1; this one is of version 2"),
                        (signed([head, row, row]), "cut short"), (signed([head, "[]"]), "deposit 1 has not")):
        (tmp_path / "x.registry").write_bytes(data)
        with pytest.raises(ReadError, match=words):
            room.load(tmp_path / "x.registry")
    with pytest.raises(ReadError, match="cannot be"):
        room.load(tmp_path / "absent.registry")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ReadError, match="holds none"):
        room.load(tmp_path / "empty")
    with pytest.raises(RequestError, match="salt of a registry must be at least 16 bytes; got 3"):
        Registry.make([tune(0)], salt=b"abc")
    with pytest.raises(RequestError, match="one line of at most 500 characters"):
        Registry.make([tune(0)], note="a\nb")


# --- opting out ----------------------------------------------------------------------------------------------------

@pytest.fixture
def songs(tmp_path: Path) -> Path:
    root = tmp_path / "songs"
    root.mkdir()
    for seed in range(6):
        formats.write(tune(seed), root / f"t{seed}.mid")
    formats.write(joined(tune(20), tune(1)).replace(ticks_per_quarter=480), root / "with-t1.mid")
    return root


@pytest.mark.parametrize("kind", ["file", "folder", "line"])
def test_training_leaves_out_what_a_registry_knows(mine: Registry, songs: Path, tmp_path: Path, kind: str) -> None:
    held = tmp_path / "held"
    held.mkdir()
    (held / "me.registry").write_bytes(mine.to_bytes())
    (tmp_path / "list.txt").write_text("t5.mid\nheld/me.registry\n", "utf-8")
    given = {"file": held / "me.registry", "folder": held, "line": tmp_path / "list.txt"}[kind]
    corpus = load_corpus(songs, workers=0, opt_out=given, near="keep")
    out = {entry.file: entry.detail for entry in corpus.entries if entry.why == "opted out"}
    assert set(out) == {"t0.mid", "t1.mid", "with-t1.mid"} | ({"t5.mid"} if kind == "line" else set())
    assert all(detail.startswith("it has run ") and detail.endswith(" of the registry of me")
               for file, detail in out.items() if file != "t5.mid")
    (said,) = corpus.notices
    assert said.startswith(f"opt-out: {len(out)} files left out, 3 for a run of melody that the registry has")


def test_music_and_registries_in_one_folder(mine: Registry, songs: Path, tmp_path: Path) -> None:
    held = tmp_path / "held"
    held.mkdir()
    (held / "me.registry").write_bytes(mine.to_bytes())
    formats.write(tune(4), held / "mine.mid")
    corpus = load_corpus(songs, workers=0, opt_out=held)
    out = {entry.file for entry in corpus.entries if entry.why == "opted out"}
    assert out == {"t0.mid", "t1.mid", "with-t1.mid", "t4.mid"}


def test_a_damaged_registry_stops_training(mine: Registry, songs: Path, tmp_path: Path,
                                           capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.registry").write_bytes(mine.to_bytes()[:-30])
    assert cli.main(["train", str(songs), "--opt-out", str(tmp_path / "x.registry"), "-o",
                     str(tmp_path / "m.partimento"), "--quiet"]) == 1
    said = capsys.readouterr().err
    assert "x.registry: a registry must end with its checksum" in said
    assert said.count("\n") == 1
    assert not (tmp_path / "m.partimento").exists()


# --- the shell -----------------------------------------------------------------------------------------------------

def run(*words: object) -> str:
    """What a command prints, its error where it has one."""
    done = CliRunner().invoke(registry_group, [str(word) for word in words])
    if isinstance(done.exception, PartimentoError):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


def test_the_shell_adds_shows_and_checks(songs: Path, tmp_path: Path) -> None:
    place = tmp_path / "mine.registry"
    formats.write(tune(9, 8), songs / "short.mid")
    (songs / "noise.mid").write_bytes(b"noise")
    said = run("add", songs / "t0.mid", songs / "t1.mid", songs / "short.mid", songs / "noise.mid", "-o", place,
               "--note", "me", "--quiet").splitlines()
    assert said[-1] == str(place)
    assert "skipped short.mid: no eleven notes of melody in a row that are no scale or common turn" in said
    assert any(line.startswith("skipped noise.mid: ") for line in said)
    found = room.load(place)
    assert (found.deposits[0].note, found.deposits[0].pieces) == ("me", 2)
    with pytest.raises(WriteError, match="is there already: name another, and --with "):
        run("add", songs / "t2.mid", "-o", place)
    assert room.load(place) == found
    more = tmp_path / "more.registry"
    run("add", songs / "t2.mid", "-o", more, "--with", place, "--quiet")
    assert Registry(room.load(more).deposits[:1]) == found
    assert run("show", more).splitlines() == [
        f"me: 2 pieces, {found.runs} runs, {found.deposits[0].bits} bits each",
        f"without a note: 1 piece, {room.load(more).runs - found.runs} runs, {room.load(more).deposits[1].bits} bits "
        "each"]
    lines = run("check", songs, place, "--quiet").splitlines()
    assert lines[-1] == f"3 of 8 pieces known from {found.runs} runs"
    assert any(line.startswith("with-t1.mid: bars ") and " of me" in line for line in lines)
    rows = [json.loads(line) for line in run("check", songs / "t0.mid", place, "--quiet", "--json").splitlines()]
    assert {row["file"] for row in rows} == {"t0.mid"}
    assert all(1 <= row["bars"][0] <= row["bars"][1] and row["track"] == 1 for row in rows)


def test_the_shell_refuses_in_one_sentence(songs: Path, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    for words, error in (((songs, "-o", tmp_path / "x.txt"), "ends in .registry"),
                         ((tmp_path / "nothing", "-o", tmp_path / "x.registry"), "none of 0 pieces has"),
                         ((tmp_path / "absent", "-o", tmp_path / "x.registry"), "cannot be opened"),
                         ((songs, "-o", tmp_path / "absent" / "x.registry"), "in a folder that exists"),
                         ((songs, "-o", tmp_path / "x.registry", "--with", songs / "t0.mid"), "begin with a line")):
        with pytest.raises(PartimentoError, match=error):
            run("add", *words, "--quiet")
    assert not list(tmp_path.glob("*.registry"))
    run("add", songs, "-o", tmp_path / "x.registry", "--quiet")
    with pytest.raises(ReadError, match=r"none of .* can"):
        run("check", tmp_path / "nothing", tmp_path / "x.registry", "--quiet")


# --- attacks -------------------------------------------------------------------------------------------------------

def simple(seed: int, notes: int = 60) -> Score:
    """A tune of few steps, most of them likely ones: what a model guesses soon, and dense grams give away."""
    random = np.random.default_rng(seed)
    pitch = 60 + np.cumsum(random.choice([2, -2, 1, -1, 4, -3, 7], notes, p=[.3, .25, .15, .1, .1, .05, .05])) % 30
    length = random.choice([480, 240], notes, p=[.85, .15])
    return Score.from_rows(list(zip((np.cumsum(length) - length).tolist(), length.tolist(), pitch.tolist(),
                                    [80] * notes, [0] * notes, strict=True)))


def test_dense_grams_give_the_melodies_away_and_a_registry_does_not() -> None:
    """An hour of hashing; the model has learnt from thirty tunes by the same hand."""
    attack = bench("registry_attack")
    pieces = [simple(seed) for seed in range(6)]
    guesser = attack.Guesser(attack.library_lines(simple(seed) for seed in range(100, 130)))
    dense = attack.dense_recovered(pieces, guesser, seeds=1 << 14)
    assert dense["notes"] > 0.95
    target = attack.target_of(pieces)
    found = attack.recovered(target, [attack.Order(guesser, 20_000)], set(), 2_000 * 3600)
    share = np.divide(*attack.notes_recovered(pieces, found["guessed"] | found["chained"]))
    print(f"of simple tunes {share:.1%} of the notes in one hour, {dense['notes']:.1%} from dense grams")
    assert share < 0.35
    assert not found["chained"]


def test_the_attack_finds_what_it_should() -> None:
    """The library's own runs at once; chaining works where runs overlap; a piece in the index is read off it."""
    attack = bench("registry_attack")
    pieces = [tune(seed) for seed in range(4)]
    guesser = attack.Guesser(attack.library_lines(tune(seed) for seed in range(100, 130)))
    target = attack.target_of(pieces)
    found = attack.recovered(target, [attack.Order(guesser, 10_000)], set(target.runs[:3]), 1e6)
    assert found["library"] == set(target.runs[:3])
    assert not found["guessed"] | found["chained"]
    dense = np.lib.stride_tricks.sliding_window_view(placed_lines(pieces[0])[0].symbols, RUN_STEPS).copy()
    dense[:, 0] -= dense[:, 0] % 3
    dense = [run.tobytes() for run in dense]
    assert len(attack.chained({dense[0]}, dense[1:], guesser, 1e6)) > 0.8 * len(dense)
    every, count = attack.notes_recovered(pieces, set(target.runs))
    assert 0.3 * count < every < 0.95 * count
    read = attack.index_recovered(pieces)
    assert read["lines"] > 0.9


def test_guesses_are_counted_right() -> None:
    """The estimate from drawn runs, beside every run of that likelihood counted one by one."""
    attack = bench("registry_attack")
    random = np.random.default_rng(0)
    steps = np.array([[1, 0], [-2, 2], [2, 1], [-1, 0], [3, 2]])[random.choice(5, 4000, p=[.45, .25, .15, .1, .05])]
    guesser = attack.Guesser([(3 * (steps[:, 0] + 40) + steps[:, 1]).astype(np.uint8)], order=1)
    runs = guesser.likeliest(2.0 ** -17)
    bits = guesser.bits(runs)
    assert (says(runs) >= registry_runs.SAYS).all()
    assert len(set(map(bytes, runs))) == len(runs) > 3_000
    order = np.argsort(bits)
    estimate = attack.Order(guesser, 100_000).guesses(runs[order])
    sure = np.flatnonzero(bits[order] < 16.9)                 # all such runs are among them
    assert len(sure) > 2_000
    assert estimate[sure[1000:]] == pytest.approx(sure[1000:] + 1, rel=0.1)


def test_gram_keys_are_those_of_the_grams() -> None:
    attack = bench("registry_attack")
    one = melody_print(polyphonic(3))
    grams = one.grams()
    windows = np.stack([one.symbols[place:place + 6] for place in grams.place])
    windows[:, 0] -= windows[:, 0] % 3
    assert (attack.gram_keys(windows) == grams.key).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["chorale_melodies", "nottingham/ABC_cleaned", "open_hymnal"])
def test_what_an_hour_gets_of_real_music(music: Callable[[str], Path], name: str) -> None:
    for one in (name.partition("/")[0], *bench("registry_attack").OTHERS):
        music(one)
    found = bench("registry_attack").attack(name)
    print(name, found)
    assert found["1 h, unknown"] <= 0.03
    assert found["dense grams"] >= 0.95
