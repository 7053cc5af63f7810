"""Nothing believed, by the command line: whatever a file holds is read or refused in a sentence, and in bounds."""

import json
import subprocess
import sys
from pathlib import Path

from regbench.config import starter

BOUNDED = """
import contextlib, io, json, resource, sys, time
from regbench import cli, tuning

def use():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmSize")).split()[1]) << 10

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
        [sys.executable, "-c", BOUNDED], input=json.dumps(commands), capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]  # type: ignore[misc]


def test_hostile_configs_are_a_sentence_and_exit_code_2_within_bounds(tmp_path: Path) -> None:
    doubling = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 28))
    texts = {
        "doubling": (doubling.encode(), "the aliases (*name) repeat too much"),
        "loop": (b"a: &a {b: *a}\n", "the aliases (*name) repeat too much"),
        "lists": (b"[" * 10_000, "nested deeper than 30"),
        "mappings": (b"{a: " * 10_000, "nested deeper than 30"),
        "block": ("".join(f"{chr(32) * i}a:\n" for i in range(1000)).encode(), "nested deeper than 30"),
        "dashes": (b"- " * 10_000, "nested deeper than 30"),
        "nul": (starter().encode() + b"\0", "a character that can't be printed (\\x00)"),
        "latin": (starter().encode() + b"\xff", "isn't UTF-8 text"),
        "utf16": (starter().encode("utf-16"), "isn't UTF-8 text"),
        "object": (b"a: !!python/object/apply:os.system [x]\n", "the tag '!!python/object/apply:os.system'"),
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
        "name=" + "x" * 100_000: "allowed: 1 to 64 of the characters a-z",
        "x" * 100_000 + "=1": "allowed: name, dataset, model",
        ".".join(["a"] * 10_000) + "=1": "an override is written section.key=value",
        "a=" + doubling: "the aliases (*name) repeat too much",
    }
    commands += [["check", str(tmp_path / "fine"), "--set", override] for override in overrides]
    reasons = [reason for _, reason in texts.values()] + ["larger than 1 MiB", *overrides.values()]
    for (_, path, *_), reason, (code, said, seconds) in zip(commands, reasons, bounded(*commands), strict=True):
        assert (code, reason in said, "Traceback" in said) == (2, True, False), (path, said[:2000])
        assert len(said) < 5000
        assert all(line.startswith((path, "--set")) for line in said.splitlines())
        assert seconds < 10
