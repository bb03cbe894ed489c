"""The blind listening page: loudness as the standard says, fair pairs, and nothing that tells whose is what."""

from __future__ import annotations

import base64
import io
import json
import math
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from partimento.errors import RequestError, WriteError
from partimento.judge.listeners import ListeningKey, preferences, read_key
from partimento.judge.measures import MEASURES
from partimento.models.base import Progress
from partimento.render import listening
from partimento.render.listening import listening_page, matching_gains, write_listening
from partimento.render.loudness import integrated_loudness, k_filters, k_weighted
from partimento.render.sounding import compact_sound, sounding_bars
from partimento.score import Controls, Meter, Score, Tempo, Track

FloatArray = npt.NDArray[np.float64]


def sine(hertz: float, seconds: float, level: float, rate: int = 48000) -> FloatArray:
    """A sine of so many dB of full scale at its peaks."""
    return np.asarray(10 ** (level / 20) * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate))


def stereo(*parts: tuple[float, float]) -> FloatArray:
    """Sines of 1 kHz on both sides, (seconds, level) one after another."""
    return np.repeat(np.concatenate([sine(1000, *part) for part in parts])[:, None], 2, axis=1)


# --- loudness ------------------------------------------------------------------------------------------------------


def test_the_filters_are_those_of_the_standard() -> None:
    # ITU-R BS.1770-4, tables 1 and 2, for 48,000 samples a second.
    shelf, cut = k_filters(48000)
    assert shelf == pytest.approx([1.53512485958697, -2.69169618940638, 1.19839281085285, 1, -1.69065929318241,
                                   0.73248077421585], abs=1e-8)
    assert cut == pytest.approx([1, -2, 1, 1, -1.99004745483398, 0.99007225036621], abs=1e-8)


def test_filtering_in_blocks_is_filtering_sample_by_sample() -> None:
    rng = np.random.default_rng(1)
    sound = rng.normal(0, 0.1, 5_000)
    expected = sound.copy()
    for b0, b1, b2, _, a1, a2 in k_filters(16000):
        x1 = x2 = y1 = y2 = 0.0
        for i, x in enumerate(expected.tolist()):
            y = b0 * x + b1 * x1 + b2 * x2 - a1 * y1 - a2 * y2
            x1, x2, y1, y2 = x, x1, y, y1
            expected[i] = y
    assert k_weighted(sound, 16000)[:, 0] == pytest.approx(expected, abs=1e-10)
    long = rng.normal(0, 0.1, 300_000)                                     # more than one block of the convolution
    tail = k_weighted(long[200_000:], 16000)[:, 0]
    assert k_weighted(long, 16000)[-50_000:, 0] == pytest.approx(tail[-50_000:], abs=1e-9)


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000, 96000])
def test_a_sine_at_full_scale_in_one_channel(rate: int) -> None:
    # BS.1770-4, annex 1: 997 Hz at 0 dB of full scale in one front channel gives −3.01 LKFS.
    one = sine(997, 5, 0, rate)
    assert integrated_loudness(one, rate) == pytest.approx(-3.01, abs=0.03)
    assert integrated_loudness(np.stack([one, one * 0], axis=1), rate) == pytest.approx(-3.01, abs=0.03)
    assert integrated_loudness(np.stack([one, one], axis=1), rate) == pytest.approx(0, abs=0.03)


@pytest.mark.parametrize(("parts", "loudness"), [
    ([(20, -23)], -23), ([(20, -33)], -33), ([(10, -36), (60, -23), (10, -36)], -23),
    ([(10, -72), (10, -36), (60, -23), (10, -36), (10, -72)], -23), ([(20, -26), (20.1, -20), (20, -26)], -23)])
def test_the_tones_that_every_meter_must_read(parts: list[tuple[float, float]], loudness: float) -> None:
    # EBU Tech 3341 (2016), table 1, cases 1 to 5, to ±0.1 LU: silence and pauses are gated.
    tones = np.concatenate([sine(1000, *part, rate=16000) for part in parts])
    assert integrated_loudness(np.stack([tones, tones], axis=1), 16000) == pytest.approx(loudness, abs=0.1)


def test_silence_has_no_loudness() -> None:
    assert integrated_loudness(np.zeros((48000, 2)), 48000) == -math.inf
    assert integrated_loudness(sine(1000, 0.3, 0), 48000) == -math.inf     # no whole block
    assert integrated_loudness(np.zeros(0), 48000) == -math.inf
    with pytest.raises(RequestError, match="one or two channels"):
        integrated_loudness(np.zeros((100, 6)), 48000)
    with pytest.raises(RequestError, match="sample rate"):
        integrated_loudness(np.zeros(100), 100)


def test_a_second_meter_reads_the_same() -> None:
    meter = pytest.importorskip("pyloudnorm")
    rng = np.random.default_rng(2)
    for rate in (44100, 48000):
        sound = rng.normal(0, .2, (6 * rate, 2)) * np.exp(-np.linspace(0, 6, 6 * rate))[:, None]
        expected = meter.Meter(rate, filter_class="DeMan").integrated_loudness(sound)
        assert integrated_loudness(sound, rate) == pytest.approx(expected, abs=1e-6)


def test_gains_make_all_as_loud_and_none_too_loud() -> None:
    click = np.zeros((48000, 2), np.float32)
    click[::4800] = 0.9                                                    # much peak, little loudness
    tone = stereo((1, -10)).astype(np.float32)
    gains = matching_gains([click, tone, tone / 4], 48000)
    matched = [sound * 10 ** (gain / 20) for sound, gain in zip((click, tone, tone / 4), gains, strict=True)]
    levels = [integrated_loudness(sound, 48000) for sound in matched]
    assert levels == pytest.approx([levels[0]] * 3, abs=0.01)
    assert max(float(np.abs(sound).max()) for sound in matched) == pytest.approx(10 ** (-1 / 20), rel=1e-3)
    assert integrated_loudness(tone * 10 ** (matching_gains([tone], 48000)[0] / 20), 48000) == pytest.approx(-16)
    with pytest.raises(RequestError, match="silent"):
        matching_gains([tone, tone * 0], 48000)


# --- excerpts ------------------------------------------------------------------------------------------------------


def test_bars_sound_as_they_do_in_the_piece() -> None:
    rows = [(100, 0, 0xB0, 7, 40), (1920, 0, 0xB0, 7, 90), (2500, 0, 0xE0, 0, 77), (4000, 0, 0xB0, 64, 127)]
    tempos = (Tempo(0, 400_000), Tempo(2400, 600_000), Tempo(3840, 300_000))
    song = Score([0, 1800, 1920], [480] * 3, [60, 62, 64], [80] * 3, [0] * 3, end=5760, controls=Controls.of(rows),
                 tempos=tempos, meters=(Meter(0, 4, 4),))
    cut = sounding_bars(song, 1, 2)
    assert cut.tempos == (Tempo(0, 400_000), Tempo(480, 600_000))
    assert cut.controls.rows().tolist() == [[0, 0, 0xB0, 7, 40], [0, 0, 0xB0, 7, 90], [580, 0, 0xE0, 0, 77]]
    assert cut.notes()[:, :3].tolist() == [[0, 360, 62], [0, 480, 64]]
    assert cut.seconds(cut.end) == pytest.approx(song.seconds(3840) - song.seconds(1920))


def test_small_sound_is_small_and_the_same() -> None:
    tone = stereo((2, -12)).astype(np.float32)
    data = compact_sound(tone)
    assert data == compact_sound(tone)
    heard, rate = soundfile.read(io.BytesIO(data))
    assert rate == 48000
    assert len(heard) == pytest.approx(96000, abs=2000)
    assert len(data) / 2 * 60 < 700_000
    assert integrated_loudness(heard, rate) == pytest.approx(integrated_loudness(tone, rate), abs=0.5)


# --- the page ------------------------------------------------------------------------------------------------------


def song(pitch: int, bars: int = 6, program: int = 0, velocity: int = 80, bpm: int = 150) -> Score:
    onset = np.arange(bars * 8) * 240
    walk = pitch + np.array([0, 2, 4, 5, 7, 5, 4, 2])[np.arange(bars * 8) % 8] + np.arange(bars * 8) // 8 % 3
    return Score(onset, np.full(len(onset), 220), walk, np.full(len(onset), velocity), np.zeros(len(onset), int),
                 end=bars * 1920, tempos=(Tempo(0, 60_000_000 // bpm),), tracks=(Track("part", program),))


SETS = {"secretly mine": {f"furtive-{k}": song(48 + 3 * k, program=0, velocity=30 + 20 * k) for k in range(3)},
        "truly human": {f"covert-{k}": song(60 + k, program=40, bars=5 + k) for k in range(3)}}


@pytest.fixture(scope="module")
def made() -> tuple[str, ListeningKey]:
    return listening_page(SETS, pairs=4, seconds=4, reference=[song(60), song(64)], title="A <test> & more", seed=7)


def data_of(html: str) -> dict[str, Any]:
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', html)
    found: dict[str, Any] = json.loads(text)
    return found


def heard(html: str, clip: str) -> tuple[FloatArray, int]:
    sound, rate = soundfile.read(io.BytesIO(base64.b64decode(data_of(html)["clips"][clip])))
    return np.asarray(sound), int(rate)


def test_the_page_tells_nothing(made: tuple[str, ListeningKey]) -> None:
    html, key = made
    data = data_of(html)
    assert set(data) == {"page", "version", "seconds", "trials", "clips"}
    assert data["page"] == key.page
    assert {name for name, *_ in data["trials"]} == set(key.trials)
    assert set(data["clips"]) == set(key.clips)
    words = html.replace(re.findall(r'id="data">(.*?)</script>', html)[0], "")
    for secret in ("secretly", "mine", "truly", "human", "furtive", "covert", "anchor", "spoiled"):
        assert secret not in words
    assert all(re.fullmatch("[0-9a-f]{8}", name) for name in (*key.trials, *key.clips))
    for name, *clips in data["trials"]:
        assert set(clips) == set(key.trials[name].clips)
        assert clips == sorted(clips)                                      # by names of chance: sides are of chance
    assert not re.search(rb"furtive|covert|mine|human", b"".join(
        base64.b64decode(clip) for clip in data["clips"].values()))


def test_it_loads_nothing_and_its_title_breaks_nothing(made: tuple[str, ListeningKey]) -> None:
    html, _ = made
    assert "default-src 'none'" in html
    assert not re.search(r"https?://|//[a-z]+\.|url\(|@import|<img|<iframe", html)
    assert "<h1>A &lt;test&gt; &amp; more</h1>" in html
    assert "<noscript>" in html


def test_clips_of_a_pair_are_as_long_and_all_are_as_loud(made: tuple[str, ListeningKey]) -> None:
    html, key = made
    levels = []
    for trial in key.trials.values():
        (one, rate), (other, _) = (heard(html, clip) for clip in trial.clips)
        assert len(one) == len(other)
        assert len(one) / rate == pytest.approx(4, abs=0.1)
        levels += [integrated_loudness(sound, rate) for sound in (one, other)]
        assert max(np.abs(one).max(), np.abs(other).max()) < 1
        for sound in (one, other):
            assert np.abs(sound[-300:]).max() < 0.02                       # faded
    assert max(levels) - min(levels) < 0.3
    assert max(levels) < -15.5
    assert len({clip.gain for clip in key.clips.values()}) > 4             # as they were, they were not


def test_pairs_repeats_and_anchors(made: tuple[str, ListeningKey]) -> None:
    _, key = made
    kinds = Counter(trial.kind for trial in key.trials.values())
    assert kinds == {"pair": 4, "repeat": 1, "anchor": 1}
    order = list(key.trials.values())
    for place, trial in enumerate(order):
        sets = {key.clips[clip].set for clip in trial.clips}
        if trial.kind == "anchor":
            assert [key.clips[clip].set for clip in trial.clips] == ["reference", "(spoiled)"]
            assert len({key.clips[clip].piece for clip in trial.clips}) == 1
        else:
            assert sets == set(SETS)
        if trial.kind == "repeat":
            first = next(i for i, other in enumerate(order) if set(other.clips) == set(trial.clips))
            assert first < place - 1
    drawn = Counter(key.clips[clip].piece for trial in order if trial.kind == "pair" for clip in trial.clips)
    assert max(drawn.values()) == 2                                        # four of three: all once before any twice
    assert len(drawn) == 6


def test_the_key_measures_the_very_excerpt(made: tuple[str, ListeningKey]) -> None:
    _, key = made
    for clip in key.clips.values():
        assert {"pitch_class_entropy", "scale_consistency"} <= set(clip.values)
        if clip.set in SETS:
            first, last = clip.bars
            assert clip.bars[1] - clip.bars[0] == 2                        # 4 seconds at 150: two bars and a half
            cut = sounding_bars(SETS[clip.set][clip.piece], first - 1, last)
            for name in ("pitch_class_entropy", "pitch_entropy", "polyphony"):
                assert clip.values[name] == pytest.approx(MEASURES[name].measure(cut))
    assert set(key.typical) >= {"pitch_class_entropy", "polyphony"}
    assert key.typical["polyphony"] == 1


def plain_sound(score: Score, rate: int) -> npt.NDArray[np.float32]:
    """A quick stand-in for an instrument: each note a sine of its pitch."""
    out = np.zeros((round(rate * float(score.seconds(score.end))), 2), np.float32)
    for onset, offset, pitch in zip(score.seconds(score.onset), score.seconds(score.offset), score.pitch, strict=True):
        part = out[round(rate * onset):round(rate * offset)]
        part += np.sin(np.arange(len(part)) * 2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) / rate)[:, None] / 4
    return out


def test_sets_meet_as_often_and_the_seed_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "render_audio", plain_sound)
    sets = {name: {"a": song(48 + k)} for k, name in enumerate("xyz")}
    _, key = listening_page(sets, pairs=3, seconds=3, seed=1)
    met = Counter(frozenset(key.clips[clip].set for clip in trial.clips) for trial in key.trials.values()
                  if trial.kind == "pair")
    assert met == {frozenset(pair): 1 for pair in ("xy", "xz", "yz")}
    one, other = (listening_page(sets, pairs=1, seconds=3, seed=seed) for seed in (1, 2))
    assert listening_page(sets, pairs=1, seconds=3, seed=1) == one
    assert other[1].page != one[1].page
    assert set(other[1].clips).isdisjoint(one[1].clips)
    assert key.typical == {}
    assert [key.clips[c].set for t in key.trials.values() if t.kind == "anchor" for c in t.clips] == ["x", "(spoiled)"]


def test_the_shorter_piece_decides_and_the_shortest_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "render_audio", plain_sound)
    sets = {"long": {"a": song(60, bars=8)}, "short": {"b": song(60, bars=2, bpm=120), "c": song(60, bars=1)}}
    html, key = listening_page(sets, pairs=1, seconds=5, seed=0)
    for trial in key.trials.values():
        if trial.kind == "pair":
            sound, rate = heard(html, trial.clips[0])
            assert len(sound) / rate == pytest.approx(4, abs=0.1)
    assert "c" not in {clip.piece for clip in key.clips.values()}


def test_what_is_mostly_silence_is_heard_where_it_sounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "render_audio", plain_sound)
    late = Score([1920 * 90], [1920], [60], [80], [0], end=1920 * 100)
    ends = Score([1920 * 3], [0], [60], [80], [0], end=1920 * 3)           # a note of no length where the piece ends
    html, key = listening_page({"late": {"a": late, "b": ends}, "other": {"c": song(60)}}, pairs=1, seconds=5)
    assert all(clip.bars[0] <= 91 <= clip.bars[1] for clip in key.clips.values() if clip.set == "late")
    for clip in key.clips:
        sound, rate = heard(html, clip)
        assert integrated_loudness(sound, rate) > -40


@pytest.mark.parametrize(("given", "said"), [
    ({"sets": {"one": {"a": song(60)}}}, "at least two sets"),
    ({"sets": {"one": {"a": song(60)}, "two": {}}}, "'two' has none among 0"),
    ({"sets": {"one": {"a": song(60)}, "two": {"x": Score(), "y": song(60, bars=1)}}}, "'two' has none among 2"),
    ({"sets": {"one": {"a": song(60)}, "(spoiled)": {"b": song(60)}}}, "no set may be called"),
    ({"pairs": 0}, "from 1 to 200 pairs"), ({"pairs": 1000}, "from 1 to 200 pairs"),
    ({"seconds": 1}, "at least 3 seconds"), ({"seconds": math.nan}, "at least 3 seconds"),
    ({"report": lambda progress: False}, "cancelled")])
def test_what_cannot_be_tested_is_said(given: dict[str, Any], said: str) -> None:
    with pytest.raises(RequestError, match=said):
        listening_page(**({"sets": SETS, "pairs": 1, "seconds": 3} | given))


def test_the_files(tmp_path: Path) -> None:
    seen: list[Progress] = []

    def report(progress: Progress) -> bool:
        seen.append(progress)
        return True

    page, hidden = write_listening(SETS, tmp_path / "test.html", pairs=1, seconds=3, report=report)
    assert hidden == tmp_path / "test.key.json"
    assert data_of(page.read_text(encoding="utf-8"))["page"] == read_key(hidden).page
    assert [progress.done for progress in seen] == [0, 1]
    with pytest.raises(WriteError, match=r"as \.html"):
        write_listening(SETS, tmp_path / "test.pdf")
    with pytest.raises(WriteError, match="folder"):
        write_listening(SETS, tmp_path / "none" / "test.html")
    assert sorted(place.name for place in tmp_path.iterdir()) == ["test.html", "test.key.json"]


def test_from_the_page_to_the_preferences(made: tuple[str, ListeningKey]) -> None:
    """What the page saves (the same fields, as a browser wrote them) is what the judge reads."""
    html, key = made
    saved = [field for field in ("kind", "version", "page", "listener", "training", "finished", "answers", "trial",
                                 "left", "choice", "sure", "comment", "heard", "seconds") if field in html]
    assert len(saved) == 14
    rows = [{"trial": name, "left": clips[0], "sure": None, "comment": "", "heard": [3.1, 4], "seconds": 9,
             "choice": next((c for c in clips if key.clips[c].set == "truly human"), key.trials[name].clips[0])}
            for name, *clips in data_of(html)["trials"]]
    kind = re.findall(r'kind: "([^"]+)"', html)
    assert len(kind) == 1
    found = preferences([{"kind": kind[0], "version": 1, "page": key.page, "listener": "ab", "training": "",
                          "finished": True, "answers": rows}], key)
    (duel,) = found.duels
    assert {duel.first: duel.wins, duel.second: duel.losses}["truly human"] == 4
    assert found.listeners[0].consistent
    assert "rank" not in key.typical or len(found.agreements) > 3


