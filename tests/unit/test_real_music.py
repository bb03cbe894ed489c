"""The verbs on real songs with the bundled model: every kept cell comes back event for event."""

import numpy as np
import pytest

from partimento import formats, verbs
from partimento.frame import frame
from partimento.request import Blanks


@pytest.fixture(scope="module")
def song(music):
    return formats.rebar(formats.read(music("pop909") / "003" / "003.mid"), (4, 4), None)


def events(score, mask):
    return score.notes()[mask].tolist()


def check(source, result):
    """What lies outside the blanks is the same, and so are the controllers there; what is new lies inside."""
    blanks = Blanks(result.regions)
    inside_old, inside_new = blanks.inside(source), blanks.inside(result.score)
    assert events(source, ~inside_old) == events(result.score, ~inside_new)
    assert inside_new[result.new].all()
    assert result.new.any()
    assert result.score.tempos == source.tempos
    assert result.score.meters == source.meters
    outside = [row for row in source.controls.rows().tolist()
               if not any(r.track == row[1] and r.start <= row[0] <= r.end for r in result.regions)]
    assert [row for row in result.score.controls.rows().tolist() if row in outside] == outside


def test_infill_keeps_all_else(song):
    result = verbs.infill(song, bars="5-8", tracks="PIANO", seed=1)[0]
    assert {r.track for r in result.regions} == {2}
    check(song, result)


def test_continue_keeps_the_song(song):
    result = verbs.continue_(song, bars=8, seed=1)[0]
    assert events(song, np.ones(len(song), bool)) == events(result.score, ~result.new)
    assert frame(result.request, song).around.end == result.score.end


def test_harmonize_keeps_the_melody(music):
    melody = formats.read(sorted((music("nottingham") / "MIDI" / "melody").glob("*.mid"))[40])
    result = verbs.harmonize(melody, tracks="piano,bass", seed=1)[0]
    assert events(melody, np.ones(len(melody), bool)) == events(result.score, ~result.new)
    assert set(result.score.track[result.new].tolist()) <= {len(melody.tracks), len(melody.tracks) + 1}


def test_vary_keeps_what_is_not_let_go(music):
    song = formats.read(sorted((music("mutopia_midi") / "PD" / "AbtF").glob("*.mid"))[0])
    result = verbs.vary(song, strength=0.2, seed=1)[0]
    kept = events(result.score, ~result.new)
    everything = events(song, np.ones(len(song), bool))
    assert all(row in everything for row in kept)
    assert 0.7 * len(song) < len(kept) < 0.9 * len(song)
