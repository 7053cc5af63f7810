"""YAML 1.2 with places: what PyYAML reads differently, and what a hostile or broken file does."""

import string
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from regbench.config.yaml12 import Document, dump, parse, read
from regbench.errors import Place


def problems(document: Document) -> list[str]:
    return [str(problem) for problem in document.problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("5E3", 5000.0),
        (".5", 0.5),
        ("1.", 1.0),
        ("-.inf", float("-inf")),
        ("+12", 12),
        ("0x1F", 31),
        ("0o17", 15),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("null", None),
        ("", None),
        ("no", "no"),
        ("off", "off"),
        ("yes", "yes"),
        ("y", "y"),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("0b11", "0b11"),
        ("2024-01-01", "2024-01-01"),
        ("'1e-4'", "1e-4"),
        ('"true"', "true"),
        ("!!str 5", "5"),
        ("!!float 5", 5.0),
    ],
)
def test_scalars_are_read_by_the_core_schema(text: str, value: Any) -> None:
    document = parse(text, "f")
    assert document.data == value
    assert type(document.data) is type(value)
    assert not document.problems


def test_minus_zero_is_zero() -> None:
    assert str(parse("-0.0", "f").data) == "0.0"


@pytest.mark.parametrize("number", ["010", "-007"])
def test_a_number_with_a_leading_zero_is_refused_and_never_octal(number: str) -> None:
    document = parse(f"epochs: {number}", "f")
    assert document.data == {"epochs": None}
    (problem,) = problems(document)
    assert problem.startswith(f"f:1:9: '{number}': a number doesn't begin with 0")


@pytest.mark.parametrize(
    "number", ["9" * 19, "9" * 5000, "0x" + "f" * 5000, "-9223372036854775808"]
)
def test_an_integer_beyond_64_bits_is_refused(number: str) -> None:
    (problem,) = problems(parse(number, "f"))
    assert problem.endswith("the number is too big")


def test_each_key_and_value_knows_its_place() -> None:
    document = parse("# first\ntrain:\n  lr: 1e-4\n  widths: [1, 22]\n", "a.yaml")
    assert document.place(("train", "lr")) == Place("a.yaml", 3, 7)
    assert document.place(("train", "lr"), key=True) == Place("a.yaml", 3, 3)
    assert document.place(("train", "widths", 1)) == Place("a.yaml", 4, 15)
    assert document.place(("train", "epochs"), key=True) == Place("a.yaml", 2, 1), (
        "the nearest thing that is there"
    )
    assert document.place(("nothing",), key=True) == Place("a.yaml", 1, 1)


def test_a_duplicate_key_names_both_lines_and_the_first_counts() -> None:
    document = parse("a: 1\nb: 2\na: 3\n", "f")
    assert document.data == {"a": 1, "b": 2}
    assert problems(document) == [
        "f:3:1: the key 'a' is given twice, first in line 1; keep one of the two"
    ]


BROKEN = [
    ("a: b: c\n", "f:1:5: a ':' where none can stand"),
    ("a:\n  b: 1\n c: 2\n", "f:3:2: the indentation doesn't match"),
    ("a: [1, 2\nb: 3\n", "f:2:2: a bracket isn't closed, or a comma is missing"),
    (
        "a: 'open\nb: 3\n",
        "f:3:1: a quote is opened and never closed (what it belongs to begins in line 1)",
    ),
    ("a:\n\tb: 1\n", "f:2:1: a tab can't stand here; indent with spaces"),
    ("a: *x\n", "f:1:4: this alias (*name) stands for nothing"),
    ('a: "C:\\data"\n', "f:1:8: between double quotes a backslash has a meaning of its own"),
    ("a: 1\n---\nb: 2\n", "f:2:1: a second document begins here"),
    ("a: @x\n", "f:1:4: text can't begin with this character"),
    ("a\nb: 1\n", "f:2:2: "),
    ("a: 1\nb\n", "f:3:1: a key without a ':'"),
    ("? [a]\n: 1\n", "f:1:3: a key must be one word"),
    (
        "a: !!python/name:os.system x\n",
        "f:1:4: the tag '!!python/name:os.system' doesn't fit here",
    ),
    ("a: !!int x\n", "f:1:4: the tag '!!int' doesn't fit here"),
    ("a: !!set {b}\n", "f:1:4: the tag '!!set' doesn't fit here"),
    ("a: x\0y\n", "f:1:5: a character that can't be printed (\\x00)"),
    (
        'a: 1\nb: "x\\0y"\n',
        "f:2:4: 'x\\x00y': the text holds a character that can't be printed (\\x00)",
    ),
    ('a: "\\ud800"\n', "f:1:4: '\\ud800': the text holds a character"),
    ("[" * 5000, "f:1:30: lists and mappings are nested deeper than 30"),
    ("a: &a [*a]\n", "f:1:4: the aliases (*name) repeat too much, or stand in what they name"),
]


@pytest.mark.parametrize(("text", "problem"), BROKEN)
def test_broken_text_is_one_placed_sentence(text: str, problem: str) -> None:
    (found,) = problems(parse(text, "f"))
    assert found.startswith(problem)


def test_aliases_that_double_thirty_times_are_refused_at_once() -> None:
    lines = ["a0: &a0 [x, x]"] + [f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 28)]
    began = time.perf_counter()
    (problem,) = problems(parse("\n".join(lines), "f"))
    assert "the aliases (*name) repeat too much" in problem
    assert time.perf_counter() - began < 10


def test_an_alias_is_read_as_what_it_names() -> None:
    assert parse("a: &x {p: 0.5}\nb: *x\n", "f").data == {"a": {"p": 0.5}, "b": {"p": 0.5}}


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    missing, latin, marked, large = (
        tmp_path / name for name in ("missing", "latin", "marked", "large")
    )
    latin.write_bytes("a: 1\nb: Größe\n".encode("latin-1"))
    marked.write_bytes(b"\xef\xbb\xbfa: 1\n")
    large.write_bytes(b"#" * (1 << 20) + b"\n")
    assert problems(read(missing)) == [
        f"{missing}: there is no such file; `regbench init` writes a config to start from"
    ]
    assert problems(read(tmp_path)) == [f"{tmp_path}: this is a folder; name the YAML file in it"]
    assert problems(read(latin))[0].startswith(f"{latin}:2:6: the file isn't UTF-8 text")
    assert problems(read(large)) == [f"{large}: the file is larger than 1 MiB; that is no config"]
    assert problems(read(Path("a\0b")))[0].startswith("a\\x00b: the file can't be read")
    assert read(marked).data == {"a": 1}
    assert read(marked).place(("a",), key=True) == Place(str(marked), 1, 1)


PRINTABLE = st.text(
    st.characters(
        exclude_categories=["Cc", "Cs", "Cn", "Co"], exclude_characters="\ufeff\u2028\u2029"
    )
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**62), 2**62)
    | st.floats(allow_nan=False)
    | PRINTABLE
)
WORDS = st.sampled_from(
    [
        "no",
        "1e4",
        "010",
        "0x1",
        "~",
        "1_0",
        "12:30",
        "<<",
        "=",
        "-",
        "? ",
        "null",
        ".inf",
        "2020-01-01",
    ]
)
DATA = st.recursive(
    SCALARS | WORDS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(string.ascii_letters, min_size=1), inner)
    ),
    max_leaves=8,
)


@given(DATA)
def test_what_is_dumped_is_read_back_equal(data: Any) -> None:
    document = parse(dump(data), "f")
    assert document.data == data
    assert not document.problems


@given(WORDS | PRINTABLE)
def test_text_is_dumped_so_that_a_yaml_1_1_reader_sees_text_too(text: str) -> None:
    assert yaml.safe_load(dump({"name": text})) == {"name": text}


@given(st.text(alphabet="ab01:-[]{},'\"&*!|>#?%@~ \n\t\\é\0"))
def test_no_text_raises(text: str) -> None:
    document = parse(text, "f")
    assert all(problem.startswith("f:") for problem in problems(document))
