"""`make fuzz`: the parsers of our own against inputs that coverage leads to (atheris, libFuzzer's
engine for Python).

Each target gets bytes and may raise what a person can mend, in one printable sentence, and nothing
else; it has ten seconds and 2 GiB for one input. A failing input is written beside the message that
names it.
"""

from __future__ import annotations

import argparse
import atexit
import io
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np

from regbench.errors import ConfigError, RegbenchError

ROOT = Path(__file__).resolve().parent.parent
QUICKSTART = ROOT / "configs/quickstart.yaml"
RESULTS = ROOT / "results/reference/quickstart"


@cache
def folder() -> Path:
    """A folder for the file that is read next."""
    made = Path(tempfile.mkdtemp(prefix="regbench-fuzz-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


def placed(name: str, content: bytes) -> Path:
    (folder() / name).write_bytes(content)
    return folder() / name


def config(content: bytes) -> None:
    from regbench.planning.cells import load
    from regbench.planning.plan import plan

    loaded = load(placed("config.yaml", content))
    cells = 2 ** len(loaded.techniques) if loaded.tune is None else 0
    if 0 < cells * len(loaded.seeds) < 1000:
        plan(loaded)


def override(content: bytes) -> None:
    from regbench.planning.cells import load

    load(QUICKSTART, [content.decode(errors="surrogateescape")])


def claim(content: bytes) -> None:
    from regbench.claims import claims

    placed("claims.yaml", content)
    claims.found(folder())


def formula(content: bytes) -> None:
    """A statistic or a rule: either must be able to say that it is the other."""
    from regbench.analysis.stats import Estimate
    from regbench.claims import formula as formulas

    text = content.decode(errors="replace")
    numbers = np.array([[1.0, np.nan, 2.0], [0.0, -1.0, np.inf]])
    try:
        tree = formulas.parsed(text)
        formulas.names(tree)
        try:
            formulas.value(tree, lambda name, arm: numbers if name == "gap" else numbers[:, 0])
        except ValueError:
            formulas.holds(tree, {"a": Estimate(0.0, -1.0, 1.0, 0.5, 3)})
    except ValueError as error:
        raise RegbenchError(str(error)) from None


def records(content: bytes) -> None:
    """Rows of all four tables, each behind its header; then a sweep that goes on there."""
    from regbench.results.read import Records
    from regbench.results.schema import BESIDE, PROBED, RUNS
    from regbench.results.write import Writer

    tables = {"runs.csv": RUNS} | BESIDE | PROBED
    which, body = (content[0] % 4, content[1:]) if content else (0, b"")
    sweep = folder() / "sweep"
    sweep.mkdir(exist_ok=True)
    (sweep / "config.yaml").write_text("{name: x, probes: {noise: {}}}")
    for name in ("dataset.json", "environment.json"):
        (sweep / name).write_text("{}")
    for i, (name, columns) in enumerate(tables.items()):
        (sweep / name).write_bytes(
            ",".join(columns).encode() + b"\n" + (body if i == which else b"")
        )
    try:
        found = Records(sweep)
        for part in ("runs", "epochs", "details", "probes"):
            getattr(found, part)
    finally:  # what a table refuses, a sweep may still mend
        with Writer(sweep, {"name": "x", "probes": {"noise": {}}}, {}, {}) as results:
            results.finished()


def kept_config(content: bytes) -> None:
    from regbench.results.read import Records
    from regbench.results.same import differences

    placed("config.yaml", content)
    placed("environment.json", content)
    found = Records(folder())
    differences(found.config, {"name": "x"})
    differences(found.environment, {"name": "x"})


def npz(content: bytes) -> None:
    from regbench.data import npz as archive

    archive.load(placed("x.npz", content), None)


def table(content: bytes) -> None:
    from regbench.data import table as csv

    csv.load(placed("x.csv", content), None, "y")


def picture(content: bytes) -> None:
    from regbench.data import image_folder

    for kind in ("a", "b"):
        (folder() / "train" / kind).mkdir(parents=True, exist_ok=True)
        (folder() / "test" / kind).mkdir(parents=True, exist_ok=True)
        for part in ("train", "test"):
            for i in range(2):
                (folder() / part / kind / f"{i}.png").write_bytes(content)
    image_folder.load(folder(), None)


def kept_stack(content: bytes) -> None:
    from regbench.engine import checkpoint

    checkpoint.load(placed("x.safetensors", content), "key")


def catalogue(content: bytes) -> None:
    from regbench import locale

    locale.parsed(content, "x.yaml")


def document(content: bytes) -> None:
    from regbench.report import blocks

    text = content.decode(errors="replace")
    blocks.names(text)
    blocks.changes(text, text[::-1])
    blocks.difference(text, text[::2], "x")


def archive() -> bytes:
    packed = io.BytesIO()
    images, labels = np.zeros((4, 4, 4), np.uint8), np.array([0, 1, 0, 1])
    np.savez(packed, x_train=images, y_train=labels, x_test=images, y_test=labels)
    return packed.getvalue()


def png() -> bytes:
    from PIL import Image

    packed = io.BytesIO()
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(packed, "png")
    return packed.getvalue()


def stack() -> bytes:
    from regbench.engine import checkpoint

    checkpoint.save(folder() / "seed", {"a": np.zeros(3), "b": [1, {"c": None}]}, "key")
    return (folder() / "seed").read_bytes()


def row(name: str, which: int) -> bytes:
    """Return the first rows of a table that is committed, with the number of the table in front."""
    lines = (RESULTS / name).read_bytes().splitlines(keepends=True)
    return bytes([which]) + b"".join(line[:2000] for line in lines[1:3])


def _beginning(path: Path) -> bytes:
    """The first paragraphs of a file, whole."""
    return b"\n\n".join(path.read_bytes().split(b"\n\n")[:4])


TARGETS: dict[str, tuple[Callable[[bytes], None], Callable[[], list[bytes]]]] = {
    "config": (
        config,
        lambda: [
            QUICKSTART.read_bytes(),
            *(p.read_bytes() for p in (ROOT / "configs").glob("*.yaml")),
        ],
    ),
    "override": (
        override,
        lambda: [b"train.epochs=5", b"techniques.l2=[1e-4, 1e-3]", b"dataset={name: mnist}"],
    ),
    "claim": (
        claim,
        lambda: [p.read_bytes() for p in sorted((ROOT / "configs/claims").glob("*.yaml"))[:4]],
    ),
    "formula": (
        formula,
        lambda: [
            b"100 * mean(gap(a)) - x(b)",
            b"a > 0.5 and (a < 3 or a > 9)",
            b"chosen(gap(a), gap(b))",
        ],
    ),
    "records": (records, lambda: [row("runs.csv", 0), row("epochs.csv", 1), row("details.csv", 2)]),
    "kept_config": (
        kept_config,
        lambda: [
            (RESULTS / "config.yaml").read_bytes(),
            (RESULTS / "environment.json").read_bytes(),
        ],
    ),
    "npz": (npz, lambda: [archive()]),
    "table": (
        table,
        lambda: [b"x,k,y\n" + b"1.5,a,u\n2,b,v\n,a,v\n" * 6, b"x;y\n" + b"1,5;a\n2,5;b\n" * 6],
    ),
    "picture": (picture, lambda: [png()]),
    "kept_stack": (kept_stack, lambda: [stack()]),
    "catalogue": (catalogue, lambda: [_beginning(ROOT / "regbench/locale/ko.yaml")]),
    "document": (
        document,
        lambda: [b"<!-- table x en -->\n| a |\n<!-- /table -->\n", b"helps +1.2"],
    ),
}
"""Name to what is called with the bytes, and what they begin with."""


def survives(name: str, content: bytes) -> None:
    """Give an input to a target.

    Raises AssertionError, or whatever the target lets through, where it is a finding.
    """
    try:
        TARGETS[name][0](content)
    except ConfigError as error:
        said = [str(problem) for problem in error.problems]
    except RegbenchError as error:
        said = [str(error)]
    else:
        return
    assert said
    assert all(problem.isprintable() for problem in said), said


def fuzz(name: str, options: list[str]) -> None:
    """Fuzz one target in this process, until an option of libFuzzer's ends it."""
    import atheris

    with atheris.instrument_imports(include=["regbench", "yaml", "zipfile", "csv"]):
        for content in TARGETS[name][1]():
            survives(name, content)
    atheris.Setup([name, *options], lambda content: survives(name, content))
    atheris.Fuzz()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "targets", nargs="*", default=list(TARGETS), metavar="TARGET", help=", ".join(TARGETS)
    )
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        fuzz(asked.one, asked.targets)
        return 0
    failed = []
    for name in asked.targets:
        with tempfile.TemporaryDirectory(prefix="regbench-fuzz-") as scratch:
            corpus = Path(scratch) / "corpus"
            corpus.mkdir()
            for i, content in enumerate(TARGETS[name][1]()):
                (corpus / str(i)).write_bytes(content)
            options = [
                f"-max_total_time={asked.seconds}",
                "-timeout=10",
                "-rss_limit_mb=2048",
                "-max_len=8192",
            ]
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.fuzz", "--one", name, "--", str(corpus),
                 *options],
                capture_output=True, text=True, errors="replace", check=False,
                env=os.environ | {"TMPDIR": scratch},
            )  # fmt: skip
        tried = [line.split()[1] for line in done.stderr.splitlines() if line.startswith("Done")]
        print(
            f"{name}: {f'{int(tried[0]):,} inputs' if tried and not done.returncode else 'FAILED'}",
            flush=True,
        )
        if done.returncode:
            failed.append(name)
            print(done.stderr[-4000:], flush=True)
    print(f"{len(asked.targets)} parsers, {len(failed)} with findings")
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())
