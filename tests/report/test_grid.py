"""Plain tables: where there is little room, words give way and figures don't."""

import io

from rich.console import Console

from regbench.report.grid import grid


def shown(width: int, *rows: tuple[str, ...]) -> str:
    console = Console(width=width, file=io.StringIO())
    console.print(grid(("cell", "parameters"), rows))
    return console.file.getvalue()


def test_a_figure_stays_whole_and_a_label_breaks_between_its_words() -> None:
    text = shown(30, ("l1(strength=0.0005) + dropout(p=0.5)", "269,322"))
    assert "269,322" in text
    assert [line.split()[0] for line in text.splitlines() if "p=" in line] == ["dropout(p=0.5)"]


def test_a_key_stays_whole_and_its_description_breaks() -> None:
    text = shown(24, ("weight_decay", "shrinks the weights at each step"))
    assert "weight_decay" in text
    assert "shrinks the weights at each step" not in text


def test_figures_stand_below_each_other_by_their_last_digit() -> None:
    lines = shown(60, ("a", "5"), ("b", "1,000")).splitlines()
    ends = [len(line.rstrip()) for line in lines if line.strip().startswith(("a ", "b "))]
    assert len(set(ends)) == 1
