"""Laws of what is owed to others: nothing that stands in the index of a corpus is composed again."""

from __future__ import annotations

from partimento import generate, provenance
from partimento.fingerprint.index import build_index, read_index
from partimento.judge.guard import Guard
from partimento.request import Blanks, Request
from partimento.score import Score
from partimento.testing.music import rows_of, song
from partimento.testing.suite import Subject, expect, law

MOST_SEEDS = 12         # in which something must be found to borrow, and be written anew


@law()
def copies_are_written_anew(subject: Subject) -> None:
    """A piece that the index holds is not composed again, the same way each time, and what is kept stays as it is."""
    wishes = [(Request(bars=8, tracks=("flute", "piano"), originality="strict"), None),
              (Request(verb="infill", place="3-14", tracks=("1",), originality="strict"), song(3, bars=16))]
    for request, source in wishes:
        expect(any(_is_written_anew(subject, request.replace(seed=seed), source) for seed in range(MOST_SEEDS)),
               f"{request.verb}: what borrowed from the corpus was left as it was")


@law()
def records_say_who_made_what(subject: Subject) -> None:
    """The record of every verb is whole, comes back from JSON, and names the bars that were composed and no others."""
    source = song(3, bars=6)
    wishes = [(Request(bars=4, tracks=("flute", "piano"), seed=2), None),
              (Request(verb="continue", bars=2, seed=2), source),
              (Request(verb="infill", place="3-4", tracks=("1",), seed=2), source),
              (Request(verb="harmonize", tracks=("bass",), seed=2), song(4, tracks=1)),
              (Request(verb="vary", strength=0.5, seed=2), source)]
    for request, given in wishes:
        result = generate.generate(request, subject.model, source=given)[0]
        record = provenance.record_of(result)
        expect(record.whole and provenance.Record.from_text(record.to_text()) == record,
               f"{request.verb}: the record does not come back as it was written")
        expect(record.request == result.request, f"{request.verb}: the record is of another request")
        composed = {step for step, what in enumerate(record.steps) if what["by"] == "composed"}
        for track, hands in enumerate(record.hands):
            own = result.score.onset[result.new & (result.score.track == track)].tolist()
            bars = {result.score.bar_number(int(tick)) for tick in own}
            said = {bar for first, last, who in hands.runs if composed & set(who) for bar in range(first, last + 1)}
            expect(bars <= said, f"{request.verb}: composed bars {sorted(bars - said)} of track {track} are not named")


def _is_written_anew(subject: Subject, request: Request, source: Score | None) -> bool:
    """Whether a piece that is found to borrow from itself comes out with less of it; what else is owed must hold."""
    first = generate.generate(request, subject.model, source=source)[0]
    guard = Guard((read_index(build_index([("a copy", first.score)])),))
    copied = guard.look(first.score, first.new, "strict")
    if not copied.cells:
        return False
    second, again = (generate.generate(request, subject.model, source=source, guard=guard)[0] for _ in range(2))
    left = guard.look(second.score, second.new, "strict")
    expect(rows_of(second.score) == rows_of(again.score), f"{request.verb}: written anew, it differs each time")
    expect(any("more at" in note for note in second.notes), f"{request.verb}: that it was written anew is not said")
    expect(second.originality == left.as_dict(), f"{request.verb}: what is told is not what was found")
    inside = Blanks(second.regions).inside(second.score)
    expect(bool(inside[second.new].all()), f"{request.verb}: a note written anew begins outside the blank")
    if source is not None:
        kept = rows_of(source.select(~Blanks(second.regions).inside(source)))
        expect(rows_of(second.score.select(~inside)) == kept, f"{request.verb}: kept music changed")
    return sum(cell.end - cell.start for cell in left.cells) < sum(cell.end - cell.start for cell in copied.cells)
