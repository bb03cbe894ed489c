"""Piano rolls: what is drawn, where, and how much of it."""

from __future__ import annotations

import itertools
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partimento.errors import RequestError, WriteError
from partimento.render.font import shorten, text_masks, text_width
from partimento.render.layout import layout
from partimento.render.roll import DARK, LIGHT, roll_png, roll_svg, write_roll
from partimento.render.roll_grid import MAX_HEIGHT
from partimento.render.roll_words import key_words, pretty
from partimento.render.scene import Boxes, Label, Scene, pixels
from partimento.score import Chord, Key, Mark, Meter, Score, Tempo, Track

SVG = "{http://www.w3.org/2000/svg}"


def piece(bars: int = 4, seed: int = 0, notes: int = 40,
          tracks: tuple[Track, ...] = (Track("Lead"), Track("Bass"))) -> Score:
    rng = np.random.default_rng(seed)
    return Score(onset=rng.integers(0, bars * 16, notes) * 120, duration=rng.integers(1, 4, notes) * 120,
                 pitch=rng.integers(36, 84, notes), velocity=rng.integers(1, 128, notes),
                 track=rng.integers(0, len(tracks), notes), end=bars * 1920 + 480, tracks=tracks)


def rects(svg: str, kind: str) -> list[ET.Element]:
    """The rectangles of every group of a kind, ``note`` or ``tail``."""
    groups = [g for g in ET.fromstring(svg).iter(f"{SVG}g") if kind in g.get("class", "").split()]
    return [rect for g in groups for rect in g.iter(f"{SVG}rect")]


def words(svg: str) -> list[str]:
    return [text.text or "" for text in ET.fromstring(svg).iter(f"{SVG}text")]


def labels(scene: Scene) -> list[str]:
    return [item.text for item in scene.items if isinstance(item, Label)]


def places(scene: Scene, kind: str = "note") -> npt.NDArray[np.float64]:
    """float64[n, 4]: x, y, width, height of the boxes of a kind."""
    found = [np.stack(item[1:5], axis=1) for item in scene.items if isinstance(item, Boxes) and item.kind == kind]
    return np.concatenate(found) if found else np.zeros((0, 4))


# --- notes -----------------------------------------------------------------------------------------------------


@given(bars=st.integers(1, 40), seed=st.integers(0, 1000), notes=st.integers(0, 80), width=st.integers(320, 2400))
def test_every_note_is_one_box_inside_its_row(bars: int, seed: int, notes: int, width: int) -> None:
    score = piece(bars, seed, notes, (Track("a"), Track("kit", 0, True), Track("c")))
    scene = layout(score, width=width)
    assert scene.width <= width
    shown = int((score.onset < scene.systems[-1].end).sum())
    assert shown == notes or "showing bars" in scene.summary
    assert len(rects(roll_svg(score, width=width), "note")) == shown
    for x, y, w, h in places(scene).tolist():
        inside = [s for s in scene.systems if s.top - 0.01 <= y and y + h <= s.bottom + 0.01]
        assert len(inside) == 1
        assert inside[0].left - 0.01 <= x
        assert x + w <= max(inside[0].right, inside[0].left + w) + 0.01


def test_a_note_over_the_end_of_a_row_goes_on_in_the_next() -> None:
    score = Score(onset=[0], duration=[64 * 480], pitch=[60], velocity=[90], track=[0])
    scene = layout(score, width=700)
    assert len(scene.systems) > 1
    assert len(places(scene, "note")) == 1
    assert len(places(scene, "tail")) == len(scene.systems) - 1


def test_a_note_of_no_length_at_the_very_end_is_drawn() -> None:
    score = Score(onset=[0, 1920], duration=[1920, 0], pitch=[60, 62], velocity=[90, 90], track=[0, 0])
    assert score.end == 1920
    assert len(places(layout(score))) == 2


def test_high_is_up_late_is_right_loud_is_strong() -> None:
    score = Score(onset=[0, 480], duration=[480, 480], pitch=[60, 67], velocity=[20, 120], track=[0, 0])
    quiet, loud = (i for i in layout(score).items if isinstance(i, Boxes) and i.kind == "note")
    assert loud.y[0] < quiet.y[0]
    assert loud.x[0] > quiet.x[0]
    assert loud.opacity > quiet.opacity


def test_two_tracks_on_one_note_are_both_seen() -> None:
    score = Score(onset=[0, 0], duration=[480, 480], pitch=[60, 60], velocity=[90, 90], track=[0, 1])
    first, second = (i for i in layout(score).items if isinstance(i, Boxes) and i.kind == "note")
    assert first.role != second.role
    assert second.height[0] < 0.6 * first.height[0]


def test_png_has_the_colours_where_the_notes_are() -> None:
    score = Score(onset=[0, 960], duration=[480, 480], pitch=[60, 64], velocity=[127, 127], track=[0, 1])
    scene = layout(score)
    picture = pixels(scene, LIGHT, 2.0)
    for group in (i for i in scene.items if isinstance(i, Boxes) and i.kind == "note"):
        x, y = group.x[0] + group.width[0] / 2, group.y[0] + group.height[0] / 2
        want = [int(LIGHT[group.role][k:k + 2], 16) for k in (1, 3, 5)]
        assert np.abs(picture[int(2 * y), int(2 * x)].astype(int) - want).max() <= 1
    ground = [int(LIGHT["bg"][k:k + 2], 16) for k in (1, 3, 5)]
    assert picture[2, 2].tolist() == ground


def test_edges_are_soft() -> None:
    score = Score(onset=[7], duration=[333], pitch=[60], velocity=[127], track=[0])
    assert len(np.unique(pixels(layout(score), LIGHT, 1.0).reshape(-1, 3), axis=0)) > 30


# --- header, grid and lanes ------------------------------------------------------------------------------------


def test_header_and_grid_words() -> None:
    score = piece(3).replace(meters=(Meter(0, 3, 4),), tempos=(Tempo(0, 652_174),), keys=(Key(0, 1, "minor"),),
                             chords=(Chord(0, "Am7"), Chord(1440, "Bbm7b5")), marks=(Mark(1440, "section", "Abide"),))
    found = words(roll_svg(score, title="A waltz"))
    assert {"A waltz", "Lead", "Bass", "Am7", "B♭m7♭5", "Abide", "1", "2", "C4"} <= set(found)
    facts = next(w for w in found if "bpm" in w)
    assert facts.startswith("3/4 · 92 bpm · E minor · 5 bars")


def test_a_pick_up_is_bar_0() -> None:
    score = Score(onset=[0, 480], duration=[480, 1920], pitch=[60, 60], velocity=[90, 90], track=[0, 0], end=480 + 3840,
                  meters=(Meter(0, 1, 4), Meter(480, 4, 4)))
    assert score.has_pickup
    found = labels(layout(score))
    assert [w for w in found if w.isdigit()] == ["0", "1", "2"]


def test_changes_of_meter_key_and_tempo_stand_at_their_bar() -> None:
    score = piece(8).replace(meters=(Meter(0, 4, 4), Meter(1920 * 2, 6, 8)), keys=(Key(0, 0), Key(1920, -3, "minor")),
                             tempos=(Tempo(0, 500_000), Tempo(1920 * 3, 600_000)))
    scene = layout(score)
    x = {item.text: item.x for item in scene.items if isinstance(item, Label)}
    first = scene.systems[0]
    scale = (first.right - first.left) / (first.end - first.start)
    for text, tick in (("C minor", 1920), ("6/8", 3840), ("♩ = 100", 5760)):
        assert 0 <= x[text] - (first.left + tick * scale) < 40, text


def test_drums_have_a_lane_of_their_own_with_names() -> None:
    kit = Score(onset=[0, 480], duration=[1, 1], pitch=[36, 42], velocity=[90, 90], track=[0, 0],
                tracks=(Track("Kit", 0, True),))
    found = words(roll_svg(kit))
    assert {"Kick", "Hi-hat", "Kit"} <= set(found)
    assert "C4" not in found
    hat, kick = (places(layout(kit))[k, 1] for k in (1, 0))
    assert hat < kick
    both = kit.with_notes_of(Score(onset=[0], duration=[480], pitch=[60], velocity=[90], track=[1]))
    assert {"Kick", "C4"} <= set(words(roll_svg(both)))


def test_blanks_are_shaded_and_new_notes_outlined() -> None:
    score = piece(4, tracks=(Track("Lead"), Track("Kit", 0, True)))
    plain = layout(score)
    new = score.onset >= 1920
    scene = layout(score, shaded=[(0, 1920, 3840), (1, 1920, 2880)], new=new)
    assert not [i for i in plain.items if isinstance(i, Boxes) and i.role == "blank"]
    tints = [i for i in scene.items if isinstance(i, Boxes) and i.role == "blank"][1:]       # the first is the legend's
    first = scene.systems[0]
    scale = (first.right - first.left) / (first.end - first.start)
    assert [round(float(t.width[0]) / scale) for t in tints] == [1920, 960]
    assert [round((float(t.x[0]) - first.left) / scale) for t in tints] == [1920, 1920]
    outlined = sum(len(i.x) for i in scene.items if isinstance(i, Boxes) and i.kind == "note" and i.outline)
    assert outlined == int(new.sum())
    assert {"blank", "new"} <= set(labels(scene))


def test_long_pieces_wrap_into_even_rows() -> None:
    scene = layout(piece(64, notes=400).replace(end=64 * 1920))
    assert len({s.end - s.start for s in scene.systems}) == 1
    assert (scene.systems[0].end // 1920) in (8, 16)
    assert all(a.end == b.start and a.bottom < b.top for a, b in itertools.pairwise(scene.systems))


# --- extremes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("score", [
    Score(), Score(tracks=(Track("x"), Track("y"))), Score(end=1920 * 3),
    Score(onset=[0], duration=[0], pitch=[0], velocity=[1], track=[0]),
    Score(onset=[0], duration=[1], pitch=[127], velocity=[127], track=[0], ticks_per_quarter=1),
    Score(onset=[0], duration=[9], pitch=[60], velocity=[9], track=[0], meters=(Meter(0, 255, 1),), end=10**6),
    Score(onset=[0], duration=[1], pitch=[26], velocity=[9], track=[0], tracks=(Track("", 0, True),)),
    Score(onset=[0, 2**31 - 9], duration=[1, 1], pitch=[0, 127], velocity=[9, 9], track=[0, 40],
          ticks_per_quarter=30000),
], ids=["nothing", "tracks alone", "rests", "no length", "one tick", "huge bar", "odd drum", "huge"])
def test_odd_scores_have_a_picture(score: Score) -> None:
    ET.fromstring(roll_svg(score, title="x"))
    assert len(roll_png(score, scale=1.0)) > 200


def test_a_monster_is_bounded_and_says_so() -> None:
    rng = np.random.default_rng(0)
    n = 100_000
    score = Score(onset=np.sort(rng.integers(0, 3000 * 1920, n)), duration=rng.integers(1, 2000, n),
                  pitch=rng.integers(0, 128, n), velocity=rng.integers(1, 128, n), track=rng.integers(0, 20, n),
                  tracks=tuple(Track(f"T{i}", i, i == 9) for i in range(20)))
    scene = layout(score)
    assert scene.height < MAX_HEIGHT + 500
    assert 0 < len(places(scene)) <= 20_000
    assert f"showing bars 1 to {scene.systems[-1].end // 1920}" in " ".join(labels(scene))
    crowd = score.replace(onset=score.onset % 1920, end=0)
    scene = layout(crowd)
    assert len(places(scene)) == 20_000
    assert "showing bar 1 · showing the first 20,000 notes" in " ".join(labels(scene))


@pytest.mark.parametrize(("bad", "message"), [
    ({"new": [True]}, "one True or False for each of 40 notes"), ({"width": 10}, "from 320 to 8000 pixels; got 10"),
    ({"shaded": [(7, 0, 10)]}, "from 0 to 1; got 7"),
])
def test_bad_arguments_are_refused(bad: dict[str, object], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        roll_svg(piece(), **bad)  # type: ignore[arg-type]


def test_the_same_score_gives_the_same_bytes() -> None:
    assert roll_svg(piece()) == roll_svg(piece())
    assert roll_png(piece()) == roll_png(piece())
    assert roll_svg(piece()) != roll_svg(piece(), dark=True)


def test_words_are_escaped_and_control_characters_dropped() -> None:
    score = piece(tracks=(Track("<script>&\"'\x00\x1b"), Track("\ud800 ok")))
    found = words(roll_svg(score, title="</svg><script>alert(1)</script>\x07"))
    assert "</svg><script>alert(1)</script>" in found
    assert "<script>&\"'" in found
    roll_png(score, title="</svg>\x07\ud800 中文 Привет")


def test_files(tmp_path: Path) -> None:
    assert write_roll(piece(), tmp_path / "a.svg") == tmp_path / "a.svg"
    ET.parse(tmp_path / "a.svg")
    assert write_roll(piece(), str(tmp_path / "a.PNG")).read_bytes()[:4] == b"\x89PNG"
    with pytest.raises(WriteError, match=r"\.svg or \.png; got 'a\.gif'"):
        write_roll(piece(), tmp_path / "a.gif")
    (tmp_path / "blocked").write_text("a file, not a folder")
    with pytest.raises(WriteError):
        write_roll(piece(), tmp_path / "blocked" / "a.png")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.PNG", "a.svg", "blocked"]


def test_real_songs(music: Callable[[str], Path]) -> None:
    from partimento.formats import read

    for path in sorted(music("pop909").rglob("*.mid"))[:300:60]:
        score = read(path)
        shown = layout(score).systems[-1].end
        assert len(rects(roll_svg(score, title=path.stem), "note")) == int((score.onset < shown).sum())


# --- words and colours -----------------------------------------------------------------------------------------


def test_names_are_printed_as_musicians_print_them() -> None:
    assert [pretty(s) for s in ("Bb", "F#m7b5", "Ebmaj7/Bb", "C7b9", "Dsus4", "Abdim")] == [
        "B♭", "F♯m7♭5", "E♭maj7/B♭", "C7♭9", "Dsus4", "A♭dim"]
    assert [key_words(*k) for k in ((0, "major"), (0, "minor"), (-7, "major"), (7, "minor"), (6, "minor"))] == [
        "C major", "A minor", "C♭ major", "A♯ minor", "D♯ minor"]
    assert key_words(-7, "minor") == "A♭ minor"


def test_text_scales_and_is_cut_to_fit() -> None:
    assert text_width("Ångström", 24) == pytest.approx(2 * text_width("Ångström", 12))
    assert text_width("Å", 12) == text_width("A", 12)
    short = shorten("a very long name of a track", 12, 60)
    assert short.endswith("…")
    assert text_width(short, 12) <= 60


@pytest.mark.parametrize("char", "ABCXYZabcxyz0123456789.,:;!?'\"-–—+=×/()[]<>#&@%·…°♯♭♩△é")
def test_every_glyph_has_ink_of_its_own(char: str) -> None:
    ((_, _, cover),) = text_masks(char, 0.0, 30.0, 40.0)
    ((_, _, box),) = text_masks("□", 0.0, 30.0, 40.0)
    assert cover.max() == 1.0
    assert cover.shape != box.shape or not np.array_equal(cover, box)


def _lab(colours: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """CIE 1976 L*a*b* of linear sRGB, white point D65."""
    xyz = colours @ np.array([[0.4124, 0.2126, 0.0193], [0.3576, 0.7152, 0.1192], [0.1805, 0.0722, 0.9505]])
    t = xyz / np.array([0.9505, 1.0, 1.089])
    f = np.where(t > (6 / 29) ** 3, np.cbrt(np.maximum(t, 1e-9)), t / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


# Machado, Oliveira and Fernandes (2009), full severity: protanopia, deuteranopia; and the usual eye.
SIGHTS = {
    "usual": np.eye(3),
    "protanopia": np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                            [-0.003882, -0.048116, 1.051998]]),
    "deuteranopia": np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                              [-0.011820, 0.042940, 0.968881]]),
}


@pytest.mark.parametrize("sight", SIGHTS)
@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_the_first_six_colours_are_told_apart_by_every_eye(palette: dict[str, str], sight: str) -> None:
    rgb = np.array([[int(palette[f"t{i}"][k:k + 2], 16) for k in (1, 3, 5)] for i in range(6)]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    lab = _lab(np.clip(linear @ SIGHTS[sight].T, 0, 1))
    closest = min(float(np.linalg.norm(a - b)) for a, b in itertools.combinations(lab, 2))
    assert closest > 15, f"two track colours are only {closest:.1f} apart"
