from __future__ import annotations

import pytest

from tests.probes.tiny import measured, trained


@pytest.mark.parametrize(("model", "few"), [("rnn", 1), ("transformer", 7)])
def test_all_rows_are_the_ordinary_evaluation(model: str, few: int) -> None:
    (rows,) = trained(
        f"{{lengths: {{lengths: [{few}, 14], on: test}}}}", ["{batch_norm: {}}"], model, epochs=1
    )
    for run in rows.runs:
        mine = {row["at"]: row["value"] for row in rows.probes if row["run"] == run["run"]}
        assert mine.keys() == {few, 14}
        assert mine[14] == run["test_accuracy"]


def test_one_black_row_says_nothing() -> None:
    for values in measured("{lengths: {lengths: [1]}}", ["{}"], "rnn", epochs=1).values():
        assert values["accuracy", 1] == 0.1
