"""Chords and rests as MusicXML."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from partimento import theory
from partimento.formats.musicxml_write_sign import xml_text
from partimento.notation.sheet import Event, NoteHead, SheetPart, Syllable, Tuplet


def instruments(part: SheetPart, number: int) -> list[tuple[str, str, int]]:
    """Return (id, name, MIDI key of a drum or -1) of the instruments of a part, of a drum kit one a sound."""
    if not part.track.is_drum:
        return [(f"P{number + 1}-I1", theory.INSTRUMENT_NAMES[part.track.program], -1)]
    keys = sorted({head.pitch for bar in part.bars for voice in bar.voices for event in voice.events
                   for head in event.heads})
    return [(f"P{number + 1}-I{key + 1}", theory.DRUM_NAMES.get(key, f"Drum {key}"), key) for key in keys] or \
        [(f"P{number + 1}-I1", "Drum Kit", -1)]


def voice_names(part: SheetPart) -> dict[int, str]:
    """Return the name in the file of each voice of a part: 1–4 on the first staff, 5–8 on the second, where they fit.

    The order of the names is the order of the voices.
    """
    homes: dict[int, Counter[int]] = {}
    for bar in part.bars:
        for voice in bar.voices:
            count = homes.setdefault(voice.voice, Counter())
            for event in voice.events:
                count.update(head.staff for head in event.heads)
            count[voice.staff] += 0
    staff_of = {voice: max(count, key=lambda s: (count[s], -s)) for voice, count in homes.items()}
    ranked = sorted(staff_of, key=lambda name: (staff_of[name], name))
    if max(Counter(staff_of.values()).values(), default=0) > 4:
        return {name: str(i + 1) for i, name in enumerate(ranked)}
    used: Counter[int] = Counter()
    out = {}
    for name in ranked:
        used[staff_of[name]] += 1
        out[name] = str(4 * (staff_of[name] - 1) + used[staff_of[name]])
    return out


def rest_xml(event: Event, voice: str, staff: int) -> str:
    """Return a rest; `staff` 0 where the part has only one."""
    if event.whole_bar:
        shape = '<rest measure="yes"/>'
        kind = ""
    else:
        shape = "<rest/>"
        kind = f"<type>{event.kind}</type>" + "<dot/>" * event.dots + _time_modification(event.tuplets)
    number = f"<staff>{staff}</staff>" if staff else ""
    return (f"<note>{shape}<duration>{event.duration}</duration><voice>{voice}</voice>{kind}{number}"
            f"{_notations(event, None, first=True)}{''.join(map(_lyric, event.syllables))}</note>\n")


def chord_xml(event: Event, voice: str, part: SheetPart, number: int, loudness: Callable[[NoteHead, int], str]) -> str:
    """Return the notes of a chord, lowest first; `loudness` gives the attribute of a note that says how loud it is."""
    return "".join(_note(event, head, i == 0, voice, part, number, loudness(head, event.onset))
                   for i, head in enumerate(event.heads))


def _note(event: Event, head: NoteHead, first: bool, voice: str, part: SheetPart, number: int, loud: str) -> str:
    out = [f"<note{loud}>"]
    if event.grace:
        out.append('<grace slash="yes"/>' if event.grace > 100 else "<grace/>")
    if not first:
        out.append("<chord/>")
    if head.unpitched:
        out.append(f"<unpitched><display-step>{head.step}</display-step>"
                   f"<display-octave>{head.octave}</display-octave></unpitched>")
    else:
        alter = f"<alter>{head.alter}</alter>" if head.alter else ""
        out.append(f"<pitch><step>{head.step}</step>{alter}<octave>{head.octave}</octave></pitch>")
    if not event.grace:
        out.append(f"<duration>{event.duration}</duration>")
    out.append('<tie type="stop"/>' * head.tie_stop + '<tie type="start"/>' * head.tie_start)
    if head.unpitched:
        out.append(f'<instrument id="P{number + 1}-I{head.pitch + 1}"/>')
    out.append(f"<voice>{voice}</voice><type>{event.kind}</type>" + "<dot/>" * event.dots)
    if head.accidental:
        out.append(f'<accidental{" cautionary=" + chr(34) + "yes" + chr(34) if head.cautionary else ""}>'
                   f"{head.accidental}</accidental>")
    out.append(_time_modification(event.tuplets))
    if event.stem:
        out.append(f"<stem>{event.stem}</stem>")
    if head.notehead != "normal":
        out.append(f"<notehead>{head.notehead}</notehead>")
    if part.staves > 1:
        out.append(f"<staff>{head.staff}</staff>")
    if first:
        out += [f'<beam number="{i + 1}">{beam}</beam>' for i, beam in enumerate(event.beams)]
    out.append(_notations(event, head, first))
    if first:
        out += [_lyric(syllable) for syllable in event.syllables]
    out.append("</note>\n")
    return "".join(out)


def _time_modification(tuplets: tuple[Tuplet, ...]) -> str:
    if not tuplets:
        return ""
    actual = normal = 1
    for tuplet in tuplets:
        actual, normal = actual * tuplet.actual, normal * tuplet.normal
    return (f"<time-modification><actual-notes>{actual}</actual-notes><normal-notes>{normal}</normal-notes>"
            "</time-modification>")


def _notations(event: Event, head: NoteHead | None, first: bool) -> str:
    out = ""
    if head is not None:
        out += '<tied type="stop"/>' * head.tie_stop + '<tied type="start"/>' * head.tie_start
    if first:
        for tuplet in event.tuplets:
            if tuplet.start:
                out += (f'<tuplet type="start" number="{tuplet.number}" bracket="{"yes" if tuplet.bracket else "no"}">'
                        f"<tuplet-actual><tuplet-number>{tuplet.actual}</tuplet-number></tuplet-actual>"
                        f"<tuplet-normal><tuplet-number>{tuplet.normal}</tuplet-number></tuplet-normal></tuplet>")
        for tuplet in reversed(event.tuplets):
            if tuplet.stop:
                out += f'<tuplet type="stop" number="{tuplet.number}"/>'
        if event.fermata:
            out += '<fermata type="upright"/>'
    return f"<notations>{out}</notations>" if out else ""


def _lyric(syllable: Syllable) -> str:
    held = "<extend/>" if syllable.held else ""
    return (f'<lyric number="{syllable.verse}"><syllabic>{syllable.syllabic}</syllabic>'
            f"<text>{xml_text(syllable.text)}</text>{held}</lyric>")
