"""The Transformer over events in torch, for training; what it computes stands in `partimento.attention`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from partimento.attention import (
    COUNTS,
    EPSILON,
    TURNS,
    WAVES,
    AttentionShape,
    blocks_of,
    first_weights,
    weight_sizes,
)
from partimento.events.fields import BITS, DRUMS, INDEX, NO_PITCH, PITCHES
from partimento.events.relative import (
    DEGREES,
    DRUM_FRAME,
    INTERVALS,
    MIDDLE_C,
    NO_REGISTER,
    REACH,
    REFERENCES,
    SETS,
    SIGHTS,
    SPREAD,
)
from partimento.events.wishes import BINS
from partimento.nets.stages import StageNetwork, multiplied_in

_COLUMN = {field.name: i for i, field in enumerate(INDEX)}
_OFFSET = dict(zip((field.name for field in BITS), np.cumsum([0, *(field.size for field in BITS)]).tolist(),
                   strict=False))
_SIZE = {field.name: field.size for field in BITS}


class _Turns(NamedTuple):
    """cos and sin of the turns of queries and keys, and those of values, float[B, 1, n, size / 2]."""

    cos: Tensor
    sin: Tensor
    value_cos: Tensor
    value_sin: Tensor

    def at(self, x: Tensor) -> Tensor:
        """Queries or keys [B, heads, n, size], turned."""
        return _turned(x, self.cos, self.sin)

    def value(self, x: Tensor, back: bool = False) -> Tensor:
        """Values, turned out of their frames, or back into them."""
        return _turned(x, self.value_cos, -self.value_sin if back else self.value_sin)


def _turned(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    a, b = x.chunk(2, -1)
    cos, sin = cos.to(x.dtype), sin.to(x.dtype)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], -1)


class _Normed(torch.autograd.Function):
    """float[…, n] over the root of its mean square, in the type of autocast: half the passes of `F.rms_norm`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        scale = (torch.linalg.vector_norm(x, dim=-1, keepdim=True).square() / x.shape[-1] + EPSILON).rsqrt()
        ctx.save_for_backward(x, scale)
        return (x * scale).to(multiplied_in(x))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        x, scale = ctx.saved_tensors
        told = gradients[0].to(x.dtype)
        along = torch.linalg.vecdot(told, x)[..., None] * scale.pow(3) / -x.shape[-1]
        return torch.addcmul(told * scale, x, along)


class _Seen(NamedTuple):
    """Fields of events, with the pitched note before each, and the frame of each."""

    fields: Tensor
    bits: Tensor | None
    prev: Tensor
    frame: Tensor

    def column(self, name: str) -> Tensor:
        return self.prev if name == "prev" else self.fields[..., _COLUMN[name]]

    def bit(self, name: str) -> Tensor:
        assert self.bits is not None
        return self.bits[..., _OFFSET[name]:_OFFSET[name] + _SIZE[name]]

    def at(self, where: Tensor) -> _Seen:
        """The same of some events of all streams, in one row."""
        return _Seen(*(None if part is None else part.flatten(0, 1)[where] for part in self))  # type: ignore[arg-type]


class Attending(StageNetwork):
    """A network of a shape that learns; its parameters have the names of `partimento.attention.weight_sizes`.

    `dropout` (0 to 1) is the share of units left out of inputs, of what blocks add and of what the stages get;
    `deafness` is the most that is left out of the events that a stream attends to: each stream draws its share below
    it; `blindness` is how often each field and each set is told to a stream at no event. All in training only.
    """

    def __init__(self, shape: AttentionShape, *, grid: int, dropout: float = 0.0, deafness: float = 0.0,
                 blindness: float = 0.0, seed: int = 0) -> None:
        super().__init__(weight_sizes(shape))
        self.shape, self.grid = shape, grid
        self.dropout, self.deafness, self.blindness = dropout, deafness, blindness
        for name, angle in (("turns", TURNS), ("waves", WAVES), ("counts", COUNTS)):
            self.register_buffer(f"angle_{name}", torch.from_numpy(angle).float(), persistent=False)
        self.load(first_weights(shape, seed))

    def losses(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What each stage's choices cost in nats, summed over the batch: a scalar a stage, differentiable.

        A batch as of `partimento.nets.recurrent.Recurrent.losses`, and what is known ahead, M notes, the last first:
        ``ahead`` int64[B, M, INDEX], ``ahead_step`` int64[B, M] steps from the first event, and ``ahead_at``
        int64[B, M], the number of the event that it is (past the last where it lies behind what is written; −1 pads).
        ``wish`` int64[B, wishes], where the network can be told wishes, has their classes.
        """
        index, bits, ahead = batch["index"], batch["bits"], batch["ahead"]
        length, known = index.shape[1], ahead.shape[1]
        events, later = _seen(index, bits), _seen(ahead, None)
        wish = self._wish(batch)
        x = torch.cat([self._picked("input", events, wish), self._picked("input", later, wish)], 1)
        x = self._drop(x)
        number = torch.arange(length, device=index.device)
        place = torch.cat([events.fields[..., _COLUMN["move"]].cumsum(1), batch["ahead_step"]], 1).float() / self.grid
        pitch = torch.cat([_place(events.frame, events.prev), _place(later.frame, later.prev)], 1)
        count = torch.cat([number.expand(len(index), -1), torch.full_like(batch["ahead_at"], -1)], 1).float()
        turns = self._turns(pitch, place, count)
        deaf = self._deaf(len(index), length + known, index.device)
        before = _causal(length, known, batch["ahead_at"], deaf, strict=False)
        for name in blocks_of(self.shape)[:self.shape.layers]:
            y = self._norm(x, f"{name}.norm")
            x = self._block(name, x, y, y, turns, turns, before)
        h = self._drop(F.pad(self._norm(x, "known.norm")[:, :length - 1], (0, 0, 1, 0)))

        track_frame = torch.where(events.column("program") == DRUMS, DRUM_FRAME,
                                  torch.where(events.column("last") < PITCHES, events.column("last"), events.prev))
        asking = events._replace(frame=track_frame)
        g = self._drop(self._picked("ask", asking, wish) + h @ self.get_parameter("ask.hidden"))
        own = self._turns(_place(track_frame, events.prev), place[:, :length], number.expand(len(index), -1).float())
        there = _causal(length, known, batch["ahead_at"], deaf, strict=True)[:, :, :length]
        for name in blocks_of(self.shape)[self.shape.layers:]:
            g = self._block(name, g, self._norm(g, f"{name}.norm"), self._norm(x, f"{name}.heard"), own, turns, there)
        g = self._drop(self._norm(g, "asked.norm"))
        return self._stages(batch, asking, h.flatten(0, 1), g.flatten(0, 1))

    # --- stages ----------------------------------------------------------------------------------------------

    def _stages(self, batch: Mapping[str, Tensor], seen: _Seen, h: Tensor, g: Tensor) -> dict[str, Tensor]:
        costs = {}
        for stage in ("move", "track", "pitch", "duration", "loudness"):
            target = batch[stage].flatten()
            at = torch.nonzero(target >= 0).squeeze(1)
            here, target = seen.at(at), target[at]
            if stage == "pitch":
                logits = self._pitches(here, g[at])
            else:
                if stage == "duration":
                    here = here._replace(frame=here.column("pitch"))
                units = self._picked(stage, here)
                units = units + (h if stage in ("move", "track") else g)[at] @ self._at(stage, "hidden")
                if stage == "track":
                    logits = self.track_scores(units, batch["tracks"].flatten(0, 1)[at])
                else:
                    logits = F.relu(units) @ self._at(stage, "out") + self._at(stage, "out_bias")
            costs[stage] = self.cost(batch, stage, logits, at, target)
        return costs

    def _pitches(self, seen: _Seen, g: Tensor) -> Tensor:
        """The logits of pitches, float32[events, 128]."""
        units = F.relu(g @ self._at("pitch", "hidden") + self._at("pitch", "bias"))
        drums = (seen.column("program") == DRUMS)[:, None]
        every = torch.arange(PITCHES, device=g.device) + PITCHES * drums
        weighed = (units @ self._at("pitch", "references") + self._at("pitch", "references_bias")).float()
        weighed = weighed.reshape(-1, len(REFERENCES), INTERVALS)
        logits = torch.zeros(every.shape, device=g.device)
        for number, name in enumerate(REFERENCES):
            logits = logits + weighed[:, number].gather(1, _interval(every, seen.column(name)[:, None]))
        kernels = (units @ self._at("pitch", "sets") + self._at("pitch", "sets_bias")).float()
        kernels = kernels.reshape(-1, len(SETS), SPREAD)
        there = torch.stack([seen.bit(name) if name == "echo" else seen.bit(name) & ~drums for name in SETS], 1)
        row, which, member = torch.nonzero(there).unbind(1)
        wide = PITCHES + 2 * REACH                  # each member of a set weighs the pitches around it
        at = (row * wide + member)[:, None] + torch.arange(SPREAD, device=g.device)
        weights = torch.zeros(len(g) * wide, device=g.device)
        weights = weights.index_add(0, at.flatten(), kernels[row, which].flatten())
        logits = logits + weights.view(len(g), wide)[:, REACH:-REACH]
        plain = (units @ self._at("pitch", "plain") + self._at("pitch", "plain_bias")).float()
        return logits + plain * (drums | (seen.column("last") >= NO_PITCH)[:, None])

    # --- blocks ----------------------------------------------------------------------------------------------

    def _block(self, name: str, x: Tensor, asking: Tensor, heard: Tensor, own: _Turns, turns: _Turns, mask: Tensor,
               ) -> Tensor:
        """x and what a block adds: `asking` attends to `heard` (both normed) where `mask` says."""
        heads, size = self.shape.heads, self.shape.size
        q = own.at((asking @ self._at(name, "q")).reshape(*asking.shape[:2], heads, size).transpose(1, 2))
        k, v = (heard @ self._at(name, "kv")).reshape(*heard.shape[:2], 2, heads, size).permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(q, turns.at(k), turns.value(v), attn_mask=mask)
        seen = own.value(seen, back=True).transpose(1, 2).flatten(2)
        x = x + self._drop(seen @ self._at(name, "o"))
        gate, rest = (self._norm(x, f"{name}.mid") @ self._at(name, "up")).chunk(2, -1)
        return x + self._drop((F.silu(gate) * rest) @ self._at(name, "down"))

    def _norm(self, x: Tensor, gain: str) -> Tensor:
        normed: Tensor = _Normed.apply(x)  # type: ignore[no-untyped-call]
        return normed * self.get_parameter(gain).to(normed.dtype)

    def _turns(self, pitch: Tensor, time: Tensor, count: Tensor) -> _Turns:
        turned = torch.cat([pitch[..., None] * self._turns_of("turns"), time[..., None] * self._turns_of("waves"),
                            count[..., None] * self._turns_of("counts")], -1)
        rest = self.shape.size // 2 - turned.shape[-1]
        heard = torch.ones_like(turned)
        heard[..., -len(COUNTS):] = (count >= 0)[..., None]
        value = F.pad(pitch[..., None] * self._turns_of("turns"), (0, self.shape.size // 2 - len(TURNS)))
        return _Turns(F.pad(turned.cos() * heard, (0, rest), value=1.0)[:, None],
                      F.pad(turned.sin() * heard, (0, rest))[:, None], value.cos()[:, None], value.sin()[:, None])

    def _turns_of(self, name: str) -> Tensor:
        return self.get_buffer(f"angle_{name}")

    def _deaf(self, streams: int, length: int, device: torch.device) -> Tensor | None:
        """bool[B, 1, 1, n]: the events that a stream attends to, or None where it does to all."""
        if not (self.training and self.deafness):
            return None
        share = torch.rand(streams, 1, device=device) * self.deafness
        return (torch.rand(streams, length, device=device) >= share)[:, None, None]

    def _drop(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.dropout, self.training)

    def _at(self, room: str, part: str) -> Tensor:
        return self.get_parameter(f"{room}.{part}")

    # --- what is told ----------------------------------------------------------------------------------------

    def _wish(self, batch: Mapping[str, Tensor]) -> Tensor | None:
        """float[B, 1, width]: what wishes add to every event."""
        if not self.shape.wishes:
            return None
        told, table = batch["wish"][..., None], self._at("wish", "table")
        rows = (torch.arange(BINS, device=told.device) <= told) & (told < BINS)
        return (rows.flatten(1).to(table.dtype) @ table)[:, None]

    def _picked(self, name: str, seen: _Seen, wish: Tensor | None = None) -> Tensor:
        """The sums of the rows that each event picks of a sight's table, and its bias."""
        sight, table = SIGHTS[name], self._at(name, "table")
        columns = [seen.column(field) for field in sight.plain]
        columns += [_interval(seen.column(field), seen.frame) for field in sight.references]
        if sight.frame:
            columns += [_degree(seen.column("key"), seen.frame), _register(seen.frame)]
        rows = torch.stack(columns, -1) + torch.tensor(sight.starts[:len(columns)], device=table.device)
        numbers = sum(sight.sizes)
        is_blind = sight.frame and self.training and self.blindness > 0
        told = self._told(rows).to(table.dtype).flatten(0, -2) if is_blind else None
        out = F.embedding_bag(rows.flatten(0, -2), table[:numbers], mode="sum", per_sample_weights=told)
        out = out.reshape(*rows.shape[:-1], table.shape[1]) + self._at(name, "bias")
        if sight.members and seen.bits is not None:
            fields = [*(seen.bit(field) for field in sight.bits), *_around(seen, sight.sets)]
            on = torch.cat([field & self._told(field[..., :1]) for field in fields] if is_blind else fields, -1)
            out = out + on.to(multiplied_in(table)) @ table[numbers:]
        return out if wish is None else out + wish

    def _told(self, like: Tensor) -> Tensor:
        """bool as `like` [B, n, columns]: which columns a stream is told at all."""
        drawn = torch.rand(like.shape[0], 1, like.shape[-1], device=like.device)
        return (drawn >= self.blindness).expand(like.shape)


def _seen(index: Tensor, bits: Tensor | None) -> _Seen:
    """Fields with the pitched note before each event and the frame of each: its own pitch, or of the note before."""
    pitch = index[..., _COLUMN["pitch"]]
    count = pitch.shape[1]
    if not count:
        return _Seen(index, bits, pitch, pitch)
    latest = torch.where(pitch < PITCHES, torch.arange(count, device=pitch.device), -1).cummax(1).values
    current = torch.where(latest >= 0, pitch.gather(1, latest.clamp_min(0)), NO_PITCH)
    prev = F.pad(current[:, :-1], (1, 0), value=NO_PITCH)
    drum = (pitch >= PITCHES) & (pitch < NO_PITCH)
    return _Seen(index, bits, prev, torch.where(drum, DRUM_FRAME, current))


def _place(frame: Tensor, prev: Tensor) -> Tensor:
    """Where a frame lies in pitch: drums lie where the note before does, what has none at middle C."""
    frame = torch.where((frame >= PITCHES) & (frame < NO_PITCH), prev, frame)
    return torch.where(frame < PITCHES, frame, MIDDLE_C)


def _interval(pitch: Tensor, frame: Tensor) -> Tensor:
    alike = (pitch < NO_PITCH) & (frame < NO_PITCH) & ((pitch < PITCHES) == (frame < PITCHES))
    return torch.where(alike, (pitch - frame).clamp(-REACH, REACH) + REACH, INTERVALS - 1)


def _degree(key: Tensor, frame: Tensor) -> Tensor:
    seen = torch.where(frame < PITCHES, (key % 12 - frame) % 12 + 12 * (key // 12), DEGREES - 2)
    return torch.where(key == 24, DEGREES - 1, seen)


def _register(frame: Tensor) -> Tensor:
    return torch.where(frame < PITCHES, frame // 6, NO_REGISTER)


def _around(seen: _Seen, sets: Sequence[str]) -> list[Tensor]:
    """The sets of pitches around the frame, bool[..., SPREAD] each."""
    frame = seen.frame[..., None]
    drums = frame >= PITCHES
    at = torch.where(drums, frame - PITCHES, frame) + torch.arange(-REACH, REACH + 1, device=frame.device)
    good = (at >= 0) & (at < PITCHES) & (frame < NO_PITCH)
    at = at.clamp(0, PITCHES - 1)
    return [seen.bit(name).gather(-1, at) & (good if name == "echo" else good & ~drums) for name in sets]


def _causal(length: int, known: int, reached: Tensor, deaf: Tensor | None, strict: bool) -> Tensor:
    """bool[B, 1, n, n] of whom each event, then each known note ahead, may hear; `strict` leaves itself out.

    An event hears those before it and the known notes after it (strict: itself too, where it is one); a known note
    ahead hears those further ahead. Whatever a stream is deaf to, each hears the nearest.
    """
    total = length + known
    number = torch.arange(total, device=reached.device)
    past = number[:, None] >= number
    past[length:, :length] = False
    own = number[:, None] == number
    mask = (past & ~own if strict else past).repeat(len(reached), 1, 1)
    event = number[:length, None]
    mask[:, :length, length:] = (reached[:, None] >= event) if strict else (reached[:, None] > event)
    if deaf is not None:
        mask = mask & deaf[:, 0]
    near = number[:, None] == number + strict
    near[length:] &= own[length:]
    near[0, 0] = True
    return (mask | near)[:, None]
