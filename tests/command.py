"""regbench as a person runs it: in this process, which has its modules already, or in one of its
own.
"""

import contextlib
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from unittest import mock

from regbench import cli


def regbench(
    *arguments: object, cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """regbench, in a process of its own where the environment is said: much of it is read once."""
    return (process if environment else here)(*arguments, cwd=cwd, **environment)


def process(
    *arguments: object, cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """regbench in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "regbench", *map(str, arguments)],
        capture_output=True, text=True, cwd=cwd,
        env=os.environ | {"COLUMNS": "160"} | environment, timeout=240, check=False,
    )  # fmt: skip


SEVERAL = """
import io, json, sys
from regbench import cli

commands, encodings, setup = json.load(sys.stdin)
exec(setup)
said = []
for encoding, command in [(e, c) for e in encodings for c in commands]:
    sys.argv[1:] = command
    out, err = (
        io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True) for _ in range(2)
    )
    sys.stdout, sys.stderr = out, err
    code = 0
    try:
        cli.main()
    except SystemExit as end:
        code = end.code or 0
    sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
    said.append([code, *(stream.buffer.getvalue().decode(encoding) for stream in (out, err))])
json.dump(said, sys.stdout)
"""
"""Runs commands one after the other, and says of each its exit code and what it wrote."""


def several(
    *commands: list[str],
    cwd: Path,
    encodings: tuple[str, ...] = ("utf-8",),
    setup: str = "",
    **environment: str,
) -> list[tuple[int, str, str]]:
    """Exit code, stdout and stderr of each command, in one process, written to a terminal of each
    encoding in turn.
    """
    done = subprocess.run(
        [sys.executable, "-c", SEVERAL], input=json.dumps([commands, encodings, setup]),
         capture_output=True, text=True,
        cwd=cwd, env=os.environ | {"COLUMNS": "100"} | environment, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [tuple(said) for said in json.loads(done.stdout)]


def sweep(
    *arguments: object, cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """`regbench sweep` in this process, which has torch already: for what does not depend on the
    executor.
    """
    return here("sweep", *arguments, "--executor", "serial", cwd=cwd, **environment)


def here(
    *arguments: object, cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """regbench in this process, whose start takes longer than many a command."""
    command = [*map(str, arguments)]
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    code = 0
    with (
        mock.patch.dict(os.environ, {"COLUMNS": "160"} | environment),
        mock.patch.object(sys, "argv", ["regbench", *command]),
        contextlib.chdir(cwd or Path.cwd()),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            cli.main()
        except SystemExit as end:
            code = int(end.code or 0)
    said = (stream.buffer.getvalue().decode() for stream in (out, err))
    return subprocess.CompletedProcess(command, code, *said)


def said(text: str) -> str:
    """A text as it is compared: with no spaces and lines, which follow the numbers' widths, and
    with a sign for every number, whose last digits, and whether there is one second or two, are the
    machine's.
    """
    bare = re.sub(r"[\s─│├┤┼━●╵╷]+", "", re.sub(r"\b(second|minute)s\b", r"\1", text))
    return re.sub(r"[<≤]?[+−-]?\d[\d,]*(\.\d+)?(e-?\d+)?", "0", bare)
