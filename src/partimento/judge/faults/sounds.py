"""Faults of single sounds: notes that hang, notes struck again while they sound, parts that grate on one another."""

from __future__ import annotations

import numpy as np

from partimento.judge.faults.heard import Heard
from partimento.judge.finding import Finding

LONG, LONG_SECONDS = 2.0, 5.0      # bars and seconds; shorter notes hang nowhere
GRATE = 1.0            # quarters that a semitone must sound on


def stuck_notes(heard: Heard) -> list[Finding]:
    """Notes that sound for many bars while their own part goes on; the measure is how many bars."""
    found = []
    keep = np.flatnonzero(heard.tones)
    bars = np.searchsorted(heard.starts, heard.offset[keep]) - heard.bar[keep] - 1
    hangs = (bars >= LONG) & (heard.stop[keep] - heard.begin[keep] >= LONG_SECONDS)
    onsets = {track: np.sort(heard.onset[keep[heard.track[keep] == track]]) for track in np.unique(heard.track[keep])}
    for note in keep[hangs].tolist():
        begin, end = int(heard.onset[note]), int(heard.offset[note])
        own = onsets[int(heard.track[note])]
        if np.searchsorted(own, end) - np.searchsorted(own, begin, side="right") == 0:
            continue                                # the part waits for it: a held last chord
        bar = heard.score.full_bar_ticks(begin)
        length = (end - begin) / bar
        found.append(heard.finding("stuck", int(heard.track[note]), begin, end, f"a note sounds for {length:.0f} bars",
                                   length, "bars", [note]))
    return found


def overlaps(heard: Heard) -> list[Finding]:
    """Notes struck while the same pitch of the same part still sounds; the measure is the overlap in quarters."""
    keep = np.flatnonzero(heard.tones)
    lane = heard.track[keep] * 128 + heard.pitch[keep]
    if heard.score.voice is not None:               # two voices may share a note
        lane += (heard.score.voice[keep].astype(np.int64) + 1) << 32
    order = keep[np.lexsort((heard.onset[keep], lane))]
    lane = np.sort(lane)
    onset, offset = heard.onset[order], heard.offset[order]
    found = []
    for i in np.flatnonzero((lane[1:] == lane[:-1]) & (onset[1:] < offset[:-1]) & (onset[1:] > onset[:-1])).tolist():
        one, two = int(order[i]), int(order[i + 1])
        length = (min(offset[i], offset[i + 1]) - onset[i + 1]) / heard.score.ticks_per_quarter
        found.append(heard.finding("overlap", int(heard.track[one]), int(onset[i + 1]),
                                   int(min(offset[i], offset[i + 1])), "a note is struck while it still sounds", length,
                                   "quarters", [one, two]))
    return found


def clashes(heard: Heard) -> list[Finding]:
    """Two parts that strike neighbouring semitones at once and hold them; the measure is how long in quarters."""
    keep = np.flatnonzero(heard.tones)
    order = keep[np.lexsort((heard.pitch[keep], heard.onset[keep]))]
    found = []
    for ahead in (1, 2):
        one, two = order[:-ahead], order[ahead:]
        pairs = np.flatnonzero((heard.onset[one] == heard.onset[two]) & (heard.pitch[two] - heard.pitch[one] == 1)
                               & (heard.track[one] != heard.track[two]))
        for i in pairs.tolist():
            a, b = int(one[i]), int(two[i])
            end = int(min(heard.offset[a], heard.offset[b]))
            length = (end - heard.onset[a]) / heard.score.ticks_per_quarter
            if length >= GRATE:
                low, high = sorted((int(heard.track[a]), int(heard.track[b])))
                found.append(heard.finding("clash", low, int(heard.onset[a]), end,
                                           f"a semitone against {heard.names[high]}", length, "quarters", [a, b]))
    return found
