"""Random streams that are kept apart by topic and block."""

from __future__ import annotations

import numpy as np


def stream(seed: int, topic: str, block: int = 0) -> np.random.Generator:
    """One stream a topic and block, so that one more draw in a topic moves no other."""
    key = [seed, block, *topic.encode()]
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(key)))
