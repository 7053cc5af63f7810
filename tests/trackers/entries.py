"""Entries as a sweep would make them, for tests of one tracker."""

from regbench.trackers import Entry


def entry(
    number: int = 0, status: str = "ok", epochs: int = 3, cell: str = "dropout(p=0.5)"
) -> Entry:
    return Entry(
        id=f"00000000000{number}-abcdef012345",
        name=f"{cell}, seed {number}",
        cell=cell,
        status=status,
        reason="" if status == "ok" else "ValueError: it can't be trained",
        params={"seed": number, "techniques": "dropout", "dropout.p": 0.5, "train.nesterov": True},
        epochs=tuple(
            (
                epoch,
                10.0 * epoch,
                {"epoch/train_loss": 1 / epoch, "epoch/validation_accuracy": 0.1 * epoch},
            )
            for epoch in range(1, epochs + 1)
        ),
        metrics={"final/test_accuracy": 0.75} if status == "ok" else {},
        step=2 if status == "ok" else 0,
        seconds=10.0 * epochs,
    )
