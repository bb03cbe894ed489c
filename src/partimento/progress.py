"""Progress for people, logs and machines; the first Ctrl-C as a wish to stop; times in words."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import signal
import sys
import threading
import time
from types import FrameType
from typing import Any, Self

import click

from partimento.errors import RequestError
from partimento.models.base import Progress

OWN_TIMES = ("seconds", "left")     # measures of a Progress that are times
JSON_SECONDS, LOG_SECONDS, TERMINAL_SECONDS = 0.5, 60.0, 0.1
BAR = 24                            # characters
READING = "reading"                 # the stage in which nothing is learnt yet


class Shown:
    """A report that shows what it is told: a bar with the time left on a terminal, lines in a log, or JSON lines.

    Stages follow one another; the last word of each is always shown. Use it as a context, or `close` it.
    """

    def __init__(self, as_json: bool, quiet: bool) -> None:
        self._quiet = quiet
        self._way = "json" if as_json else "terminal" if sys.stderr.isatty() else "log"
        self._last: Progress | None = None
        self._begun = self._shown_at = 0.0
        self._begun_done = self._tenth = self._width = 0
        self._shown = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def report(self, progress: Progress) -> bool:
        """What reading or a fit calls; it always goes on."""
        if self._quiet:
            return True
        now = time.monotonic()
        tenth = 10 * progress.done // max(progress.total, 1) if progress.total else 0
        last = self._last
        new_stage = last is None or progress.stage != last.stage or progress.done < last.done   # or the same again
        if new_stage:
            self.close()
            self._begun, self._begun_done = now, progress.done
        wait = {"json": JSON_SECONDS, "log": LOG_SECONDS, "terminal": TERMINAL_SECONDS}[self._way]
        due = new_stage or now >= self._shown_at + wait or (self._way == "log" and tenth != self._tenth)
        self._last, self._shown = progress, False
        if due:
            self._show(now)
        self._tenth = tenth
        return True

    def close(self) -> None:
        """Show the last word of the stage where it was held back, and end the line of a terminal."""
        if self._last is not None:
            if not self._shown:
                self._show(time.monotonic())
            if self._way == "terminal":
                click.echo(err=True)
        self._last, self._width = None, 0

    def _show(self, now: float) -> None:
        last = self._last
        assert last is not None
        self._shown, self._shown_at = True, now
        if self._way == "json":
            measures = {name: float(value) if math.isfinite(value) else None for name, value in last.measures.items()}
            click.echo(json.dumps({**measures, "stage": last.stage, "done": last.done, "total": last.total}))
            return
        words = [f"{name} {value:.4g}" for name, value in last.measures.items() if name not in OWN_TIMES]
        left = last.measures.get("left", self._left(last, now))
        if left is not None and math.isfinite(left) and last.done < last.total:
            words.append(f"{in_words(left)} left")
        count = f"{last.done}/{last.total}" if last.total else f"{last.done}" if last.done else ""
        if self._way == "log":
            head = f"{last.stage}: {count}" if count else last.stage
            click.echo(", ".join([head, *words]), err=True)
            return
        full = BAR * min(last.done, last.total) // last.total if last.total else 0
        bar = f"[{'#' * full}{'-' * (BAR - full)}]" if last.total else ""
        line = "  ".join(filter(None, [f"{last.stage:>12}", bar, count, *words]))
        line = line[:shutil.get_terminal_size().columns - 1]
        self._width = max(self._width, len(line))
        click.echo(f"\r{line:<{self._width}}", err=True, nl=False)

    def _left(self, last: Progress, now: float) -> float | None:
        """Seconds to the end of the stage at its pace so far."""
        steps = last.done - self._begun_done
        return (now - self._begun) / steps * (last.total - last.done) if steps > 0 else None


class Stopping:
    """A report that asks a fit to stop after Ctrl-C, and is otherwise another one; a context that hears Ctrl-C.

    The first Ctrl-C while something is being learnt is a wish: `asked` is True, and reports come back False. A second,
    or one before anything is learnt, ends at once with KeyboardInterrupt. Where Ctrl-C was ignored, it stays so.
    """

    def __init__(self, shown: Shown) -> None:
        self._shown = shown
        self._old: Any = None
        self._hears = self._learning = self.asked = False

    def __enter__(self) -> Self:
        self._old = signal.getsignal(signal.SIGINT)
        self._hears = threading.current_thread() is threading.main_thread() and self._old not in (signal.SIG_IGN, None)
        if self._hears:
            signal.signal(signal.SIGINT, self._heard)
        return self

    def __exit__(self, *_: object) -> None:
        if self._hears:
            signal.signal(signal.SIGINT, self._old)

    def _heard(self, number: int, frame: FrameType | None) -> None:
        if self.asked and "RANK" in os.environ:     # a launcher of several processes says it again by itself
            return
        if self.asked or not self._learning:
            raise KeyboardInterrupt
        self.asked = True

    def report(self, progress: Progress) -> bool:
        """What a fit calls: False once Ctrl-C was heard."""
        self._learning = progress.stage != READING
        self._shown.report(progress)
        return not self.asked


def parse_time(text: str, option: str = "a time") -> float:
    """Seconds of ``90s``, ``30m``, ``2h`` or ``1h30m``; RequestError, which names `option`, for anything else.

    >>> parse_time("1h30m"), parse_time("90s")
    (5400.0, 90.0)
    """
    part = r"(\d+(?:\.\d+)?)"
    match = re.fullmatch(rf"(?:{part}h)?(?:{part}m)?(?:{part}s)?", "".join(text.lower().split()))
    seconds = sum(float(value or 0) * unit for value, unit in zip(match.groups(), (3600, 60, 1), strict=True)) \
        if match else 0.0
    if not seconds or not math.isfinite(seconds):
        raise RequestError(f"{option} must be a time above nothing, such as 90s, 30m, 2h or 1h30m; got {text!r}")
    return seconds


def in_words(seconds: float) -> str:
    """A time as ``5s``, ``2m05s`` or ``1h30m``.

    >>> in_words(4.6), in_words(125), in_words(5400)
    ('5s', '2m05s', '1h30m')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02}m"
