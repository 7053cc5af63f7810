import pytest

from regbench.errors import DESCRIBED, describe
from regbench.executors import Outcome, serial


def test_outcomes_come_in_the_order_of_the_items_each_after_its_events():
    log = []

    def double(item, emit):
        emit(f"{item} begins")
        emit(f"{item} ends")
        return 2 * item

    for outcome in serial.run(
        double, [3, 1, 2], on_event=lambda item, event: log.append((item, event))
    ):
        log.append(outcome)
    expected = []
    for item in [3, 1, 2]:
        expected += [
            (item, f"{item} begins"),
            (item, f"{item} ends"),
            Outcome(item, 2 * item, None),
        ]
    assert log == expected


def test_what_the_function_raises_becomes_the_outcome_and_the_rest_goes_on():
    def invert(item, emit):
        return 1 / item

    outcomes = list(serial.run(invert, [2, 0, 4], on_event=lambda item, event: None))
    assert outcomes == [
        Outcome(2, 0.5, None),
        Outcome(0, None, "ZeroDivisionError: division by zero"),
        Outcome(4, 0.25, None),
    ]


def test_an_item_starts_only_when_the_one_before_has_been_taken():
    started = []
    outcomes = serial.run(
        lambda item, emit: started.append(item), [1, 2], on_event=lambda item, event: None
    )
    assert started == []
    next(outcomes)
    assert started == [1]


def test_ctrl_c_in_the_function_is_no_outcome():
    def interrupted(item, emit):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        next(serial.run(interrupted, [1], on_event=lambda item, event: None))


def test_what_on_event_raises_goes_to_the_caller_not_into_an_outcome():
    def full_disk(item, event):
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        list(serial.run(lambda item, emit: emit("event"), [1], on_event=full_disk))


def test_the_initializer_runs_once_and_not_at_all_without_items():
    calls = []
    work = {"on_event": lambda item, event: None, "initializer": lambda: calls.append("set up")}
    assert list(serial.run(lambda item, emit: None, [], **work)) == []
    assert calls == []
    assert len(list(serial.run(lambda item, emit: None, [1, 2], **work))) == 2
    assert calls == ["set up"]


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("lr is\n  too large"), "ValueError: lr is too large"),
        (KeyError(), "KeyError"),
        (RuntimeError("x" * 1000), f"RuntimeError: {'x' * (DESCRIBED - 17)}..."),
    ],
)
def test_a_reason_is_one_line_of_bounded_length(error, line):
    assert describe(error) == line
    assert len(line) <= DESCRIBED
