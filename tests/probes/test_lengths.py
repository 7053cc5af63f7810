from __future__ import annotations

from tests.probes.tiny import measured, trained


def test_all_rows_are_the_ordinary_evaluation() -> None:
    (rows,) = trained(
        "{lengths: {lengths: [1, 14], on: test}}", ["{batch_norm: {}}"], "rnn", epochs=1
    )
    for run in rows.runs:
        mine = {row["at"]: row["value"] for row in rows.probes if row["run"] == run["run"]}
        assert mine.keys() == {1, 14}
        assert mine[14] == run["test_accuracy"]


def test_one_black_row_says_nothing() -> None:
    for values in measured("{lengths: {lengths: [1]}}", ["{}"], "rnn", epochs=1).values():
        assert values["accuracy", 1] == 0.1
