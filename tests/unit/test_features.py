import numpy as np
import pytest

from partimento import features
from partimento.score import Meter, Score, Tempo, Track
from partimento.theory import KeyName, scale

Q = 480


def line(rows, **frame):
    """A Score from (onset, duration, pitch) in quarters, with optional velocity and track."""
    table = [(round(o * Q), round(d * Q), p, *(rest or (80, 0))) for o, d, p, *rest in rows]
    table = [row if len(row) == 5 else (*row, 0) for row in table]
    return Score(*np.array(table).T, **frame) if table else Score(**frame)


SCALE = line([(i, 1, p) for i, p in enumerate((60, 62, 64, 65, 67, 69, 71, 72))])


def test_pitch_classes_weigh_sounding_time_and_leave_drums_out():
    score = line([(0, 2, 60, 80, 0), (2, 1, 67, 80, 0), (0, 4, 36, 80, 1)],
                 tracks=(Track("piano"), Track("drums", 0, True)))
    assert features.pitch_classes(score)[[0, 7]].tolist() == [2, 1]
    assert features.pitch_classes(score).sum() == 3
    assert features.pitch_classes(score, notes=score.pitch == 67).sum() == 1
    assert features.pitch_mean(score, 1) is None
    assert features.density(score, 1) == 1


@pytest.mark.parametrize("mode", ["major", "minor"])
def test_every_key_is_found_in_its_own_profile(mode):
    for tonic in range(12):
        profile = np.roll(features.KEY_PROFILES[0 if mode == "major" else 1], tonic)
        assert features.rank_keys(profile)[0] == KeyName(tonic, mode)
    assert not features.key_strengths(np.ones(12)).any()
    assert features.key_strengths(np.zeros((3, 12))).shape == (3, 24)


def test_hand_worked_pitch_measures():
    assert features.pitch_mean(SCALE) == pytest.approx(66.25)
    assert features.pitch_span(SCALE) == 12
    assert features.melodic_step(SCALE) == pytest.approx(12 / 7)
    assert features.chromaticism(SCALE) == 0
    assert features.pitch_variety(SCALE) == 4
    chord = line([(0, 1, 60), (0, 1, 64), (1, 1, 67), (1, 1, 48)])
    assert features.melodic_step(chord) == 3          # the upper line: 64, 67
    chromatic = line([(0, 3, 60), (3, 1, 61), (4, 3, 64), (7, 1, 62)])
    assert features.chromaticism(chromatic) == pytest.approx(1 / 8)


def test_steps_are_within_tracks():
    two = line([(0, 1, 40, 80, 0), (0, 1, 80, 80, 1), (1, 1, 42, 80, 0), (1, 1, 84, 80, 1)])
    assert features.melodic_step(two) == 3
    assert features.melodic_step(two, 0) == 2
    assert features.melodic_step(line([(0, 1, 60)])) is None


def test_hand_worked_sounding_time():
    score = line([(0, 2, 60), (1, 2, 64), (4, 1, 67)], end=8 * Q)
    assert features.polyphony(score) == pytest.approx(5 / 4)
    assert features.rests(score) == pytest.approx(4 / 8)
    assert features.note_length(score) == pytest.approx(5 / 3)
    inside = line([(0, 4, 60), (1, 1, 64)])
    assert features.polyphony(inside) == pytest.approx(5 / 4)
    assert features.rests(inside) == 0


def test_density_counts_partial_bars_and_changing_meters():
    score = line([(i, 1, 60) for i in range(10)], meters=(Meter(0, 4, 4), Meter(4 * Q, 3, 4)), end=10 * Q)
    assert features.bar_count(score) == 3
    assert features.density(score) == pytest.approx(10 / 3)
    assert features.bar_count(line([(0, 1, 60)], end=6 * Q)) == 1.5
    assert features.density(Score()) is None


def test_syncopation_by_hand():
    assert features.syncopation(SCALE) == 0
    # The off-beat notes at 0.5 and 1.5 hold over the beats 1 and 2; the ones on the beat and the last do not count.
    held = line([(0, .5, 60), (.5, 1, 62), (1.5, 1, 64), (2.5, .5, 65), (3, 1, 67)])
    assert features.syncopation(held) == pytest.approx(2 / 4)
    # In 6/8 a dotted quarter is the beat: an eighth after it is no syncopation, a quarter over the beat is.
    assert features.syncopation(line([(0, 1, 60), (1, 1, 62), (2, 1, 64)], meters=(Meter(0, 6, 8),))) == .5
    # Beat 2 held over beat 3, the half of the bar.
    assert features.syncopation(line([(0, 1, 60), (1, 2, 62), (3, 1, 64)])) == pytest.approx(1 / 2)


def test_metric_levels_of_common_meters():
    four = features.metric_levels(line([(0, 4, 60)]))
    assert four[[0, 12, 24, 36, 48]].tolist() == [5, 3, 4, 3, 5]
    assert four[[6, 3, 4, 1]].tolist() == [2, 1, 1, 0]
    six = features.metric_levels(line([(0, 3, 60)], meters=(Meter(0, 6, 8),)))
    assert six[[0, 6, 12, 18, 24, 3]].tolist() == [5, 2, 2, 3, 2, 1]
    three = features.metric_levels(line([(0, 3, 60)], meters=(Meter(0, 3, 4),)))
    assert three[[0, 12, 24]].tolist() == [5, 3, 3]


def test_rhythm_variety_is_the_entropy_of_the_gaps():
    assert features.rhythm_variety(SCALE) == 0
    assert features.rhythm_variety(line([(0, 1, 60), (1, 1, 60), (3, 1, 60)])) == pytest.approx(1.0)
    assert features.rhythm_variety(line([(0, 1, 60)])) is None


def test_repetition_by_hand():
    bar = [(0, 1, 60), (1, 1, 62), (2, 2, 64)]
    twice = bar + [(o + 4, d, p) for o, d, p in bar]
    assert features.repetition(line(twice)) == 1
    half = [*bar, (4, 1, 60), (5, 1, 62), (6, 2, 65)]
    assert features.repetition(line(half)) == pytest.approx(2 / 4)
    assert features.repetition(line(twice + [(o + 8, d, p + 1) for o, d, p in bar])) == pytest.approx(1 / 2)
    assert features.repetition(line(bar)) is None


def test_places_and_velocities():
    assert features.onset_places(SCALE, steps_per_quarter=1).tolist() == [.25] * 4
    late = Score([5, 475, 965], [100] * 3, [60] * 3, [80] * 3, [0] * 3)
    assert features.onset_places(late, steps_per_quarter=1) == pytest.approx([1 / 3, 1 / 3, 1 / 3, 0])
    loud = line([(0, 1, 60, 60, 0), (1, 1, 60, 100, 0)])
    assert features.loudness(loud) == 80
    assert features.dynamics(loud) == 20


MEASURES = (features.density, features.polyphony, features.pitch_mean, features.pitch_span, features.melodic_step,
            features.note_length, features.rests, features.syncopation, features.loudness, features.dynamics,
            features.repetition, features.chromaticism, features.pitch_variety, features.rhythm_variety,
            features.articulation, features.accents, features.groove)


def some_music(seed):
    rng = np.random.default_rng(seed)
    n = 200
    return Score(rng.integers(0, 16 * 12, n) * 40, rng.integers(1, 24, n) * 40, rng.integers(40, 80, n),
                 rng.integers(30, 120, n), rng.integers(0, 3, n), meters=(Meter(0, 3, 4),),
                 tracks=(Track("a"), Track("b", 40), Track("drums", 0, True)))


@pytest.mark.parametrize("measure", MEASURES, ids=lambda m: m.__name__)
@pytest.mark.parametrize("track", [None, 0, 1])
def test_measures_do_not_depend_on_clock_tempo_or_key(measure, track):
    score = some_music(1)
    value = measure(score, track)
    assert value is not None
    finer = score.replace(onset=score.onset * 2, duration=score.duration * 2, end=score.end * 2, ticks_per_quarter=960)
    assert measure(finer, track) == pytest.approx(value)
    assert measure(score.replace(tempos=(Tempo(0, 400_000),)), track) == value
    higher = score.replace(pitch=score.pitch + 5)
    assert measure(higher, track) == pytest.approx(value + (5 if measure is features.pitch_mean else 0))


@pytest.mark.parametrize("measure", MEASURES, ids=lambda m: m.__name__)
def test_measures_of_empty_and_tiny_pieces_do_not_fail(measure):
    for score in (Score(), Score(end=1920), Score([0], [0], [60], [80], [0]), Score([5], [1], [60], [80], [0], end=7)):
        value = measure(score, None)
        assert value is None or np.isfinite(value)
        assert features.swing(score) is None
    silent = 1 if measure is features.rests else None
    assert measure(Score(end=1920, tracks=(Track(),)), 0) in (silent, 0.0)
    assert measure(Score(end=1920, tracks=(Track("kit", 0, True),)), 0) in (None, 0.0)


def test_real_music_is_in_the_key_that_it_says(music):
    symusic = pytest.importorskip("symusic")
    right = total = 0
    for path in sorted(music("mutopia_midi").glob("PD/**/*.mid"))[:120]:
        file = symusic.Score(str(path))
        signs = {(k.key, k.tonality) for k in file.key_signatures}
        if len(signs) != 1:
            continue
        fifths, minor = signs.pop()
        time = np.zeros(12)
        for track in file.tracks:
            notes = track.notes.numpy()
            np.add.at(time, notes["pitch"] % 12, notes["duration"])
        total += 1
        right += features.rank_keys(time)[0].tonic == (fifths * 7 + (9 if minor else 0)) % 12
        best = features.rank_keys(time)[0]
        assert time[sorted(scale(*best))].sum() > 0
    assert total > 50
    assert right / total > 0.75
