"""The originality of a piece: what is borrowed, from where, and what is nobody's."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from partimento import checkpoint, formats
from partimento.cli.originality import originality as command
from partimento.errors import ReadError, RequestError
from partimento.fingerprint.index import Index, build_index, read_index
from partimento.judge.compared import indexes_of, pieces_of
from partimento.judge.originality import (
    MANY,
    borrowed_from,
    corpus_index,
    originality,
    originality_among,
    originality_table,
    originality_text,
)
from partimento.models.base import Piece
from partimento.models.random import Random
from partimento.score import Score, Track


def tune(seed: int, notes: int = 64, track: int = 0, start: int = 0) -> list[tuple[int, int, int, int, int]]:
    """The rows of a melody of its own, two bars of 4/4 in eight notes or so."""
    random = np.random.default_rng(seed)
    pitch = 60 + np.cumsum(random.choice([-5, -4, -3, -2, -1, 1, 2, 3, 4, 7], notes)) % 24
    length = random.choice([1, 1, 2, 2, 4], notes) * 240
    onset = start + np.cumsum(length) - length
    return [(int(o), int(d), int(p), 80, track) for o, d, p in zip(onset, length, pitch, strict=True)]


def piece(seed: int, notes: int = 64) -> Score:
    return Score.from_rows(tune(seed, notes))


CORPUS = [(f"tune {seed}.mid", piece(seed, 160)) for seed in range(30)]


@pytest.fixture(scope="module")
def index() -> Index:
    return read_index(corpus_index(CORPUS))


def bars_of(score: Score, first: int, last: int) -> Score:
    """Whole bars, 1-based and inclusive, from tick 0 on."""
    start, end = score.bar_span(first)[0], score.bar_span(last)[1]
    part = score.select((score.onset >= start) & (score.onset < end))
    return part.replace(onset=part.onset - start, end=end - start)


def test_a_copied_passage_is_named_with_its_bars_and_cells(index: Index) -> None:
    copied = bars_of(CORPUS[5][1], 9, 16)
    rows = np.concatenate([bars_of(piece(900, 100), 1, 4).notes()[:, :5], copied.notes()[:, :5]
                           + [4 * 1920, 0, 2, 0, 0]])
    score = Score.from_rows(rows)
    found = originality(score, index)
    assert found.verdict == "borrows"
    first = found.passages[0]
    assert (first.source, first.semitones, first.slower, first.sources) == ("tune 5.mid", 10, 1.0, 1)
    assert first.bars == (5, 12)
    assert first.source_bars == (9, 16)
    assert "bars 5–12: " in found.text
    assert "as in bars 9–16 of tune 5.mid, 2 semitones higher" in found.text
    assert [bar.bar for bar in found.bars if bar.passage == 0] == list(range(5, 13))
    assert all(bar.share == 0 for bar in found.bars if bar.bar < 4)
    (cell,) = found.cells
    assert (cell.track, cell.start >= 4 * 1920 - 480, cell.end) == (0, True, score.end)
    assert found.borrowed_bars == pytest.approx(8 / 12)
    assert found.rank is not None
    assert found.rank > 0.95
    assert json.loads(json.dumps(found.as_dict()))["passages"][0]["text"] == first.text
    assert originality_text(found).startswith("borrows from tune 5.mid: ")


def test_only_new_notes_are_judged(index: Index) -> None:
    copied, own = tune(3, 160)[:40], tune(901, 40, track=1)
    score = Score.from_rows(copied + own)
    new = score.track == 1
    assert originality(score, index).verdict == "borrows"
    assert originality(score, index, new=new).verdict == "original"
    assert originality(score, index, new=~new).cells[0].track == 0
    assert originality(score, index, new=~new).notes == 40
    nothing = originality(score, index, new=np.zeros(len(score), bool))
    assert (nothing.verdict, nothing.notes, nothing.bars) == ("original", 0, ())


def test_a_piece_left_out_of_the_index_does_not_count(index: Index) -> None:
    assert originality(CORPUS[2][1], index).verdict == "borrows"
    assert originality(CORPUS[2][1], index, without=[2]).verdict == "original"


def scale(notes: int) -> list[int]:
    up = [60, 62, 64, 65, 67, 69, 71, 72]
    return [(up + up[-2:0:-1])[i % 14] for i in range(notes)]


@pytest.mark.parametrize("pitch", [
    scale(64), [60 + i % 12 for i in range(64)], [(48, 55, 52, 55)[i % 4] for i in range(64)],
    [(60, 64, 67, 72, 67, 64)[i % 6] for i in range(66)], [60] * 64, [(60, 62)[i % 2] for i in range(64)]],
    ids=["scale", "chromatic", "Alberti", "arpeggio", "one note", "trill"])
def test_what_is_everybodys_is_no_theft(pitch: list[int]) -> None:
    """Each stands in one piece of the corpus, note for note, and is borrowed from nobody."""
    n = len(pitch)
    part = Score(onset=np.arange(n) * 240, duration=[240] * n, pitch=pitch, velocity=[80] * n, track=[0] * n)
    found = originality(part, read_index(build_index([*CORPUS, ("exercise", part)])))
    assert found.verdict != "borrows"
    assert not found.cells


def test_what_many_pieces_have_is_common_material() -> None:
    riff = tune(77, 48)
    end = max(row[0] + row[1] for row in riff)
    many = [(f"song {k}", Score.from_rows(riff + tune(500 + k, 60, start=end))) for k in range(MANY + 1)]
    found = originality(Score.from_rows(riff), read_index(build_index([*CORPUS, *many])))
    assert found.verdict == "common material"
    assert found.passages[0].sources == MANY + 1
    assert "more have it" in found.text
    assert originality(Score.from_rows(riff), read_index(build_index([*CORPUS, many[0]]))).verdict == "borrows"


def test_strict_takes_less_for_borrowed(index: Index) -> None:
    assert borrowed_from(256, index, "strict") < borrowed_from(256, index) or borrowed_from(256, index) == 34
    large = [len([one for one in originality(bars_of(CORPUS[k][1], 3, 5), index, strength=strength).passages
                  if one.borrowed]) for strength in ("normal", "strict") for k in range(10)]
    assert sum(large[10:]) >= sum(large[:10])
    with pytest.raises(RequestError, match="did you mean 'strict'"):
        originality(piece(1), index, strength="strickt")


def test_a_longer_piece_needs_more(index: Index) -> None:
    big = read_index(build_index([]))
    big.notes = 870_000
    assert borrowed_from(256, big) == 46.0
    assert borrowed_from(512, big) == 50.0
    assert borrowed_from(16, big) == borrowed_from(64, big) == 38.0
    big.notes *= 2
    assert borrowed_from(256, big, "strict") == 42.0


def test_new_music_is_original_and_its_borrowed_bars_are_counted(index: Index) -> None:
    fresh = [originality(piece(seed, 48), index) for seed in range(300, 312)]
    assert not [one for one in fresh if one.verdict == "borrows"]
    assert {one.borrowed_bars for one in fresh} == {0}
    assert originality(CORPUS[1][1], index).borrowed_bars > 0.9


def test_the_same_notes_in_scattered_octaves_say_less(index: Index) -> None:
    part = bars_of(CORPUS[2][1], 3, 12)
    scattered = part.replace(pitch=part.pitch + 12 * (np.arange(len(part)) % 2))
    whole, less = (originality(one, index).passages[0] for one in (part, scattered))
    assert whole.source == less.source == "tune 2.mid"
    assert less.bits < whole.bits - 0.5 * len(part)


def test_a_passage_twice_as_slow_is_borrowed_too_and_longer_pieces_are_asked_for_more(index: Index) -> None:
    part = bars_of(CORPUS[2][1], 3, 12)
    slow = part.replace(onset=part.onset * 2, duration=part.duration * 2, end=part.end * 2)
    assert originality(part, index).verdict == originality(slow, index).verdict == "borrows"
    assert borrowed_from(64, index) <= borrowed_from(640, index)


def test_the_pieces_of_a_corpus_beside_one_another(index: Index) -> None:
    assert len(index.borrowing) == 101
    assert 0 <= index.borrowing[0] <= index.borrowing[-1] < 0.5
    shared = tune(55, 24)
    end = max(row[0] + row[1] for row in shared)
    close = [(f"k{k}", Score.from_rows(shared + tune(600 + k, 60, start=end))) for k in range(8)]
    among = read_index(corpus_index(close))
    assert np.median(among.borrowing) > 0.1
    found = originality(piece(700), among)
    assert found.usual is not None
    assert found.usual[0] <= found.usual[1]
    assert found.rank == 0


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("score", [Score(), Score.from_rows([(0, 480, 60, 80, 0)]),
                                   Score.from_rows([(0, 480, 60 + k, 80, 0) for k in range(5)])],
                         ids=["empty", "one note", "one chord"])
def test_too_little_music_is_original_and_said_so(score: Score, index: Index) -> None:
    found = originality(score, index)
    assert (found.verdict, found.passages, found.cells, found.share) == ("original", (), (), 0.0)
    assert "\n" not in found.text


def test_drums_alone_are_judged_by_what_is_struck() -> None:
    def drums(seed: int) -> Score:
        random = np.random.default_rng(seed)
        rows = [(120 * i, 120, int(kit), 80, 0) for i in range(256)
                for kit in random.choice([35, 36, 38, 40, 42, 44, 46, 49, 51], 2, replace=False)
                if random.random() < 0.6]
        return Score.from_rows(rows, tracks=(Track("kit", 0, True),))

    index = read_index(corpus_index([(f"beat {k}", drums(k)) for k in range(6)]))
    assert originality(drums(3), index).passages[0].source == "beat 3"
    assert originality(drums(99), index).verdict == "original"
    loop = Score.from_rows([(240 * i, 120, (36, 42, 38, 42)[i % 4], 80, 0) for i in range(128)],
                           tracks=(Track("kit", 0, True),))
    assert originality(loop, read_index(corpus_index([("loop", loop)]))).verdict != "borrows"


def test_a_corpus_of_one_piece_or_of_copies_or_of_nothing() -> None:
    alone = read_index(corpus_index([CORPUS[0]]))
    found = originality(bars_of(CORPUS[0][1], 1, 8), alone)
    assert (found.verdict, found.usual, found.rank) == ("borrows", None, None)
    copies = read_index(corpus_index([(f"copy {k}", CORPUS[0][1]) for k in range(3)]))
    assert originality(CORPUS[0][1], copies).verdict == "borrows"
    assert copies.borrowing[-1] == 0
    nothing = read_index(corpus_index([("empty", Score()), ("silent", Score(end=1920))]))
    assert originality(CORPUS[0][1], nothing).verdict == "original"
    with pytest.raises(RequestError, match="must be an index"):
        originality_among(CORPUS[0][1], ())


def test_pieces_of_a_corpus_are_taken_as_they_come() -> None:
    pieces = [Piece(score, name) for name, score in CORPUS[:3]]
    assert corpus_index(pieces) == corpus_index(CORPUS[:3])


# --- the shell --------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PARTIMENTO_CACHE", str(tmp_path / "cache"))
    (tmp_path / "corpus").mkdir()
    for name, score in CORPUS[:6]:
        formats.write(score, tmp_path / "corpus" / name)
    formats.write(bars_of(CORPUS[4][1], 2, 12), tmp_path / "copy.mid")
    formats.write(piece(800), tmp_path / "new.mid")
    return tmp_path


def run(*words: object) -> str:
    shown = CliRunner().invoke(command, [str(word) for word in words], catch_exceptions=False)
    assert shown.exit_code == 0
    return shown.stdout


def test_the_command_beside_a_corpus_an_index_and_a_checkpoint(folder: Path) -> None:
    said = run(folder / "copy.mid", "--reference", folder / "corpus", "--workers", 0, "--quiet")
    assert said.startswith("borrows from tune 4.mid: bars 1–11: ")
    (kept,) = (folder / "cache" / "indexes").glob("*.index")
    assert run(folder / "copy.mid", "--reference", kept, "--quiet") == said
    checkpoint.save(Random(), folder / "a.partimento", indexes=[kept.read_bytes()])
    assert run(folder / "copy.mid", "--reference", folder / "a.partimento", "--quiet") == said
    rows = [json.loads(line) for line in run(folder / "copy.mid", folder / "new.mid", "--reference", kept, "--json",
                                             "--strict").splitlines()]
    assert [(row["file"], row["verdict"], row["strength"]) for row in rows] == [
        ("copy.mid", "borrows", "strict"), ("new.mid", "original", "strict")]
    table = run(folder / "corpus", folder / "new.mid", "--reference", kept, "--quiet", "--workers", 0)
    assert table.splitlines()[-1] == "7 pieces: 6 borrows, 1 original"


def test_without_an_index_it_says_what_to_give(folder: Path) -> None:
    checkpoint.save(Random(), folder / "b.partimento")
    with pytest.raises(ReadError, match="has none: give a corpus"):
        indexes_of(folder / "b.partimento")
    with pytest.raises(ReadError):
        indexes_of(folder / "nowhere")
    with pytest.raises(ReadError):
        list(pieces_of([folder / "none.mid"]))


def test_a_table_of_no_pieces_says_so(index: Index) -> None:
    assert originality_table([]) == "0 pieces: "
    found = originality(CORPUS[1][1], index)
    assert originality_table([("a.mid", found)]).endswith("1 pieces: 1 borrows")
