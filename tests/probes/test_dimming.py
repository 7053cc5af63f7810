from __future__ import annotations

import torch

from regbench.probes.dimming import dimmed
from tests.probes.tiny import trained


def test_black_stays_and_white_becomes_grey() -> None:
    black, white = torch.tensor([-0.5]), torch.tensor([1.5])
    x = torch.stack([black, white])
    assert dimmed(x, 0.25, black).flatten().tolist() == [-0.5, 0.0]


def test_full_brightness_is_the_ordinary_evaluation() -> None:
    (rows,) = trained("{dimming: {levels: [1, 0.1], on: test}}", ["{batch_norm: {}}"], epochs=4)
    for run in rows.runs:
        mine = {row["at"]: row["value"] for row in rows.probes if row["run"] == run["run"]}
        assert mine[1] == run["test_accuracy"]
        assert mine[0.1] != mine[1]
