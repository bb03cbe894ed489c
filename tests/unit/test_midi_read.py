"""The careful MIDI reader: every structure of the format, and every way in which files are broken."""

from __future__ import annotations

import numpy as np
import pytest

from partimento.errors import ReadError
from partimento.formats import midi, parse
from partimento.formats.midi_read import NEVER_ENDED, NO_NOTE
from partimento.score import Key, Mark, Meter, Score, Tempo, Text, Track

END = b"\0\xff\x2f\0"
NOTE = b"\0\x90\x3c\x50\x60\x80\x3c\x40"          # 60 at 0, for 96 ticks


def chunk(body: bytes, end: bytes = END, size: int | None = None) -> bytes:
    body += end
    return b"MTrk" + (len(body) if size is None else size).to_bytes(4, "big") + body


def header(kind: int = 1, tracks: int = 1, division: int = 96) -> bytes:
    return b"MThd\0\0\0\6" + b"".join(n.to_bytes(2, "big") for n in (kind, tracks, division))


def song(*bodies: bytes, kind: int = 1, division: int = 96) -> bytes:
    return header(kind, len(bodies), division) + b"".join(chunk(body) for body in bodies)


def meta(kind: int, data: bytes, delta: int = 0) -> bytes:
    assert delta < 128
    assert len(data) < 128
    return bytes((delta, 0xFF, kind, len(data))) + data


def notes_of(data: bytes) -> list[list[int]]:
    return [row[:4] for row in parse(data).score.notes().tolist()]


def test_one_note_and_the_defaults():
    reading = parse(song(NOTE))
    score = reading.score
    assert score.notes().tolist() == [[0, 96, 60, 80, 0]]
    assert (score.ticks_per_quarter, score.end) == (96, 96)
    assert score.meters == (Meter(0, 4, 4),)
    assert score.tempos == (Tempo(0, 500_000),)
    assert reading.repairs == {}
    assert reading.notices == ()


def test_running_status_and_note_on_of_velocity_zero():
    assert notes_of(song(b"\0\x90\x3c\x50\x60\x3c\0\0\x40\x51\x60\x40\0")) == [[0, 96, 60, 80], [96, 96, 64, 81]]


def test_running_status_goes_on_after_a_meta_event():
    assert notes_of(song(b"\0\x90\x3c\x50" + meta(1, b"hi", 5) + b"\x60\x3c\0")) == [[0, 101, 60, 80]]


def test_overlapping_notes_of_one_pitch_end_in_the_order_in_which_they_began():
    body = b"\0\x90\x3c\x50\x0a\x90\x3c\x51\x0a\x80\x3c\0\x0a\x80\x3c\0"
    assert notes_of(song(body)) == [[0, 20, 60, 80], [10, 20, 60, 81]]


def test_a_note_of_no_length_is_kept():
    assert notes_of(song(b"\x05\x90\x3c\x50\0\x80\x3c\x40" + NOTE)) == [[5, 0, 60, 80], [5, 96, 60, 80]]


def test_a_note_never_ended_ends_with_its_track_and_is_counted():
    reading = parse(song(b"\0\x90\x3c\x50\x0a\x90\x40\x50\x0a\x80\x40\0", b"\x60\x91\x3c\x50\x60\x81\x3c\0"))
    assert reading.score.notes().tolist() == [[0, 20, 60, 80, 0], [10, 10, 64, 80, 0], [96, 96, 60, 80, 1]]
    assert reading.repairs == {NEVER_ENDED: 1}


def test_a_stray_note_off_is_dropped_and_ends_no_later_note():
    reading = parse(song(b"\0\x80\x3c\0\0\x80\x3c\0" + NOTE + b"\x0a\x80\x3c\0" + NOTE))
    assert reading.score.notes()[:, :2].tolist() == [[0, 96], [106, 96]]
    assert reading.repairs == {NO_NOTE: 3}


def test_pairing_against_a_plain_loop():
    rng = np.random.default_rng(3)
    for _ in range(50):
        body, tick, waiting, expected = b"", 0, {}, []
        for _ in range(60):
            delta, pitch, channel = (int(rng.integers(n)) for n in (4, 3, 2))
            tick += delta
            if rng.random() < 0.5:
                body += bytes((delta, 0x90 | channel, pitch, 64))
                waiting.setdefault((channel, pitch), []).append(tick)
            else:
                body += bytes((delta, 0x80 | channel, pitch, 64))
                if waiting.get((channel, pitch)):
                    onset = waiting[channel, pitch].pop(0)
                    expected.append([onset, tick - onset, pitch])
        for (_, pitch), onsets in waiting.items():
            expected += [[onset, tick - onset, pitch] for onset in onsets]
        assert sorted(parse(song(body)).score.notes()[:, :3].tolist()) == sorted(expected)


def test_a_track_with_several_channels_is_several_parts():
    body = meta(3, b"both") + b"\0\xc0\x05\0\xc9\x08\0\x90\x3c\x50\0\x99\x24\x50\x60\x80\x3c\0\0\x89\x24\0"
    score = parse(song(meta(3, b"Title"), body)).score
    assert score.tracks == (Track("both", 5), Track("both", 8, True))
    assert score.notes()[:, 4].tolist() == [0, 1]
    assert score.extras["midi"]["title"] == "Title"


def test_type_0_gives_one_part_a_channel_and_its_name_is_the_title():
    body = meta(3, b"Song") + b"\0\x90\x3c\x50\0\x91\x40\x50\x60\x80\x3c\0\0\x81\x40\0"
    score = parse(song(body, kind=0)).score
    assert score.tracks == (Track(), Track())
    assert score.extras["midi"]["title"] == "Song"


def test_a_channel_prefix_says_whose_name_and_words_follow():
    body = (meta(0x20, b"\1") + meta(3, b"bass") + meta(5, b"la") + b"\0\x90\x3c\x50\0\x91\x40\x50"
            b"\x60\x80\x3c\0\0\x81\x40\0")
    score = parse(song(body, kind=0)).score
    assert [track.name for track in score.tracks] == ["", "bass"]
    assert score.texts == (Text(0, 1, "lyric", "la"),)


def test_type_2_patterns_stand_one_after_the_other():
    reading = parse(song(NOTE, meta(0x51, b"\x03\0\0") + NOTE, kind=2))
    assert reading.score.onset.tolist() == [0, 96]
    assert reading.score.tempos == (Tempo(0, 500_000), Tempo(96, 0x030000))
    assert "2 patterns (type 2)" in reading.notices[0]


@pytest.mark.parametrize(("frames", "ticks", "second"), [(24, 4, 96), (25, 40, 1000), (30, 80, 2400), (25, 1, 25)])
def test_film_clocks_keep_seconds_exact(frames, ticks, second):
    reading = parse(song(NOTE, division=(256 - frames) << 8 | ticks))
    assert float(reading.score.seconds(second * 7)) == pytest.approx(7, rel=1e-15)
    assert "--input-meter" in reading.notices[0]


def test_the_drop_frame_film_clock_is_exact_too():
    score = parse(song(meta(0x51, b"\1\0\0") + NOTE, division=(256 - 29) << 8 | 10)).score
    assert float(score.seconds(300_000)) == pytest.approx(1001.0, rel=1e-15)


def test_tempo_meter_and_key_on_any_track():
    score = parse(song(NOTE + meta(0x51, b"\x07\xa1\x20"), NOTE + meta(0x58, b"\7\3\x18\x08") + meta(0x59, b"\xfd\1"),
                       meta(0x59, b"\2\0") + NOTE)).score
    assert score.tempos == (Tempo(0, 500_000), Tempo(96, 500_000))
    assert score.meters == (Meter(0, 4, 4), Meter(96, 7, 8))
    assert score.keys == (Key(0, 2, "major"), Key(96, -3, "minor"))


def test_a_meter_in_mid_bar_leaves_a_partial_bar():
    score = parse(song(meta(0x58, b"\3\2\x18\x08") + NOTE + meta(0x58, b"\4\2\x18\x08") + NOTE + NOTE + NOTE)).score
    assert score.bar_starts.tolist() == [0, 96, 384]
    assert score.has_pickup


def test_program_changes():
    body = b"\0\xc0\x05" + NOTE + b"\0\xc0\x07" + NOTE
    score = parse(song(body)).score
    assert score.tracks[0].program == 5
    assert score.controls.rows().tolist() == [[96, 0, 0xC0, 0, 7]]


def test_the_program_that_sounds_at_the_first_note_counts_and_none_is_lost():
    score = parse(song(b"\0\xc0\x05\x0a\xc0\x07" + NOTE)).score
    assert score.tracks[0].program == 7
    assert score.controls.rows()[:, [0, 4]].tolist() == [[0, 5], [10, 7]]


def test_a_program_said_in_a_track_without_notes_reaches_the_track_that_plays_on_that_channel():
    score = parse(song(b"\0\xc0\x29\0\xb0\x07\x64", NOTE)).score
    assert score.tracks == (Track("", 41),)
    assert score.controls.rows().tolist() == [[0, 0, 0xB0, 7, 100]]


def test_messages_on_a_channel_that_plays_nowhere_ride_along():
    data = song(b"", b"\0\xb5\x40\x7f" + NOTE)
    score = parse(data).score
    assert len(score.tracks) == 1
    assert len(score.controls) == 0
    assert b"\xb5\x40\x7f" in midi.dumps(score)


def test_a_named_track_without_notes_stays_a_part():
    score = parse(song(b"", NOTE, meta(3, b"bass") + b"\0\xc1\x21")).score
    assert score.tracks == (Track(), Track("bass", 33))


def test_controllers_bends_and_pressures():
    body = b"\0\xb0\x40\x7f\1\xe0\0\0\1\xe0\x7f\x7f\1\xd0\x09\1\xa0\x3c\x08" + NOTE
    assert parse(song(body)).score.controls.rows().tolist() == [
        [0, 0, 0xB0, 64, 127], [1, 0, 0xE0, 0, -8192], [2, 0, 0xE0, 0, 8191], [3, 0, 0xD0, 0, 9], [4, 0, 0xA0, 60, 8]]


def test_ports_part_equal_channels():
    score = parse(song(meta(0x21, b"\0") + NOTE, meta(0x21, b"\1") + NOTE, meta(9, b"box") + NOTE)).score
    assert [place[:2] for place in score.extras["midi"]["parts"]] == [(0, 0), (1, 0), (0, 0)]
    both = meta(0x21, b"\0") + NOTE + meta(0x21, b"\1") + NOTE
    assert len(parse(song(both)).score.tracks) == 2
    named = meta(0x21, b"\0") + meta(9, b"a") + NOTE
    same = parse(song(b"", named, named.replace(b"a", b"b"))).score
    assert [place[:2] for place in parse(midi.dumps(same)).score.extras["midi"]["parts"]] == [(0, 0), (0, 0)]
    devices = meta(9, b"one") + NOTE + meta(9, b"two") + NOTE
    assert len(parse(song(devices)).score.tracks) == 2


def test_words_and_marks():
    body = (meta(1, b"text") + meta(2, b"me") + meta(4, b"oboe") + meta(5, b"la") + meta(6, b"A") + meta(7, b"cue")
            + NOTE)
    score = parse(song(meta(2, b"(c)") + meta(1, b"all"), body)).score
    assert score.texts == (Text(0, -1, "copyright", "(c)"), Text(0, -1, "text", "all"), Text(0, 0, "text", "text"),
                           Text(0, 0, "copyright", "me"), Text(0, 0, "instrument", "oboe"), Text(0, 0, "lyric", "la"),
                           Text(0, 0, "cue", "cue"))
    assert score.marks == (Mark(0, "marker", "A"),)


@pytest.mark.parametrize(("raw", "name"), [
    ("Flöte".encode(), "Flöte"), ("Flöte".encode("latin-1"), "Flöte"), ("ピアノ".encode("shift-jis"), "ピアノ"),
    ("音楽".encode("shift-jis"), "音楽"), (b"Don\x92t", "Don’t"), (b"\x81\x8d", "\x81\x8d"), (b"", "")])
def test_names_in_any_encoding_come_back_as_the_same_bytes(raw, name):
    score = parse(song(b"", meta(3, raw) + NOTE)).score
    assert score.tracks[0].name == name
    assert (meta(3, raw) in midi.dumps(score)) == bool(raw)


def test_what_rides_along_comes_back_byte_for_byte():
    odd = [b"\0\xf0\5\x7e\x7f\x09\x01\xf7", meta(0x54, b"\x60\0\0\0\0"), meta(0x7F, b"\0\0\x41x"), meta(8, b"patch"),
           b"\0\xf7\2\xf3\1", meta(0, b"\0\1"), meta(0x60, b"new")]
    written = midi.dumps(parse(song(b"".join(odd), odd[0] + odd[2] + NOTE)).score)
    for event in odd:
        assert event[1:] in written
    assert written.count(odd[0][1:]) == 2


def test_release_velocities_come_back():
    data = song(b"\0\x90\x3c\x50\x60\x80\x3c\x11\0\x90\x3e\x50\x60\x80\x3e\x11\0\x90\x40\x50\x60\x80\x40\x22")
    written = midi.dumps(parse(data).score)
    for off in (b"\x80\x3c\x11", b"\x80\x3e\x11", b"\x80\x40\x22"):
        assert off in written


def test_wrapped_files():
    whole = song(NOTE)
    assert notes_of(midi.riff(whole)) == notes_of(whole)
    info = b"RIFF" + (len(whole) + 30).to_bytes(4, "little") + b"RMIDLIST\3\0\0\0abc\0"
    assert notes_of(info + b"data" + len(whole).to_bytes(4, "little") + whole) == notes_of(whole)
    assert notes_of(b"\0" * 128 + whole) == notes_of(whole)


def test_chunks_of_another_kind_are_skipped_in_silence():
    reading = parse(header(tracks=2) + chunk(NOTE) + b"XFIH\0\0\0\3abc" + chunk(NOTE))
    assert len(reading.score) == 2
    assert reading.repairs == {}


@pytest.mark.parametrize(("data", "repair"), [
    (header() + chunk(NOTE, b""), "tracks without an end-of-track event"),
    (header(tracks=2) + chunk(NOTE, size=3) + chunk(NOTE), "tracks with a wrong length"),
    (header(tracks=2) + chunk(NOTE, size=0xFFFFFFFF) + chunk(NOTE), "tracks with a wrong length"),
    (header(tracks=2) + chunk(NOTE, size=2 * len(NOTE) + 16) + chunk(NOTE), "tracks with a wrong length"),
    (header() + chunk(NOTE + END + b"abc"), "bytes after an end of track, skipped"),
    (header(tracks=3) + chunk(NOTE), "tracks announced by the header and missing"),
    (header() + chunk(NOTE) + b"some junk", "stray bytes between or after the tracks, skipped"),
    (header() + chunk(b"\0\x3c\x50" + NOTE), "stray bytes skipped"),
    (header() + chunk(b"\0\xf4" + NOTE), "stray bytes skipped"),
    (header() + chunk(NOTE + b"\0\x90\x3c\xff\1\x80\x3c\x40"), "data bytes above 127, taken as 127"),
    (header() + chunk(NOTE + b"\xff\xff\xff\xff\x90"), "numbers longer than four bytes, cut"),
    (header() + chunk(NOTE + b"\0\x90", b""), "events cut off by the end of their track, dropped"),
    (header(kind=7) + chunk(NOTE), "unknown file type, read as type 1"),
    (song(meta(0x51, b"\0\0\0") + NOTE), "damaged tempos, meters or keys, dropped"),
    (song(meta(0x58, b"\0\2\x18\x08") + NOTE), "damaged tempos, meters or keys, dropped"),
    (song(meta(0x58, b"\4\xff\x18\x08") + NOTE), "damaged tempos, meters or keys, dropped"),
    (song(meta(0x59, b"\x09\0") + NOTE), "damaged tempos, meters or keys, dropped"),
])
def test_broken_structure_is_mended_and_counted(data, repair):
    reading = parse(data)
    assert reading.repairs.get(repair, 0) >= 1, reading.repairs
    assert reading.score.notes()[0].tolist()[:3] == [0, 96, 60]
    again = parse(midi.dumps(reading.score))
    assert again.score == reading.score
    assert again.repairs == {}


WHOLE = song(meta(3, b"a"), NOTE * 20)


@pytest.mark.parametrize(("data", "says"), [
    (b"", "empty"),
    (b"<!DOCTYPE html><html><body>404</body></html>", "'<!DOCTYPE' and looks like an HTML page: download"),
    (b"\n<html>", "HTML page"),
    (b"PK\3\4zip", "archive"),
    (b"<?xml version='1.0'?><score-partwise/>", "MusicXML"),
    (b"ID3\4 sound", "another kind of file"),
    (b"MThd", "header"),
    (b"MThd\0\0\0\2\0\0", "header"),
    (header(), "at least one track"),
    (WHOLE[:-30], "cut short"),
    (WHOLE[:len(song(meta(3, b"a"))) + 3], "cut short"),
    (song(NOTE, division=0), "at least 1 tick"),
    (song(NOTE, division=0xE700), "at least 1 tick"),
    (song(NOTE, division=0xF001), "film clock"),
    (b"RIFF\4\0\0\0RMID", "has none"),
    (b"RIFF\4\0\0\0WAVE", "begin with 'MThd'"),
    (song(b"\xff\xff\xff\x7f\x90\x3c\x40" * 9), "tick 2147483647"),
    (song(*[b"\xff\xff\xff\x7f\x90\x3c\x40" * 5] * 2, kind=2), "tick 2147483647"),
])
def test_what_is_no_midi_file_says_why_in_one_line(data, says):
    with pytest.raises(ReadError) as caught:
        parse(data)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_million_random_bytes():
    noise = np.random.default_rng(0).bytes(1_000_000)
    with pytest.raises(ReadError, match="begin with 'MThd'"):
        parse(noise)
    body = chunk(noise, b"")
    reading = parse(header() + body)
    assert isinstance(reading.score, Score)
    assert reading.repairs


def test_too_many_notes_are_refused_with_the_option_to_type():
    data = song(NOTE * 1000)
    assert len(parse(data, max_notes=1000).score) == 1000
    with pytest.raises(ReadError, match="--max-notes"):
        parse(data, max_notes=999)


def test_other_events_have_their_limits_too():
    for body, says in ((meta(1, b"a") * 200, "texts"), (b"\0\xb0\x07\x01" * 700, "channel messages")):
        with pytest.raises(ReadError, match=f"{says}.*--max-notes"):
            parse(song(body), max_notes=100)
    with pytest.raises(ReadError, match="at most 65535 tracks"):
        parse(header(tracks=0xFFFF) + chunk(b"") * 0x10000)


def test_many_tiny_tracks_that_claim_the_whole_file_take_no_time_squared():
    count = 20_000
    size = 12
    body = b"".join(b"MTrk" + (size * (count - i) - 8).to_bytes(4, "big") + END for i in range(count))
    assert parse(header(tracks=count) + body).repairs == {"tracks with a wrong length": count - 1}


def test_a_hostile_number_of_bars_is_said_not_made():
    reading = parse(song(meta(0x58, b"\1\7\x18\x08") + b"\0\x90\x3c\x50\xff\xff\xff\x7f\x80\x3c\0", division=24))
    assert any("bars" in notice for notice in reading.notices)
