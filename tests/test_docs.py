"""The pages say what the code says: every key, setting, default, proof and column; and their
examples work.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import typer.main

from regbench import cli, errors
from regbench.config import experiment_reader, sections, wording
from regbench.config.config import Config
from regbench.config.optimizer import Adam, AdamW, Constant, Cosine, Sgd, StepDecay
from regbench.config.schema import schema
from regbench.config.yaml12 import parse
from regbench.data import sources
from regbench.models import models
from regbench.planning.cells import load
from regbench.planning.plan import plan
from regbench.probes import probes
from regbench.regularizers import Technique, techniques
from regbench.results.read import read
from regbench.results.schema import BESIDE, PROBED, RUNS, Kind, Rows
from regbench.results.write import Writer
from regbench.runner.machine import environment
from regbench.settings import Settings
from regbench.text import summary

ROOT = Path(__file__).parents[1]
PAGES = {
    page.relative_to(ROOT).as_posix(): page.read_text(encoding="utf-8")
    for page in ROOT.glob("docs/*.md")
}
PAGES["CONTRIBUTING.md"] = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")

FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
BLOCKS = [
    (name, *found)
    for name, text in PAGES.items()
    if not name.endswith(".ko.md")  # whose code is that of their twins
    for found in FENCED.findall(text)
]
PROSE = {name: FENCED.sub("", text) for name, text in PAGES.items()}
EXAMPLE = "docs/add-a-technique.md"


def section(name: str, heading: str) -> str:
    """What stands between a heading and the next, without blocks of code."""
    found = re.search(
        rf"^#+ {re.escape(heading)}\n(.*?)(?=^#|\Z)", PROSE[name], re.DOTALL | re.MULTILINE
    )
    assert found, f"{name} has no heading {heading!r}"
    return found[1]


def rows(text: str) -> dict[str, list[str]]:
    """The rows of the tables in a text, by the name (as code) that they begin with."""
    table = [
        re.split(r"(?<!\\)\|", line)[1:-1] for line in text.splitlines() if line.startswith("|")
    ]
    found = [
        (re.match("`([^`]+)`", row[0].strip()), [cell.strip() for cell in row]) for row in table
    ]
    return {name[1]: cells for name, cells in found if name}


# --- settings
# ------------------------------------------------------------------------------------------

SECTIONS: dict[str, type[Settings]] = {
    "dataset": sections.Dataset,
    "train": sections.Train,
    "analysis": sections.Analysis,
    "sequential": sections.Sequential,
    "replicates": sections.Replicates,
    "tune": sections.Tune,
    **{name: module.Settings for name, module in models().items()},
    **{
        kind().name: kind
        for kind in (
            Sgd,
            Adam,
            AdamW,
            Constant,
            Cosine,
        )
    },
    "step": StepDecay,
}


def check_table(described: dict[str, list[str]], kind: type[Settings]) -> None:
    """Check that the rows `name | allowed | default | meaning` are those of a settings class."""
    for name, field in kind.model_fields.items():
        if name == "name" and not field.is_required():
            continue  # what the section is called
        assert name in described, f"{name} of {kind.__qualname__} is not described"
        _, allowed, default, meaning = described[name]
        assert meaning
        if name in ("name", "optimizer", "schedule"):
            assert "see below" in allowed
        else:
            assert allowed.replace("`", "") == wording.allowed(wording.shape_of(kind, name)), name
        if field.is_required() or field.default is None:
            assert default == ("required" if field.is_required() else "none"), name
        else:
            value = parse(default.strip("`"), name).data
            assert (
                getattr(kind.model_validate(needed(kind) | {name: value}), name) == field.default
            ), name


def needed(kind: type[Settings]) -> dict[str, Any]:
    """Values for the settings that have no default."""
    values = {"every": 1, "trials": 2, "lengths": [1], "theirs": {"en": "x"}}
    values["path"] = "x.py:Net"
    return {
        name: values.get(name, "x")
        for name, field in kind.model_fields.items()
        if field.is_required()
    }


def test_every_optimizer_and_schedule_is_among_the_sections() -> None:
    named = [
        shape["properties"]["name"]["const"]
        for key in ("optimizer", "schedule")
        for shape in schema()["$defs"]["config"]["properties"]["train"]["properties"][key]["oneOf"]
    ]
    assert set(named) <= SECTIONS.keys()


@pytest.mark.parametrize("heading", SECTIONS)
def test_every_key_of_the_config_is_described_with_its_range_and_default(heading: str) -> None:
    described = rows(section("docs/config.md", f"`{heading}`"))
    check_table(described, SECTIONS[heading])
    foreign = described.keys() - SECTIONS[heading].model_fields.keys()
    assert foreign == (set(sources()) if heading == "dataset" else set())


def test_every_part_of_the_config_has_a_section_and_every_mode_an_example() -> None:
    for key in Config.model_fields:
        assert section("docs/config.md", f"`{key}`")
    for mode in sections.MODES:
        assert f"`{mode}`:" in section("docs/config.md", "`combine`")
    for limit in (sections.SEEDS, sections.RUNS, sections.STRENGTHS):
        assert f"{limit:,}" in PROSE["docs/config.md"]


def test_every_dataset_is_described_with_its_size() -> None:
    described = rows(section("docs/config.md", "`dataset`"))
    for name, source in sources().items():
        image = "x".join(map(str, source.IMAGE or ["yours"]))
        size = f"{source.TRAIN:,} + {source.TEST:,}" if source.TRAIN else "yours"
        assert described[name][1:3] == [image, size]


@pytest.mark.parametrize("key", techniques())
def test_where_tuning_looks_for_a_strength_is_described_and_valid(key: str) -> None:
    technique = techniques()[key]
    for name, span in technique.ranges.items():
        scale = "" if span.linear else ", on a logarithmic scale"
        said = f"draws `{name}` from {span.low:g} to {span.high:g}{scale}."
        assert said in section("docs/techniques.md", f"`{key}`")
        for share in (0, 0.5, 1):
            technique.Settings.model_validate({name: span.at(share)})


@pytest.mark.parametrize("key", techniques())
def test_every_setting_and_proof_of_a_technique_is_described(key: str) -> None:
    technique, text = techniques()[key], section("docs/techniques.md", f"`{key}`")
    described = rows(text)
    check_table(described, technique.Settings)
    assert described.keys() == technique.Settings.model_fields.keys()
    assert [name for name, cells in described.items() if cells[0].endswith("(main)")] == [
        technique.main
    ]
    assert technique.paper in text.replace("\n", " ")
    for name in proofs(technique):
        assert f"`{key}.{name}`" in text


@pytest.mark.parametrize("key", probes())
def test_every_setting_and_row_of_a_probe_is_described(key: str) -> None:
    probe, text = probes()[key], section("docs/probes.md", f"`{key}`")
    described = rows(text)
    settings = {
        name: cells for name, cells in described.items() if name in probe.Settings.model_fields
    }
    check_table(settings, probe.Settings)
    assert {name: cells[1] for name, cells in described.items() if len(cells) == 2} == probe.names
    assert settings.keys() | probe.names.keys() == described.keys()
    for line in (summary(probe), probe.source):
        assert line in text.replace("\n", " ")


def test_every_probe_is_on_the_page_and_no_other() -> None:
    assert re.findall("^## `(.*)`$", PROSE["docs/probes.md"], re.MULTILINE) == list(probes())


def proofs(technique: type[Technique]) -> Iterator[str]:
    """The names of the evidence that a technique leaves in the records."""
    import torch

    from regbench.nn.stack import Stack

    fields = technique.Settings.model_fields
    settings = technique.Settings(**{name: 0.25 for name in fields if fields[name].default == 0})
    stack = Stack([0], {technique: [settings]})
    mlp = models()["mlp"]
    mlp.build(stack, mlp.Settings(widths=[2]), (1, 3, 3), 2)(torch.ones(1, 4, 3, 3, 1))
    with torch.no_grad():
        yield from stack.techniques[0].proof(stack.parameters)
    if technique.penalty is not Technique.penalty:
        yield "penalty_share"


# --- records
# ------------------------------------------------------------------------------------------

KINDS = {
    "text": "text",
    "json": "JSON",
    "count": "whole number",
    "whole": "whole number",
    "number": "number",
}


@pytest.mark.parametrize(("file", "columns"), [("runs.csv", RUNS), *(BESIDE | PROBED).items()])
def test_every_column_is_described_in_its_order_with_its_kind(
    file: str, columns: dict[str, Kind]
) -> None:
    described = rows(section("docs/records.md", f"`{file}`"))
    assert {name: cells[1] for name, cells in described.items()} == {
        name: KINDS[k] for name, k in columns.items()
    }
    assert list(described) == list(columns)
    assert all(meaning for *_, meaning in described.values())


def test_what_environment_json_holds_is_described() -> None:
    text = section("docs/records.md", "`environment.json` and `dataset.json`")
    here = environment("serial", 1, "cpu")
    for key in [*here, *here["flags"]]:
        assert f"`{key}`" in text


def test_the_exit_codes_of_errors_are_described() -> None:
    described = re.findall(r"^\| (\d+) \|", section("docs/records.md", "Exit codes"), re.MULTILINE)
    kinds: list[type[errors.RegbenchError]] = [
        errors.RegbenchError,
        *errors.RegbenchError.__subclasses__(),
    ]
    assert {str(kind.exit_code) for kind in kinds} <= set(described)


def test_the_way_to_read_the_csv_files_gives_what_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tricky = "1234e5678901"  # an id that is a number to pandas
    common = {
        "cell": "baseline",
        "techniques": {},
        "stack": "00000000000012",
        "stack_size": 1,
        "dataset": "NA",
    }
    row = common | {"run": tricky, "seed": 0, "reason": "None"}
    other = common | {"run": "000000000001", "seed": 1, "status": "ok", "test_accuracy": 0.1 + 0.2}
    with Writer(tmp_path / "results" / "quickstart", {}, {}, {}) as results:
        results.append(Rows([row | {"status": "failed"}]))
        results.append(Rows([row | {"status": "ok", "test_accuracy": 1 / 3}, other]))
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    ours, theirs, paired = (
        text for page, lang, text in BLOCKS if (page, lang) == ("docs/records.md", "python")
    )
    exec(ours, names)
    checked = names["runs"]
    for block in (theirs, paired):
        exec(block, names)
    read = names["runs"].reset_index(drop=True)
    shown = ["run", "stack", "dataset", "seed", "status", "test_accuracy", "gap"]
    pd.testing.assert_frame_equal(read[shown], checked[shown], check_dtype=False)
    assert read["reason"].tolist()[0] == "None"
    assert names["settings"].tolist() == [{}, {}]
    assert names["difference"]["baseline"].tolist() == [0, 0]


# --- examples
# ------------------------------------------------------------------------------------------

MINIMAL = {
    "dataset": "{name: mnist5k}",
    "model": "{name: mlp}",
    "techniques": "{l1: 5e-4, l2: 0.01, dropout: 0.5, batch_norm: }",
}
"""What completes an example that shows a part of a config."""

WRONG, FUTURE = "# wrong on purpose\n", "# with spatial_dropout\n"
YAML = [
    text
    for _, language, text in BLOCKS
    if language == "yaml" and not text.startswith((WRONG, FUTURE))
]


def completed(folder: Path, text: str) -> Path:
    given = parse(text, "example").data or {}
    path = folder / "config.yaml"
    if "function" in given:  # what else a sweep needs, an experiment has not
        path.write_text(text)
        return path
    path.write_text(
        text + "".join(f"{key}: {value}\n" for key, value in MINIMAL.items() if key not in given)
    )
    return path


@pytest.mark.parametrize("text", YAML, ids=range(len(YAML)))
def test_every_config_loads(tmp_path: Path, text: str) -> None:
    path = completed(tmp_path, text)
    assert experiment_reader.load(path) if experiment_reader.asked_for(path) else load(path)


ANSWERED = re.findall(
    r"^```yaml\n((?:[^`].*\n)+)```\n\n```text\n((?:.+\n)+?)```$",
    PAGES["docs/config.md"],
    re.MULTILINE,
)


@pytest.mark.parametrize(("text", "answer"), ANSWERED, ids=range(len(ANSWERED)))
def test_a_config_gives_the_cells_or_the_errors_that_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, answer: str
) -> None:
    path = completed(tmp_path, text)
    monkeypatch.chdir(tmp_path)
    if text.startswith(WRONG):
        with pytest.raises(errors.ConfigError) as caught:
            load(Path(path.name))
        assert str(caught.value) == answer.strip()
    else:
        assert [cell.label for cell in plan(load(path)).cells] == answer.splitlines()


CONSOLE = [
    line[2:] for _, language, text in BLOCKS if language == "console" for line in text.splitlines()
]
INLINE = [code for text in PROSE.values() for code in re.findall("`([^`\n]+)`", text)]


def test_every_override_is_accepted(tmp_path: Path) -> None:
    lines = [shlex.split(line) for line in CONSOLE if "--set" in line]
    assert lines
    for words in lines:
        overrides = [value for option, value in itertools.pairwise(words) if option == "--set"]
        assert load(completed(tmp_path, ""), overrides)


def test_every_command_and_option_exists() -> None:
    app: Any = typer.main.get_command(cli.app)
    commands, anywhere = app.commands, {o for p in app.params for o in p.opts}
    options = {
        name: {
            o
            for each in (command, *getattr(command, "commands", {}).values())
            for p in each.params
            for o in p.opts
        }
        for name, command in commands.items()
    }
    everywhere = anywhere.union({"--help"}, *options.values())
    for line in [*CONSOLE, *INLINE]:
        words = shlex.split(line.replace("'", "")) if line.startswith(("regbench ", "--")) else []
        known = everywhere
        if words and words[0] == "regbench":
            assert words[1] in options, line
            known = options[words[1]] | anywhere
        assert {word for word in words if word.startswith("--")} <= known, line


def test_every_make_target_exists() -> None:
    targets = re.findall("^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    asked = {line.split()[1] for line in [*CONSOLE, *INLINE] if line.startswith("make ")}
    assert asked
    assert asked <= set(targets)


def test_every_file_and_test_that_is_named_exists() -> None:
    own = re.findall("^`([^`]+)`:$", PROSE[EXAMPLE], re.MULTILINE)
    for text in PROSE.values():
        for path, test in re.findall(
            r"`((?:tests|regbench|docs|configs)/[\w./-]*)(?:::(\w+))?`", text
        ):
            if path not in own:
                assert (ROOT / path).exists(), path
                assert not test or f"def {test}(" in (ROOT / path).read_text(), test


def test_every_link_leads_somewhere() -> None:
    for name, text in PROSE.items():
        for target, anchor in re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", text):
            page = (ROOT / name).parent / target if target else ROOT / name
            assert page.exists(), target
            headings = re.findall(
                "^#+ (.*)$", FENCED.sub("", page.read_text(encoding="utf-8")), re.MULTILINE
            )
            slugs = {
                re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings
            }
            assert not anchor or anchor in slugs, f"{target}#{anchor}"


# --- the technique that docs/add-a-technique.md adds
# ------------------------------------------------------------------


def test_the_added_technique_is_one_file_that_lists_checks_trains_and_passes_its_test(
    tmp_path: Path,
) -> None:
    shutil.copytree(ROOT / "regbench", tmp_path / "regbench")
    files = re.findall(
        r"^`([^`]+)`:\n\n```python\n(.*?)^```$", PAGES[EXAMPLE], re.DOTALL | re.MULTILINE
    )
    for name, text in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    (future,) = (
        text for _, language, text in BLOCKS if language == "yaml" and text.startswith(FUTURE)
    )
    (tmp_path / "config.yaml").write_text(future)
    environment = os.environ | {
        "PYTHONPATH": str(tmp_path),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }

    def run(*command: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    listed, checked, swept = (line for line in CONSOLE if line in section_blocks("Try it"))
    assert "spatial_dropout" in run(*shlex.split(listed))
    assert run(*shlex.split(checked)) == "config.yaml: fine: 6 cells, 12 runs\n"
    assert "spatial dropout" in run(*shlex.split(swept), "--executor", "serial")
    results = read(tmp_path / "results" / "spatial")
    assert results.runs["status"].tolist() == ["ok"] * 12
    assert results.runs["stack_size"].max() > 1
    for cell, proof in zip(results.runs["cell"], results.runs["proof"], strict=True):
        if rate := re.search(r"spatial_dropout\(p=([\d.]+)\)", cell):
            assert json.loads(proof)["spatial_dropout.p_observed"] == pytest.approx(
                float(rate[1]), abs=0.02
            )
    described = PROSE["docs/records.md"]
    for name in [*(path.name for path in results.directory.iterdir()), *results.dataset]:
        assert f"`{name}`" in described
    test = next(name for name, _ in files if name.startswith("tests/"))
    run("pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "-p", "no:xdist", test)
    run(
        "ruff",
        "check",
        "--quiet",
        "--config",
        str(ROOT / "pyproject.toml"),
        *(name for name, _ in files),
    )


def section_blocks(heading: str) -> str:
    """What stands between a heading of the example's page and the next heading, blocks of code
    included.
    """
    start = PAGES[EXAMPLE].index(f"## {heading}\n")
    return PAGES[EXAMPLE][start : PAGES[EXAMPLE].index("\n## ", start)]
