"""`import regbench`: what a person in a notebook or a script has."""

from __future__ import annotations

import doctest
import inspect
import io
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pandas as pd
import psutil
import pytest

import regbench as rb
from regbench import library
from regbench.errors import ARGUMENTS, ConfigError, UnfinishedError, UsageError
from regbench.results.read import read
from tests.command import regbench
from tests.tour import ROOT, TOURS, executed

QUICKSTART = ROOT / "results/reference/quickstart"
FIGURE_6 = ROOT / "results/reference/ba-2016-figure-6"
CONFIG: dict[str, Any] = {
    "name": "small",
    "dataset": {"name": "mnist5k", "train_size": 200},
    "model": {"name": "mlp", "widths": [16]},
    "train": {"epochs": 2},
    "seeds": 2,
    "techniques": {"dropout": 0.5, "batch_norm": {}},
}
LONG = CONFIG | {"train": {"epochs": 4000}, "seeds": 24}


@pytest.fixture(scope="module")
def quickstart() -> rb.Results:
    return rb.open(QUICKSTART)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with what the examples name."""
    (tmp_path / "results").mkdir()
    (tmp_path / "results/reference").symlink_to(ROOT / "results/reference")
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LC_ALL", "C")
    return tmp_path


def examples() -> Iterator[doctest.DocTest]:
    names = [rb.Problem, *(getattr(library, name) for name in library.__all__)]
    finder = doctest.DocTestFinder(exclude_empty=False)
    for thing in names:
        yield from finder.find(thing, thing.__name__, globs={})


@pytest.mark.parametrize("example", list(examples()), ids=lambda example: example.name)
def test_the_example_of_a_public_name_does_what_it_says(
    place: Path, example: doctest.DocTest
) -> None:
    out = io.StringIO()
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    runner = doctest.DocTestRunner(optionflags=options)
    runner.run(example, out=out.write)
    assert runner.summarize(verbose=False).failed == 0, out.getvalue()


def test_every_public_function_and_method_has_an_example() -> None:
    public = {example.name: bool(example.examples) for example in examples()}
    methods = [
        f"Results.{name}"
        for name, thing in vars(rb.Results).items()
        if name[0] != "_" and inspect.isfunction(thing)
    ]
    assert [
        name for name in ("Problem", "Results", *library.__all__, *methods) if not public[name]
    ] == []


def test_the_list_of_public_names_is_stable_and_described() -> None:
    assert rb.__all__ == [
        "Comparisons", "Problem", "Results", "__version__", "check", "compare", "errors",
        "experiment", "open", "plan", "sweep",
    ]  # fmt: skip
    assert dir(rb) == sorted(rb.__all__)
    page = (ROOT / "docs/python.md").read_text()
    for name in rb.__all__:
        assert f"`rb.{name}" in page, name
    for name, thing in (vars(rb.Comparisons) | vars(rb.Results)).items():
        if name[0] != "_":
            assert f"`{name}" in page, name
            assert thing.__doc__, name
    with pytest.raises(AttributeError, match="no attribute 'sweeep'"):
        rb.sweeep  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.parametrize("page", ["README.md", "README.ko.md", "docs/python.md"])
def test_the_python_of_the_pages_runs(place: Path, page: str) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", (ROOT / page).read_text("utf-8"), re.M | re.S)
    assert blocks
    names: dict[str, Any] = {}
    for block in blocks:
        exec(block, names)
    assert isinstance(names["results"], rb.Results)


def test_importing_it_loads_nothing_heavy_and_takes_under_a_tenth_of_a_second() -> None:
    code = (
        "import sys, time; began = time.perf_counter(); import regbench; "
        "print(time.perf_counter() - began, *sorted({'torch', 'pandas', 'numpy', 'typer'} & "
        "set(sys.modules)))"
    )
    took = []
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        seconds, *heavy = done.stdout.split()
        assert heavy == []
        took.append(float(seconds))
    assert min(took) < 0.1


# ------------------------------------------------------------------------------------------
# Sweeps
# ------------------------------------------------------------------------------------------


def test_a_dict_is_the_same_config_as_its_file_and_leaves_the_same_records(tmp_path: Path) -> None:
    file = tmp_path / "small.yaml"
    file.write_text(json.dumps(CONFIG))  # JSON is YAML
    more = ("--set", "seeds=3", "--set", "train.batch_size=64")
    by_command = regbench("sweep", file, "--out", tmp_path / "command", *more)
    assert by_command.returncode == 0, by_command.stderr
    override = {"train.batch_size": np.int64(64)}
    results = rb.sweep(
        CONFIG, out=tmp_path / "python", executor="serial", seeds=3, progress=False, **override
    )
    ours, theirs = (
        records.runs.drop(columns="seconds").sort_values("run", ignore_index=True)
        for records in (read(tmp_path / "python"), read(tmp_path / "command"))
    )
    pd.testing.assert_frame_equal(ours, theirs, check_exact=True)
    assert results.config == rb.open(tmp_path / "command").config
    before = (tmp_path / "python/runs.csv").read_bytes()
    rb.sweep(results.config, out=tmp_path / "python", executor="serial", progress=False)
    assert (tmp_path / "python/runs.csv").read_bytes() == before, "there is nothing left to train"


def test_problems_are_objects_with_places_and_errors_are_the_commands_sentences(
    tmp_path: Path,
) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text("dataset: {name: mnist5k}\nmodel: {name: mpl}\ntechniques: {dropout: 2}\n")
    first, second = rb.check(file)
    assert (first.place.line, first.place.column) == (2, 15)
    assert first.message.endswith("did you mean 'mlp'?")
    said = regbench("check", file).stderr
    assert said == f"{first}\n{second}\n"
    with pytest.raises(ConfigError) as raised:
        rb.sweep(file)
    assert f"{raised.value}\n" == said
    with pytest.raises(UnfinishedError, match=r"holds no runs\.csv"):
        rb.open(tmp_path)
    (unknown,) = rb.check(CONFIG, workres=3)
    assert "unknown key 'workres'" in str(unknown)


@pytest.mark.parametrize(
    ("arguments", "in_python", "typed"),
    [
        (
            {"executor": "serial", "workers": 3},
            "workers=3: the serial executor has one process; leave executor='serial' out",
            "--workers 3: the serial executor has one process; leave --executor serial out",
        ),
        (
            {"address": "here"},
            "`address` is that of a Ray cluster: it goes with executor='ray'",
            "--address is that of a Ray cluster: it goes with --executor ray",
        ),
        (
            {"trackers": ["x"]},
            "trackers=['x']: there is no such tracker",
            "--tracker x: there is no such tracker",
        ),
    ],
)
def test_a_refusal_speaks_of_arguments_in_python_and_of_options_on_the_command_line(
    tmp_path: Path, arguments: dict[str, Any], in_python: str, typed: str
) -> None:
    config = ROOT / "configs/quickstart.yaml"
    with pytest.raises(UsageError) as raised:
        rb.sweep(config, out=tmp_path / "out", **arguments)
    assert in_python in str(raised.value)
    options = ["--tracker" if name == "trackers" else f"--{name}" for name in arguments]
    values = [value[0] if isinstance(value, list) else value for value in arguments.values()]
    line = [word for pair in zip(options, values, strict=True) for word in pair]
    done = regbench("sweep", config, "--out", tmp_path / "out", *line)
    assert (done.returncode, done.stdout) == (2, "")
    assert typed in done.stderr


def test_a_refusal_to_compare_speaks_of_arguments_in_python_and_of_options_on_the_command_line(
    tmp_path: Path,
) -> None:
    file = tmp_path / "scores.csv"
    file.write_text("method,acc\n" + "".join(f"{m},0.{n}\n" for m in "ab" for n in range(5)))
    with pytest.raises(UsageError, match=r"Say baseline='a', or another of a, b"):
        rb.compare(file, by="method")
    with pytest.raises(UsageError, match=r"has no column 'metod' \(`by`\): did you mean 'method'"):
        rb.compare(file, by="metod")
    assert "Say --baseline a, or another of" in regbench("compare", file, "--by", "method").stderr
    assert "no column 'metod' (--by):" in regbench("compare", file, "--by", "metod").stderr


def test_every_option_that_is_an_argument_is_told_as_one() -> None:
    """And nothing else is: what `import regbench` has no argument for stays an option."""
    arguments = {
        name
        for function in (rb.sweep, rb.compare, library.Results.comparisons)
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY or name == "where"
    }
    assert arguments - {"progress"} == {*ARGUMENTS.values()}


@pytest.mark.parametrize("odd", [{"seeds": {3}}, {"dataset": object()}, {"model": {1: 2}}])
def test_what_no_config_can_hold_is_a_problem_and_no_traceback(odd: dict[str, Any]) -> None:
    assert rb.check(CONFIG | odd)
    assert rb.check(CONFIG, **odd)


def test_a_plan_counts_runs_trials_and_what_is_left_out() -> None:
    norms = {"batch_norm": {}, "layer_norm": {}}
    frame = rb.plan(CONFIG, techniques=norms, combine="factorial").set_index("cell")
    assert frame["runs"].tolist() == [2, 2, 2, 0]
    assert "normalize the same place" in frame["left_out"]["batch_norm + layer_norm"]
    assert frame["parameters"]["batch_norm"] == frame["parameters"]["baseline"] + 16
    tuned = rb.plan(CONFIG, tune={"trials": 4, "seeds": 3}, techniques={"l2": {}, **norms})
    trials = tuned.set_index("cell")["trials"]
    assert trials.to_dict() == {"baseline": 0, "l2": 24, "batch_norm": 0, "layer_norm": 0}


@pytest.mark.parametrize(
    ("odd", "said"),
    [
        ({"executor": "gpu"}, "no such executor; there are serial, processes or ray"),
        ({"device": "tpu"}, "no such device; there are auto, cpu or cuda"),
        ({"workers": 0}, "at least 1 process is needed"),
        ({"patience": 0}, "above 0 minutes"),
        ({"extend": -1}, "at least 1 seed is to be added"),
        ({"until_decided": True}, "the config declares no rule for it"),
        ({"trackers": ["mlfow"]}, "there is no such tracker; did you mean 'mlflow'?"),
    ],
)
def test_arguments_that_no_option_takes_are_a_sentence_too(
    tmp_path: Path, odd: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError) as raised:
        rb.sweep(CONFIG, out=tmp_path / "out", progress=False, **odd)
    assert said in str(raised.value)
    assert not (tmp_path / "out").exists()


def test_a_script_without_a_guard_trains_once_and_leaves_no_process(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        f"import regbench as rb\nresults = rb.sweep({CONFIG!r}, out='out', workers=2, seeds=14)\n"
        "print(len(results.runs), results.verdict('dropout') in ('helps', 'hurts', 'undecided', "
        "'equivalent'))\n"
    )
    done = subprocess.run(
        [sys.executable, script], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout) == (0, "42 True\n"), done.stderr
    assert done.stderr.count("42 runs to train") == 1
    assert [p for p in psutil.process_iter(["cwd"]) if p.info["cwd"] == str(tmp_path)] == []


# ------------------------------------------------------------------------------------------
# Results
# ------------------------------------------------------------------------------------------


def test_frames_hold_the_numbers_of_the_csv(quickstart: rb.Results) -> None:
    cells, csv = quickstart.cells(), pd.read_csv(io.StringIO(quickstart.to_csv()))
    assert csv["verdict"].iloc[len(cells) :].eq("skipped").all()
    csv = csv.iloc[: len(cells)]
    for name in cells.columns.intersection(csv.columns).difference(["techniques"]):
        if pd.api.types.is_numeric_dtype(cells[name]):
            np.testing.assert_array_equal(cells[name].to_numpy(float), csv[name].to_numpy(float))
        else:
            assert cells[name].astype(object).where(cells[name].notna(), None).tolist() == (
                csv[name].astype(object).where(csv[name].notna(), None).tolist()
            )
    summary = quickstart.summary()
    assert summary["technique"].tolist() == ["l1", "l2", "dropout", "batch_norm", "layer_norm"]
    for row in summary.itertuples():
        cell = cells.set_index("cell").loc[row.cell]
        assert (row.difference, row.p_adjusted, row.verdict) == (
            cell["difference"], cell["p_adjusted"], cell["verdict"],
        )  # fmt: skip


def test_a_frame_is_a_copy_and_what_is_done_to_it_changes_no_result() -> None:
    results = rb.open(QUICKSTART)
    runs = results.runs
    runs["test_accuracy"] = 0.0
    runs.loc[:, "cell"] = "another"
    assert len(results.runs) == 144
    assert results.verdict("dropout") == "helps"


def test_conditions_are_a_column_or_are_named(quickstart: rb.Results) -> None:
    results = rb.open(FIGURE_6)
    assert len(results.conditions) > 1
    assert results.cells()["condition"].unique().tolist() == results.conditions
    one = results.conditions[1]
    assert "condition" not in results.cells(where=one)
    with pytest.raises(UsageError, match="there are several conditions here"):
        results.verdict("batch_norm")
    assert results.verdict("batch_norm", where=one) == results.verdict("batch_norm", one)
    assert quickstart.conditions == [""]


@pytest.mark.parametrize("lang", ["en", "ko"])
def test_a_notebook_and_a_prompt_show_the_answer_and_the_summary_table(
    quickstart: rb.Results, monkeypatch: pytest.MonkeyPatch, lang: str
) -> None:
    monkeypatch.setenv("LC_ALL", "ko_KR.UTF-8" if lang == "ko" else "C.UTF-8")
    shown, page = repr(quickstart), quickstart._repr_html_()
    for text in (shown, page):
        assert ("정확도" if lang == "ko" else "accuracy") in text
        assert "▲" in text
    assert "\x1b" not in shown
    assert max(map(len, shown.splitlines())) <= 100
    assert page.count("<table>") == 2


def test_every_picture_is_a_figure_or_a_sentence(quickstart: rb.Results, tmp_path: Path) -> None:
    from matplotlib.figure import Figure

    for kind in ("differences", "interactions", "curves", "cost", "weights"):
        figure = quickstart.plot(kind)  # type: ignore[arg-type]
        assert isinstance(figure, Figure)
        figure.savefig(tmp_path / f"{kind}.png")
        assert (tmp_path / f"{kind}.png").stat().st_size > 5000
    with pytest.raises(UsageError, match="there is nothing to draw for strengths"):
        quickstart.plot("strengths")
    with pytest.raises(UsageError, match="there is no picture 'pie'"):
        quickstart.plot("pie")  # type: ignore[arg-type]


def test_a_report_replaces_its_like_alone(quickstart: rb.Results, tmp_path: Path) -> None:
    (tmp_path / "thesis.html").write_text("years of work")
    with pytest.raises(UsageError, match="was not made by this command"):
        quickstart.report(tmp_path / "thesis.html")


# ------------------------------------------------------------------------------------------
# Jupyter
# ------------------------------------------------------------------------------------------


def shown(cell: Any) -> list[Any]:
    """Return a cell's outputs; where it trains, without the digits that another processor may have
    otherwise.
    """
    outputs = []
    for output in cell.get("outputs", []):
        data = dict(output.get("data", {"text": output.get("text")}))
        text = json.dumps(data, sort_keys=True)
        if "trains" in cell.metadata.get("tags", []):
            text = re.sub(r"-?\d+(\.\d+)?|NaN", "#", text)
            text = re.sub(r" +", " ", text)
        outputs.append((output["output_type"], text))
    return outputs


def test_the_notebook_of_the_docs_runs_and_its_outputs_are_current(tmp_path: Path) -> None:
    committed: Any = nbformat.read(TOURS[0], as_version=4)
    again = executed(TOURS[0], tmp_path)
    assert len(committed.cells) == 10
    for then, now in zip(committed.cells, again.cells, strict=True):
        assert shown(now) == shown(then), f"`python -m tests.tour` renews it: {then.source}"


def test_the_korean_notebook_has_the_same_code_but_for_the_language() -> None:
    english, korean = ([code(cell) for cell in nbformat.read(tour, 4).cells] for tour in TOURS)
    assert len(english) == len(korean) == 10
    for there, here in zip(english, korean, strict=True):
        assert not {*there} - {*here} or "print(f" in "".join(there)


def code(cell: Any) -> list[str]:
    """The lines of a cell, without comments and without the language that is asked for."""
    if cell.cell_type != "code":
        return []
    lines = cell.source.replace(', lang="ko"', "").splitlines()
    return [line for line in lines if not line.startswith("#")]


def test_a_kernel_shows_progress_and_its_interrupt_is_ctrl_c(tmp_path: Path) -> None:
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel(cwd=str(tmp_path))
    try:
        code = f"import regbench as rb; rb.sweep({LONG!r}, out='out', workers=2, patience=5)"
        request, displays, interrupted = client.execute(code), 0, False
        kernel = psutil.Process(manager.provisioner.pid)  # type: ignore[union-attr]
        ended = time.monotonic() + 120
        while time.monotonic() < ended:
            message = client.get_iopub_msg(timeout=60)
            kind, content = message["msg_type"], message["content"]
            if kind in ("display_data", "update_display_data"):
                text = content["data"]["text/plain"]
                displays += "epoch" in text
                if displays == 3 and not interrupted:
                    workers = [
                        process
                        for process in kernel.children(recursive=True)
                        if "spawn_main" in " ".join(process.cmdline())
                    ]
                    assert len(workers) == 2
                    manager.interrupt_kernel()
                    interrupted = True
            assert kind != "stream" or "KeyboardInterrupt" not in content["text"]
            if kind == "status" and content["execution_state"] == "idle" and interrupted:
                break
        reply = client.get_shell_msg(timeout=30)
        assert reply["parent_header"]["msg_id"] == request
        assert reply["content"]["ename"] == "KeyboardInterrupt"
        assert "Go on with: the same call" in text
        _, left = psutil.wait_procs(workers, timeout=10)
        assert left == []
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
