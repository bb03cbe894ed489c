"""Work done in other processes, so that one that crashes or hangs takes only its own task with it.

Each process is this Python run anew on a named function, asked one task at a time through its own pipes: nothing is
forked, the caller's main script is not run again, and it works from a notebook, on Windows and on macOS alike.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import queue
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

_START = "import sys; sys.path.insert(0, sys.argv[1]); from partimento.workers import serve; serve(sys.argv[2])"
_SIZES = struct.Struct("<IQ")
FILES_WITHOUT_POOL = 24
BYTES_WITHOUT_POOL = 2_000_000
MAX_WORKERS = 16


class Message(NamedTuple):
    """What travels: JSON-ready words and bytes."""

    head: Any
    body: bytes = b""


Task = Callable[[Message], Message]


class Failed(NamedTuple):
    """Why a task has no answer: `why` is ``slow`` or ``crashed``, `detail` half a sentence on it."""

    why: str
    detail: str


class Worker:
    """One process that does one kind of task; where none can be started, this process does it instead.

    `task` is ``package.module:function``, a function of a `Message` that returns one. A process that died or was
    ended for being slow is replaced at the next task.
    """

    def __init__(self, task: str) -> None:
        self.task = task
        self._process: subprocess.Popen[bytes] | None = None
        self._can_start = bool(sys.executable) and not getattr(sys, "frozen", False)

    def ask(self, message: Message, seconds: float) -> Message | Failed:
        """What the task answers to `message`, or why it does not; `seconds` is the longest wait."""
        process = self._started()
        if process is None:
            return _function(self.task)(message)
        late = threading.Event()

        def end() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(seconds, end)
        timer.daemon = True
        timer.start()
        try:
            assert process.stdin is not None
            _send(process.stdin, message)
            answer = self._receive()
        except OSError:
            answer = None
        finally:
            timer.cancel()
        if answer is not None:
            return answer
        if not late.is_set():
            process.wait()
        code = process.returncode
        self.close()
        return Failed("slow", f"it was not done within {seconds:g} s") if late.is_set() \
            else Failed("crashed", f"its process ended with code {code}")

    def kill(self) -> None:
        """End the process at once, from any thread."""
        if self._process is not None:
            self._process.kill()

    def close(self) -> None:
        """End the process and let go of its pipes."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        process.wait()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _started(self) -> subprocess.Popen[bytes] | None:
        if self._process is None and self._can_start:
            package = str(Path(__file__).resolve().parents[1])
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-c", _START, package, self.task], stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                    creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0))
                if self._receive() is None:
                    raise OSError("the process did not start")
            except OSError:
                self._can_start = False
                self.close()
        return self._process

    def _receive(self) -> Message | None:
        assert self._process is not None
        assert self._process.stdout is not None
        return _take(self._process.stdout)


def map_tasks(task: str, messages: Sequence[Message], *, workers: int,
              seconds: float) -> Generator[tuple[int, Message | Failed], None, None]:
    """(index, answer) of every message, in the order they get done by so many processes; 0 does them in this one.

    Closing the iterator early ends the processes.
    """
    if workers < 1:
        function = _function(task)
        for index, message in enumerate(messages):
            yield index, function(message)
        return
    todo: queue.SimpleQueue[int] = queue.SimpleQueue()
    done: queue.Queue[tuple[int, Message | Failed] | BaseException] = queue.Queue(maxsize=64)
    for index in range(len(messages)):
        todo.put(index)
    stop = threading.Event()
    pool = [Worker(task) for _ in range(min(workers, len(messages)))]

    def drive(worker: Worker) -> None:
        try:
            while not stop.is_set():
                try:
                    index = todo.get_nowait()
                except queue.Empty:
                    return
                done.put((index, worker.ask(messages[index], seconds)))
        except Exception as error:  # reaches the caller, who would otherwise wait for ever
            done.put(error)
        finally:
            worker.close()

    threads = [threading.Thread(target=drive, args=(worker,), daemon=True) for worker in pool]
    for thread in threads:
        thread.start()
    try:
        for _ in messages:
            answer = done.get()
            if isinstance(answer, BaseException):
                raise answer
            yield answer
    finally:
        stop.set()
        while any(thread.is_alive() for thread in threads):
            for worker in pool:
                worker.kill()
            with contextlib.suppress(queue.Empty):
                done.get(timeout=0.01)


def worker_count(files: int, size: int) -> int:
    """How many processes so many files of `size` bytes in all are worth: 0 for few and small ones, at most a core each.

    >>> worker_count(3, 10_000)
    0
    """
    if files <= FILES_WITHOUT_POOL and size <= BYTES_WITHOUT_POOL:
        return 0
    return max(1, min(os.cpu_count() or 1, MAX_WORKERS, -(-files // 8)))


def serve(task: str) -> None:
    """The process that does the tasks, until its input ends. Keeps stdout for the answers."""
    with contextlib.suppress(ValueError, OSError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)        # the one who asked decides when to end
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())       # a library that prints would garble the answers
    function = _function(task)
    _send(answers, Message("ready"))
    while (message := _take(sys.stdin.buffer)) is not None:
        _send(answers, function(message))


def _function(task: str) -> Task:
    module, _, name = task.partition(":")
    found: Task = getattr(importlib.import_module(module), name)
    return found


def _send(pipe: IO[bytes], message: Message) -> None:
    head = json.dumps(message.head).encode()
    pipe.write(_SIZES.pack(len(head), len(message.body)))
    pipe.write(head)
    pipe.write(message.body)
    pipe.flush()


def _take(pipe: IO[bytes]) -> Message | None:
    sizes = pipe.read(_SIZES.size)
    if len(sizes) < _SIZES.size:
        return None
    head, body = _SIZES.unpack(sizes)
    data = pipe.read(head + body)
    return Message(json.loads(data[:head]), data[head:]) if len(data) == head + body else None
