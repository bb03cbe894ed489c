"""Many files read by several processes, so that one that crashes or hangs on a file takes only that file with it."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from partimento.data.reading import File, print_of, read_one
from partimento.data.shelf import squeeze
from partimento.workers import Failed, Message, map_tasks

SECONDS_A_FILE = 120.0


class Answer(NamedTuple):
    """What reading the file of that `number` gave; `score` is as ``shelf.squeeze`` gives it, empty where there is none.

    `melody` is its melody print as bytes, where prints were asked for.
    """

    number: int
    file: File
    score: bytes = b""
    melody: bytes = b""


def read_all(paths: Sequence[Path], *, workers: int, max_notes: int, prints: bool = False,
             seconds_a_file: float = SECONDS_A_FILE) -> Generator[Answer, None, None]:
    """The answer for every path, in the order they get done; `workers` 0 reads in this process.

    Scores come without `extras`, which hold whole files in other words.
    Closing the iterator early ends the processes. A file on which a process dies is reported as ``crashed``, one that
    takes longer than `seconds_a_file` as ``slow``.
    """
    messages = [Message([str(path), max_notes, prints]) for path in paths]
    answers = map_tasks(f"{__name__}:read_message", messages, workers=workers, seconds=seconds_a_file)
    with closing(answers):
        for index, answer in answers:
            if isinstance(answer, Failed):
                yield Answer(index, File(answer.why, f"{answer.detail}; the other files were read"))
            else:
                file, size = answer.head
                file = File(**{**file, "notices": tuple(file["notices"])})
                yield Answer(index, file, answer.body[:size], answer.body[size:])


def read_message(message: Message) -> Message:
    """What one process answers to [path, max_notes, prints]."""
    path, max_notes, prints = message.head
    file, score = read_one(path, max_notes)
    packed = squeeze(score) if score is not None else b""
    melody = print_of(file.sha256, score) if score is not None and prints else b""
    return Message([{**file._asdict(), "repairs": dict(file.repairs)}, len(packed)], packed + melody)
