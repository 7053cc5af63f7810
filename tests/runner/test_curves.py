"""The learning curves that are drawn while a sweep trains."""

import math

import pytest
from rich.console import Console
from rich.table import Table

from regbench.planning.plan import Cell, Plan, Run, Stack
from regbench.runner.curves import Curves, braille_of, last, names, path, picture, room, spanned

WHOLE = (0.0, 1.0)


class Settings:
    epochs = 5


def stack(name: str, cells: list[str], seeds: tuple[int, ...] = (0,)) -> Stack:
    runs = [
        Run(f"{name}-{cell}-{seed}", Cell(cell, {}), seed, None, None, Settings())  # type: ignore[arg-type]
        for seed in seeds
        for cell in cells
    ]
    return Stack(name, tuple(runs), 1.0)


def curves(*stacks: Stack, width: int = 80) -> Curves:
    return Curves(Plan((), tuple(run for s in stacks for run in s.runs), stacks, ()), width)


def lines(drawn: Table | None, width: int, encoding: str = "utf-8") -> list[str]:
    assert drawn is not None
    console = Console(width=width, color_system=None, force_terminal=True, legacy_windows=False)
    with console.capture() as captured:
        console.print(drawn)
    return [line.rstrip() for line in captured.get().splitlines()]


def titles(shown: Curves, width: int = 80) -> list[str]:
    return lines(shown.drawn(width, 24, "utf-8"), width)[0].split()


# Lines and characters


def test_a_line_goes_through_its_points_and_all_dots_between_them() -> None:
    assert path({1: 0.0, 5: 1.0}, (5, 5), 5, WHOLE) == {(n, 4 - n) for n in range(5)}
    assert path({1: 0.0, 2: 1.0}, (2, 4), 2, WHOLE) == {(0, 3), (0, 2), (1, 1), (1, 0)}


def test_a_constant_is_a_level_line() -> None:
    assert path({1: 0.5, 2: 0.5, 3: 0.5}, (5, 5), 3, WHOLE) == {(n, 2) for n in range(5)}


def test_what_was_not_measured_is_bridged_and_what_is_no_number_leaves_a_gap() -> None:
    assert path({1: 1.0, 5: 1.0}, (5, 3), 5, WHOLE) == {(n, 0) for n in range(5)}
    assert path({1: 1.0, 3: math.nan, 5: 1.0}, (5, 3), 5, WHOLE) == {(0, 0), (4, 0)}
    assert path({1: math.nan, 2: math.inf}, (5, 3), 5, WHOLE) == set()


def test_half_the_epochs_fill_half_the_width_and_one_epoch_is_a_dot() -> None:
    assert {x for x, _ in path({1: 0.5, 3: 0.5}, (9, 3), 5, WHOLE)} == set(range(5))
    assert path({1: 0.5}, (9, 3), 1, WHOLE) == {(0, 1)}
    assert path({}, (9, 3), 5, WHOLE) == set()


def test_what_lies_beyond_the_axis_stays_at_its_edge() -> None:
    assert path({1: 2.0, 2: -1.0}, (2, 2), 2, WHOLE) == {(0, 0), (1, 1)}


def test_each_dot_has_its_bit_of_a_braille_character() -> None:
    signs = [braille_of({(x, y)})[0, 0] for y in range(4) for x in range(2)]
    assert "".join(signs) == "⠁⠈⠂⠐⠄⠠⡀⢀"
    assert braille_of({(x, y) for x in range(2) for y in range(4)}) == {(0, 0): "⣿"}
    assert braille_of({(2, 4), (3, 4), (0, 0)}) == {(1, 1): "⠉", (0, 0): "⠁"}
    assert braille_of([]) == {}


RISES, FALLS = {1: 0.0, 5: 1.0}, {1: 1.0, 5: 0.5}


def test_in_ascii_training_is_dots_and_validation_stands_before_it() -> None:
    drawn = picture(RISES, FALLS, (9, 5), 5, WHOLE, braille=False)
    assert drawn.plain.split("\n") == [
        "oo      .",
        "  oooo.. ",
        "    ..ooo",
        "  ..     ",
        "..       ",
    ]


def test_in_braille_training_is_dashed_and_dim() -> None:
    drawn = picture({1: 0.0, 5: 0.0}, {1: 1.0, 5: 1.0}, (6, 2), 5, WHOLE)
    assert drawn.plain == "⠉⠉⠉⠉⠉⠉\n⣀ ⣀ ⣀ "
    styles = {drawn.plain[span.start]: span.style for span in drawn.spans}
    assert styles["⠉"] == "bold green"
    assert styles["⣀"] == "dim"


@pytest.mark.parametrize(
    ("values", "span"),
    [
        ([0.31, 0.87], (0.3, 0.9)),
        ([0.3, 0.9], (0.3, 0.9)),
        ([0.7], (0.6, 0.8)),
        ([1.0, 1.0], (0.9, 1.0)),
        ([0.0], (0.0, 0.1)),
        ([math.nan, 0.45], (0.4, 0.5)),
        ([math.nan], WHOLE),
        ([], WHOLE),
    ],
)
def test_the_axis_holds_all_values_between_tenths(
    values: list[float], span: tuple[float, float]
) -> None:
    assert spanned(values) == span


def test_a_cell_is_named_without_its_settings_where_no_other_is_called_so() -> None:
    assert names(["baseline", "dropout(p=0.5) + l2(strength=0.01)"]) == {
        "baseline": "baseline",
        "dropout(p=0.5) + l2(strength=0.01)": "dropout + l2",
    }
    assert names(["l2(strength=0.1)", "l2(strength=1)"]) == {
        "l2(strength=0.1)": "l2 (strength=0.1)",
        "l2(strength=1)": "l2 (strength=1)",
    }


# What is shown of a sweep


def test_a_cell_shows_the_mean_of_its_runs_of_all_stacks() -> None:
    one, other = stack("one", ["baseline"], (0, 1)), stack("other", ["baseline"], (2,))
    shown = curves(one, other)
    shown.hear(one, 1, [0.2, 0.4], [0.5, 0.7])
    shown.hear(other, 1, [0.9], [0.9])
    below = lines(shown.drawn(80, 24, "utf-8"), 80)[-2]
    assert below.split() == ["70.0%", "50.0%"]
    shown.hear(other, 1, [0.0], [0.9])  # anew, after its process had died
    assert lines(shown.drawn(80, 24, "utf-8"), 80)[-2].split() == ["70.0%", "20.0%"]


def test_what_is_heard_of_some_runs_of_a_stack_alone_is_passed_over() -> None:
    one = stack("one", ["baseline"], (0, 1))
    shown = curves(one)
    shown.hear(one, 1, [0.2], [0.5])
    assert shown.drawn(80, 24, "utf-8") is None


def test_training_is_drawn_where_validation_is_not_measured_yet() -> None:
    one = stack("one", ["baseline"])
    shown = curves(one)
    shown.hear(one, 1, [], [0.5])
    assert lines(shown.drawn(80, 24, "utf-8"), 80)[-2].split() == ["50.0%"]


def test_a_cell_that_is_done_makes_room_for_the_next_and_the_baseline_stays() -> None:
    cells = ["baseline", *"abcdefg"]
    stacks = [stack(cell, [cell]) for cell in cells]
    shown = curves(*stacks, width=80)
    assert room(80) == 5
    for each in stacks[:5]:
        shown.hear(each, 1, [0.5], [0.5])
    assert titles(shown) == cells[:5]
    shown.hear(stacks[5], 1, [0.5], [0.5])
    assert titles(shown) == cells[:5], "all places are taken by cells that train"
    shown.finished(stacks[0])
    shown.finished(stacks[2])
    shown.hear(stacks[5], 2, [0.5], [0.5])
    assert titles(shown) == ["baseline", "a", "c", "d", "e"]


@pytest.mark.parametrize("width", [20, 40, 60, 70, 80, 140, 400])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "cp949"])
def test_the_pictures_fit_the_terminal_and_its_encoding(width: int, encoding: str) -> None:
    cells = ["baseline", "dropout(p=0.5) + batch_norm", "batch_norm", "l2", "l1", "max_norm"]
    stacks = [stack(cell, [cell]) for cell in cells]
    shown = curves(*stacks, width=width)
    for each in stacks:
        for epoch in range(1, 6):
            shown.hear(each, epoch, [epoch / 9], [epoch / 6])
    drawn = lines(shown.drawn(width, 24, encoding), width)
    text = "\n".join(drawn)
    assert all(len(line) <= width for line in drawn)
    assert len(drawn) <= 24 - 8
    text.encode(encoding)
    assert "baseline" in text
    assert "55.6%" in text
    assert ("⠒" in text) == (encoding == "utf-8")


def test_a_terminal_that_is_resized_shows_the_first_cells() -> None:
    stacks = [stack(cell, [cell]) for cell in "abcde"]
    shown = curves(*stacks, width=80)
    for each in stacks:
        shown.hear(each, 1, [0.5], [0.5])
    assert titles(shown, 40) == ["a", "b"]


def test_a_low_terminal_and_a_sweep_without_epochs_show_nothing() -> None:
    one = stack("one", ["baseline"])
    shown = curves(one)
    shown.hear(one, 1, [], [])
    assert shown.drawn(80, 24, "utf-8") is None
    shown.hear(one, 2, [0.5], [0.5])
    assert shown.drawn(80, 19, "utf-8") is None
    assert shown.drawn(80, 20, "utf-8") is not None


def test_the_numbers_below_are_the_last_ones() -> None:
    assert last({"training accuracy": {1: 0.1, 2: 0.25}, "validation accuracy": {}}).plain == (
        "25.0%"
    )
