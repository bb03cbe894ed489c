"""Many files read by several processes, so that one that crashes or hangs on a file takes only that file with it.

Each process is this Python run anew on `serve`, asked one file at a time through its own pipes: nothing is forked, the
caller's main script is not run again, and it works from a notebook, on Windows and on macOS alike.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import IO, Any

from partimento import packing
from partimento.data.reading import File, read_one
from partimento.score import Score

SECONDS_A_FILE = 120.0
_START = "import sys; sys.path.insert(0, sys.argv[1]); from partimento.data.pool import serve; serve()"
_HEAD = struct.Struct("<II")

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
    todo: queue.SimpleQueue[int] = queue.SimpleQueue()
    done: queue.Queue[Answer | BaseException] = queue.Queue(maxsize=64)
    for index in range(len(paths)):
        todo.put(index)
    stop = threading.Event()
    readers: list[_Reader] = []

    def drive() -> None:
        _drive(todo, done, stop, readers, paths, max_notes, seconds_a_file)

    threads = [threading.Thread(target=drive, daemon=True) for _ in range(min(workers, len(paths)))]
    for thread in threads:
        thread.start()
    try:
        for _ in paths:
            answer = done.get()
            if isinstance(answer, BaseException):
                raise answer
            yield answer
    finally:
        stop.set()
        while any(thread.is_alive() for thread in threads):
            for reader in list(readers):
                reader.kill()
            with contextlib.suppress(queue.Empty):
                done.get(timeout=0.01)


def _drive(todo: queue.SimpleQueue[int], done: queue.Queue[Answer | BaseException], stop: threading.Event,
           readers: list[_Reader], paths: Sequence[Path], max_notes: int, seconds: float) -> None:
    """One thread: hands files to one process, and starts another where that one dies."""
    reader: _Reader | None = None
    try:
        while not stop.is_set():
            try:
                index = todo.get_nowait()
            except queue.Empty:
                return
            if reader is None:
                reader = _Reader()
                readers.append(reader)
            file, score = reader.ask(paths[index], max_notes, seconds)
            if not reader.alive:
                reader.close()
                reader = None
            done.put((index, file, score))
    except Exception as error:  # reaches the caller, who would otherwise wait for ever
        done.put(error)
    finally:
        if reader is not None:
            reader.close()


class _Reader:
    """One process that reads files; where it cannot even be started, this process reads instead."""

    def __init__(self) -> None:
        package = str(Path(__file__).resolve().parents[2])
        self.alive = True
        self.process: subprocess.Popen[bytes] | None = None
        if getattr(sys, "frozen", False) or not sys.executable:      # packed into a program: there is no Python to run
            return
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-c", _START, package], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0))
            if not self._receive():
                raise OSError("the reading process did not start")
        except OSError:
            self.close()
            self.process = None

    def ask(self, path: Path, max_notes: int, seconds: float) -> tuple[File, Score | None]:
        if self.process is None or self.process.stdin is None:
            return read_one(path, max_notes)
        late = threading.Event()

        def end(process: subprocess.Popen[bytes]) -> None:
            late.set()
            process.kill()

        timer = threading.Timer(seconds, end, [self.process])
        timer.daemon = True
        timer.start()
        try:
            self.process.stdin.write(json.dumps([os.fspath(path), max_notes]).encode() + b"\n")
            self.process.stdin.flush()
            answer = self._receive()
        except OSError:
            answer = None
        finally:
            timer.cancel()
        if answer is None:
            self.alive = False
            if late.is_set():
                return File("slow", f"it was not read within {seconds:g} s"), None
            code = self.process.wait()
            return File("crashed", f"the reader ended with code {code}; the other files were read"), None
        head, body = answer
        plain = json.loads(head)
        return File(**{**plain, "notices": tuple(plain["notices"])}), packing.unpack(body) if body else None

    def _receive(self) -> tuple[bytes, bytes] | None:
        assert self.process is not None
        assert self.process.stdout is not None
        sizes = self.process.stdout.read(_HEAD.size)
        if len(sizes) < _HEAD.size:
            return None
        head, body = _HEAD.unpack(sizes)
        data = self.process.stdout.read(head + body)
        return (data[:head], data[head:]) if len(data) == head + body else None

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()

    def close(self) -> None:
        if self.process is None:
            return
        self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        self.process.wait()


def serve() -> None:
    """The reading process: answers each line [path, max_notes] until its input ends. Keeps stdout for the answers."""
    with contextlib.suppress(ValueError, OSError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)        # the one who asked decides when to end
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())       # a library that prints would garble the answers
    _send(answers, b"ready", b"")
    for line in sys.stdin.buffer:
        path, max_notes = json.loads(line)
        file, score = read_one(path, max_notes)
        head = json.dumps({**file._asdict(), "repairs": dict(file.repairs)})
        _send(answers, head.encode(), b"" if score is None else packing.pack(score, extras=False))


def _send(answers: IO[Any], head: bytes, body: bytes) -> None:
    answers.write(_HEAD.pack(len(head), len(body)))
    answers.write(head)
    answers.write(body)
    answers.flush()
