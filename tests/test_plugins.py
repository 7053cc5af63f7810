"""What other packages offer through entry points: found, loaded when asked for, and never trusted
to be right.
"""

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from regbench import data, models, plugins, probes, regularizers
from regbench.errors import UsageError
from regbench.results.read import read

ROOT = Path(__file__).parents[1]

TECHNIQUE = """
from pydantic import Field
from regbench.regularizers.base import Card, Technique
from regbench.settings import Settings as Base

CARD = Card("{key}", "scales", "units", {{"overfitting": "a"}}, {{"time": "b"}})

class Scale(Technique):
    key = "{key}"
    main = "p"
    paper = "nobody"
    cards = {{"en": CARD, "ko": CARD}}

    class Settings(Base):
        p: float = Field(0.5, gt=0, description="by what it multiplies")
        place: str = Field("last", description="where")

    def noise(self, x, site):
        {noise}
"""
PROBE = """
from regbench.probes.base import Probe
from regbench.settings import Settings as Base

class Count(Probe):
    key = "count"
    source = "nobody"
    names = {"steps": "how many"}

    class Settings(Base):
        pass

    def at_end(self):
        self.note("steps", [self.net.steps] * self.net.stack.size)
"""
MODEL = """
from typing import Literal
from regbench.models.mlp import PLACES, STACKED, build, macs, misfit
from regbench.models import mlp

class Settings(mlp.Settings):
    name: Literal["wide"] = "wide"
"""
SOURCE = """
import numpy as np
from regbench.data import Images
TITLE, IMAGE, CLASSES, TRAIN, TEST, NEEDS_PATH = "stripes", (1, 4, 4), 2, 40, 20, False

def find(data_dir):
    return None

def load(path, data_dir):
    labels = np.arange(60, dtype=np.uint8) % 2
    noise = np.random.default_rng(0).integers(0, 99, (60, 4, 4, 1))
    images = (noise + 100 * labels[:, None, None, None]).astype("u1")
    return Images(images[:40], labels[:40], images[40:], labels[40:], ("=dim()", "bright"))
"""


def distribution(folder: Path, name: str, points: dict[str, dict[str, str]], **files: str) -> Path:
    """Install a distribution: its modules and its metadata, as pip would leave them."""
    about = folder / f"{name}-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = [
        f"[{group}]\n" + "".join(f"{key} = {value}\n" for key, value in each.items())
        for group, each in points.items()
    ]
    (about / "entry_points.txt").write_text("\n".join(lines))
    for module, text in files.items():
        (folder / f"{module}.py").write_text(text)
    return folder


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that this process finds packages in."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    before = set(sys.modules)
    plugins._offered.cache_clear()
    yield folder
    plugins._offered.cache_clear()
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(folder)):
            del sys.modules[name]


def techniques() -> "plugins.Lazy[type[regularizers.Technique]]":
    return plugins.found("regbench.regularizers", regularizers.__path__, regularizers._technique)


def test_all_four_kinds_are_found_behind_our_own_and_imported_when_asked_for(site: Path) -> None:
    groups = {"regularizers": "scale", "probes": "count", "models": "wide", "data": "stripes"}
    points = {f"regbench.{group}": {name: f"my_{name}"} for group, name in groups.items()}
    files = {"my_scale": TECHNIQUE.format(key="scale", noise="return x"), "my_count": PROBE}
    distribution(site, "mine", points, my_wide=MODEL, my_stripes=SOURCE, **files)
    found = {
        "scale": techniques(),
        "count": plugins.found("regbench.probes", probes.__path__, probes._probe),
        "wide": plugins.found("regbench.models", models.__path__, models._model),
        "stripes": plugins.found("regbench.data", data.__path__, data._source),
    }
    for name, each in found.items():
        assert list(each)[-1] == name
        assert f"my_{name}" not in sys.modules
        assert each[name]
        assert f"my_{name}" in sys.modules
    assert next(line for line in plugins.versions() if "mine" in line) == (
        "regbench.regularizers: scale = my_scale (mine 1.0)"
    )


def test_the_documented_technique_is_found_as_the_documented_entry_point(site: Path) -> None:
    page = (ROOT / "docs/add-a-technique.md").read_text(encoding="utf-8")
    (text,) = re.findall("^```toml\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    points = tomllib.loads(text)["project"]["entry-points"]
    distribution(site, "my-package", points)
    (site / "my_package").mkdir()
    (site / "my_package/__init__.py").touch()
    code = re.search(
        "`regbench/regularizers/spatial_dropout.py`:\n\n```python\n(.*?)^```$",
        page,
        re.DOTALL | re.MULTILINE,
    )
    assert code
    (site / "my_package/spatial_dropout.py").write_text(code[1], encoding="utf-8")
    assert techniques()["spatial_dropout"].main == "p"


BROKEN = {
    "no module": (
        "",
        "my_gone",
        "can't be imported (ModuleNotFoundError: No module named 'my_gone')",
    ),
    "raises": ("1 / 0", "my_scale", "can't be imported (ZeroDivisionError: division by zero)"),
    "leaves": ("raise SystemExit(3)", "my_scale", "can't be imported (SystemExit: 3)"),
    "no syntax": ("def", "my_scale", "can't be imported (SyntaxError: "),
    "no technique": (
        "x = 1",
        "my_scale",
        "it must define one class derived from regbench.regularizers.base.Technique",
    ),
    "a class": (
        TECHNIQUE.format(key="scale", noise="return x"),
        "my_scale:Scale",
        "it must name a module",
    ),
    "other key": (
        TECHNIQUE.format(key="other", noise="return x"),
        "my_scale",
        "the technique's key is 'other'",
    ),
    "no settings": (
        TECHNIQUE.format(key="scale", noise="return x").replace("class Settings", "class Setting"),
        "my_scale",
        "it lacks Settings",
    ),
    "other settings": (
        TECHNIQUE.format(key="scale", noise="return x").replace("Settings(Base)", "Settings"),
        "my_scale",
        "its Settings must be derived from regbench.settings.Settings",
    ),
    "no Korean": (
        TECHNIQUE.format(key="scale", noise="return x").replace(', "ko": CARD', ""),
        "my_scale",
        "it needs a card in en and one in ko",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_one_is_a_sentence_that_names_entry_point_and_distribution(
    site: Path, what: str
) -> None:
    text, value, reason = BROKEN[what]
    distribution(site, "mine", {"regbench.regularizers": {"scale": value}}, my_scale=text)
    found = techniques()
    assert found["dropout"].key == "dropout", "what is not named does no harm"
    with pytest.raises(UsageError) as error:
        found["scale"]
    said = str(error.value)
    assert said.startswith(
        f"the entry point 'scale' ({value}, group regbench.regularizers) of mine 1.0 can't be "
    )
    assert reason in said
    assert said.endswith("mend it, or uninstall its distribution")
    assert said.isprintable()


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (
            ["dropout"],
            "'dropout' (my_x, group regbench.regularizers) of mine 1.0 has the name of "
            "regbench's own regbench.re",
        ),
        (
            ["x", "x"],
            "'x' (my_x, group regbench.regularizers) of other 1.0 has the name of the "
            "entry point 'x' (my_x, ",
        ),
        (["=cmd()"], "needs a name of 1 to 40 of the characters a-z, 0-9 and _: rename it"),
        (["../x"], "needs a name of 1 to 40"),
        (["x" * 41], "needs a name of 1 to 40"),
    ],
)
def test_a_name_that_is_taken_or_no_name_is_refused_and_both_are_named(
    site: Path, names: list[str], reason: str
) -> None:
    for dist, name in zip(("mine", "other"), names, strict=False):
        distribution(site, dist, {"regbench.regularizers": {name: "my_x"}})
    with pytest.raises(UsageError) as error:
        techniques()
    assert reason in str(error.value)


def test_a_sweep_trains_them_in_its_workers_and_records_which_one_is_at_fault(
    tmp_path: Path,
) -> None:
    keys = {
        "scale": "return x * self.settings[0].p",
        "raises": "raise ValueError('boom')",
        "shape": "return x[..., :1]",
    }
    points = {
        "regbench.regularizers": {key: f"my_{key}" for key in keys},
        "regbench.models": {"wide": "my_wide"},
        "regbench.data": {"stripes": "my_stripes"},
        "regbench.probes": {"count": "my_count", "unused": "my_absent"},
    }
    files = {f"my_{key}": TECHNIQUE.format(key=key, noise=noise) for key, noise in keys.items()}
    distribution(
        tmp_path / "site", "mine", points, my_wide=MODEL, my_stripes=SOURCE, my_count=PROBE, **files
    )
    (tmp_path / "c.yaml").write_text(
        "dataset: {name: stripes}\nmodel: {name: wide, widths: [4]}\ntrain: {epochs: 1}\nseeds: 2\n"
        "techniques: {dropout: 0.5, scale: 0.5, raises: , shape: }\nprobes: {count: }\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "regbench", "sweep", "c.yaml", "--out", "out", "--workers", "2"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path / "site"), str(ROOT)]),
                          "XDG_CACHE_HOME": str(tmp_path / "cache")},
        cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 4, done.stderr
    found = read(tmp_path / "out")
    runs = found.runs.sort_values(["cell", "seed"])
    assert dict(zip(runs["cell"], runs["status"], strict=True)) == {
        "baseline": "ok", "dropout(p=0.5)": "ok", "scale(p=0.5)": "ok", "raises(p=0.5)": "failed",
        "shape(p=0.5)": "failed",
    }  # fmt: skip
    reasons = dict(zip(runs["cell"], runs["reason"], strict=True))
    assert reasons["raises(p=0.5)"] == "in the technique raises: ValueError: boom"
    assert "the technique shape: noise returned the shape" in reasons["shape(p=0.5)"]
    assert set(found.probes["probe"]) == {"count"}
    assert json.loads((tmp_path / "out/dataset.json").read_text())["classes"] == [
        "=dim()",
        "bright",
    ]
    assert (
        "regbench.probes: count = my_count (mine 1.0)"
        in json.loads((tmp_path / "out/environment.json").read_text())["plugins"]
    )
    assert "Traceback" not in done.stderr


def test_a_technique_that_hangs_is_named_and_costs_its_own_runs_alone(tmp_path: Path) -> None:
    # With neutral settings it shares a stack with the baseline; the loop in C never lets Python's
    # lock go.
    text = TECHNIQUE.format(key="hangs", noise="return re.match('(a+)+b', 'a' * 99)")
    text = text.replace('main = "p"', 'main = "p"\n    vector = ("p",)\n    neutral = {"p": 1.0}')
    distribution(
        tmp_path / "site",
        "mine",
        {"regbench.regularizers": {"hangs": "my_hangs"}},
        my_hangs="import re" + text,
    )
    (tmp_path / "c.yaml").write_text(
        "dataset: {name: mnist5k, train_size: 100}\nmodel: {name: mlp, widths: "
        "[4]}\ntrain: {epochs: 1}\nseeds: 2\n"
        "techniques: {dropout: 0.5, hangs: }\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "regbench", "sweep", "c.yaml", "--out", "out", "--patience", "0.05"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path / "site"), str(ROOT)])},
        cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 4, done.stderr
    runs = read(tmp_path / "out").runs
    assert dict(zip(runs["cell"], runs["status"], strict=True)) == {
        "baseline": "ok", "dropout(p=0.5)": "ok", "hangs(p=0.5)": "failed",
    }  # fmt: skip
    (reason,) = set(runs["reason"][runs["status"] == "failed"])
    assert reason.startswith("in the technique hangs: it gave no sign of life for 3 s: File ")
    assert "Traceback" not in done.stderr
