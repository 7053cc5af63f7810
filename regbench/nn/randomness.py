"""Random streams, each keyed by a run's seed and a purpose, so that no run's numbers depend on
another's.

No technique ever enters a key: runs of one seed share split, label noise, initial weights, batch
order and dropout noise, and so the difference between two techniques is a paired one.
"""

from __future__ import annotations

import hashlib

import numpy as np


def stream(seed: int, purpose: str) -> np.random.Generator:
    """Return the generator of `purpose` ("split", "init/hidden1.weight", ...) for `seed` (0 or
    more).

    Philox (Salmon et al. 2011) keyed through NumPy's SeedSequence: equal keys give equal streams,
    different keys independent ones.
    """
    code = int.from_bytes(hashlib.sha256(purpose.encode()).digest()[:8], "little")
    return np.random.Generator(
        np.random.Philox(np.random.SeedSequence(entropy=seed, spawn_key=(code,)))
    )
