"""Any bytes at all give a Score or one ReadError, and what was read can be written and read again."""

from __future__ import annotations

import random
from itertools import islice

import pytest
from bench_modules import bench
from hypothesis import example, given
from hypothesis import strategies as st

fuzz = bench("fuzz_midi")

HEAD = b"MThd\0\0\0\6\0\1\0\1\0\x60MTrk"


@given(st.binary(max_size=300))
@example(b"")
@example(b"MThd")
def test_any_bytes(data):
    fuzz.check(data)
    fuzz.check(HEAD + len(data).to_bytes(4, "big") + data)


@given(st.integers(0, 2**32))
def test_a_valid_file_damaged(seed):
    for data in islice(fuzz.mutations(random.Random(seed), fuzz.seeds()), 20):
        fuzz.check(data)


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from([0x80, 0x90, 0xA0, 0xB0, 0xC0, 0xD0, 0xE0, 0x99, 0x91]),
                          st.integers(0, 2), st.integers(0, 2)), max_size=40))
def test_any_messages(messages):
    body = b"".join(bytes((delta, status, one) if 0xC0 <= status < 0xE0 else (delta, status, one, two))
                    for delta, status, one, two in messages) + b"\0\xff\x2f\0"
    assert fuzz.check(HEAD + len(body).to_bytes(4, "big") + body) == "score"


@pytest.mark.parametrize("at", range(0, 250, 7))
def test_every_truncation(at):
    whole = fuzz.seeds()[0]
    assert fuzz.check(whole[:at]) != "score"


def test_the_quick_reader_stands_the_same_damage():
    from partimento.errors import ReadError
    from partimento.formats.midi_fast import parse_fast

    results = set()
    for data in islice(fuzz.mutations(random.Random(1), fuzz.seeds()), 500):
        try:
            results.add(type(parse_fast(data)).__name__)
        except ReadError:
            results.add("ReadError")
    assert results == {"Score", "ReadError"}
