"""Many files read by several processes, so that one that crashes or hangs on a file takes only that file with it."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path

from partimento import packing
from partimento.data.reading import File, read_one
from partimento.score import Score
from partimento.workers import Failed, Message, map_tasks

SECONDS_A_FILE = 120.0

Answer = tuple[int, File, Score | None]


def read_all(paths: Sequence[Path], *, workers: int, max_notes: int,
             seconds_a_file: float = SECONDS_A_FILE) -> Generator[Answer, None, None]:
    """(index, File, Score or None) of every path, in the order they get done; `workers` 0 reads in this process.

    Scores come without `extras`, which hold whole files in other words.
    Closing the iterator early ends the processes. A file on which a process dies is reported as ``crashed``, one that
    takes longer than `seconds_a_file` as ``slow``.
    """
    if workers < 1:
        for index, path in enumerate(paths):
            file, score = read_one(path, max_notes)
            yield index, file, None if score is None else score.replace(extras={})
        return
    messages = [Message([str(path), max_notes]) for path in paths]
    answers = map_tasks(f"{__name__}:read_message", messages, workers=workers, seconds=seconds_a_file)
    with closing(answers):
        for index, answer in answers:
            if isinstance(answer, Failed):
                yield index, File(answer.why, f"{answer.detail}; the other files were read"), None
            else:
                head = {**answer.head, "notices": tuple(answer.head["notices"])}
                yield index, File(**head), packing.unpack(answer.body) if answer.body else None


def read_message(message: Message) -> Message:
    """What one process answers to [path, max_notes]."""
    file, score = read_one(*message.head)
    body = b"" if score is None else packing.pack(score, extras=False)
    return Message({**file._asdict(), "repairs": dict(file.repairs)}, body)
