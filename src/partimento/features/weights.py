"""The weights that come with the package, as arrays by name."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt


def shipped_weights(package: str, name: str, kind: npt.DTypeLike = np.float64) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of a safetensors file that lies in a package, by name, as numbers of that kind.

    >>> sorted(shipped_weights("partimento.features", "keys.safetensors"))
    ['bias', 'layer', 'layer bias', 'out', 'shortcut']
    """
    from safetensors.numpy import load

    return {key: array.astype(kind) for key, array in load(files(package).joinpath(name).read_bytes()).items()}
