"""Nothing believed, by the command line: whatever a file holds is read or refused in a sentence,
and in bounds.
"""

import csv
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from regbench import cli
from regbench.config.starter import starter

REFERENCE = Path(__file__).parents[1] / "results/reference/quickstart"

BOUNDED = """
import contextlib, io, json, resource, sys, time
from regbench import cli
from regbench.planning import tuning

def use():
    lines = open("/proc/self/status")
    return int(next(line for line in lines if line.startswith("VmSize")).split()[1]) << 10

resource.setrlimit(resource.RLIMIT_AS, (use() + (200 << 20),) * 2)
for arguments in json.load(sys.stdin):
    out, began = io.StringIO(), time.process_time()
    sys.argv[1:] = arguments
    with contextlib.redirect_stderr(out), contextlib.redirect_stdout(out):
        try:
            cli.main()
        except SystemExit as end:
            code = end.code
    print(json.dumps([code, out.getvalue(), time.process_time() - began]))
"""
"""Runs commands, one after another, with 200 MB of memory for them, and says what each left."""


def bounded(*commands: list[str]) -> list[tuple[int, str, float]]:
    done = subprocess.run(
        [sys.executable, "-c", BOUNDED],
        input=json.dumps(commands),
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]  # type: ignore[misc]


def test_hostile_configs_are_a_sentence_and_exit_code_2_within_bounds(tmp_path: Path) -> None:
    doubling = "a0: &a0 [x, x]\n" + "".join(
        f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 28)
    )
    texts = {
        "doubling": (doubling.encode(), "the aliases (*name) repeat too much"),
        "loop": (b"a: &a {b: *a}\n", "the aliases (*name) repeat too much"),
        "lists": (b"[" * 10_000, "nested deeper than 30"),
        "mappings": (b"{a: " * 10_000, "nested deeper than 30"),
        "block": (
            "".join(f"{chr(32) * i}a:\n" for i in range(1000)).encode(),
            "nested deeper than 30",
        ),
        "dashes": (b"- " * 10_000, "nested deeper than 30"),
        "nul": (starter().encode() + b"\0", "a character that can't be printed (\\x00)"),
        "latin": (starter().encode() + b"\xff", "isn't UTF-8 text"),
        "utf16": (starter().encode("utf-16"), "isn't UTF-8 text"),
        "object": (
            b"a: !!python/object/apply:os.system [x]\n",
            "the tag '!!python/object/apply:os.system'",
        ),
    }
    for name, (content, _) in texts.items():
        (tmp_path / name).write_bytes(content)
    with (tmp_path / "scalar").open("wb") as file:
        file.write(b"name: x")
        file.truncate(100 << 20)
    commands = [["check", str(tmp_path / name)] for name in [*texts, "scalar"]]
    (tmp_path / "fine").write_text(starter())
    overrides = {
        "name=" + "[" * 10_000: "nested deeper than 30",
        "train.epochs=" + "9" * 10_000: "the number is too big",
        "name=" + "x" * 100_000: "allowed: 1 to 64 small letters",
        "x" * 100_000 + "=1": "allowed: name, dataset, model",
        ".".join(["a"] * 10_000) + "=1": "an override is written section.key=value",
        "a=" + doubling: "the aliases (*name) repeat too much",
    }
    commands += [["check", str(tmp_path / "fine"), "--set", override] for override in overrides]
    reasons = [reason for _, reason in texts.values()] + ["larger than 1 MiB", *overrides.values()]
    for (_, path, *_), reason, (code, said, seconds) in zip(
        commands, reasons, bounded(*commands), strict=True
    ):
        assert (code, reason in said, "Traceback" in said) == (2, True, False), (path, said[:2000])
        assert len(said) < 5000
        assert all(line.startswith((path, "--set")) for line in said.splitlines())
        assert seconds < 10


def called(*arguments: object) -> int:
    """The exit code of a command, run in this process."""
    sys.argv[1:] = map(str, arguments)
    try:
        cli.main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


EVIL = (
    "=cmd() \x1b]0;title\x07\x9b31m <script>alert(1)</script> \\input{/etc/passwd} $x$ [a](b) "
    "| `c` [/red] &"
)
"""What terminals, spreadsheets, browsers, TeX, Markdown and Rich would act on."""


@pytest.fixture
def handed_over(tmp_path: Path) -> Path:
    """A results directory from somewhere else, with hostile text wherever text is believed to
    be.
    """
    directory = shutil.copytree(REFERENCE, tmp_path / "results")
    with (directory / "runs.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    rows[0] |= {"status": "failed", "reason": EVIL}
    for row in rows[1:]:
        row |= {"dataset": EVIL, "model": EVIL, "split_hash": EVIL}
    with (directory / "runs.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    for name in ("environment.json", "dataset.json"):
        old = json.loads((directory / name).read_text())
        new = {key: EVIL if isinstance(value, str) else value for key, value in old.items()} | {
            EVIL: EVIL
        }
        (directory / name).write_text(json.dumps(new, ensure_ascii=False), encoding="utf-8")
    return directory


def test_a_hostile_results_directory_is_text_and_nothing_else(
    handed_over: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["regbench"])
    commands = [
        ["table", handed_over, "--format", form]
        for form in ("rich", "markdown", "latex", "csv", "json")
    ]
    commands += [["audit", handed_over], ["diff", REFERENCE, handed_over]]
    said = {}
    for command in commands:
        code = called(*command)
        out, err = capsys.readouterr()
        said[command[-1]] = out
        assert code in (0, 3), err
        assert re.sub(r"[\n✓✗]", "", out).isprintable(), command
    assert "[/red]" in said["rich"]
    assert r"\<script\>" in said["markdown"]
    assert r"\textbackslash{}input\{/etc/passwd\}" in said["latex"]
    assert not any(
        cell.startswith(("=", "+", "@"))
        for row in csv.reader(said["csv"].splitlines())
        for cell in row
    )


@pytest.mark.parametrize("number", ["x", -1, 1.5, None, [1], 10**30])
def test_a_number_of_test_images_that_is_none_is_no_traceback(
    handed_over: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    number: object,
) -> None:
    monkeypatch.setattr(sys, "argv", ["regbench"])
    (handed_over / "dataset.json").write_text(json.dumps({"test": number}))
    assert called("table", handed_over, "--format", "csv") in (0, 1)
    assert "Traceback" not in capsys.readouterr().err
