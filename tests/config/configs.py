"""Small configs, and what reading one gives."""

from pathlib import Path
from typing import Any

import jsonschema

from regbench.config.config import Config
from regbench.config.schema import schema
from regbench.config.starter import starter
from regbench.config.yaml12 import parse
from regbench.errors import ConfigError
from regbench.planning.cells import load

ROOT = Path(__file__).parents[2]

STARTER = starter()
MINIMAL = "dataset: {name: mnist5k}\nmodel: {name: mlp}\n"
WITH_DROPOUT = MINIMAL + "techniques: {dropout: 0.5}\n"
GRID = MINIMAL + "techniques: {l1: [1e-4, 1e-3], l2: 0.01, dropout: {p: [0.2, 0.5], input: 0.1}}\n"
FULL = parse(
    MINIMAL
    + """
train: {epochs: 2, optimizer: {name: sgd, lr: 0.1}, schedule: {name: step, every: 2}}
seeds: [1, 2]
rounds: [1, 1]
sequential: {step: 2, most: 4}
tune: {trials: 4, seeds: 2, lr: {low: 1e-4, high: 1e-2}}
techniques: {l1: , l2: {strength: {low: 1e-4, high: 0.1}}, dropout: {p: [0.1, 0.2, 0.3, 0.4]}}
combine: [[dropout], {l2: }, [dropout, l2]]
exclude: [[l1, l2]]
vary: {train.batch_size: [16, 128], train.optimizer: [{name: adam}, {name: sgd, lr: 0.2}]}
analysis: {margin: 0.1}
probes: {noise: {levels: [0.1]}}
replicates: {source: x, theirs: {en: y}}
""",
    "f",
).data


def written(folder: Path, text: str) -> Path:
    path = folder / "a.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def loaded(folder: Path, text: str, *overrides: str) -> Config:
    return load(written(folder, text), overrides)


def verdict(folder: Path, text: str, *overrides: str) -> Config | list[str]:
    """The config in a text, or what `load` has against it, without the folder's name."""
    try:
        return loaded(folder, text, *overrides)
    except ConfigError as error:
        return [str(problem).replace(f"{folder}/", "") for problem in error.problems]


def problems(folder: Path, text: str, *overrides: str) -> list[str]:
    found = verdict(folder, text, *overrides)
    assert isinstance(found, list), "load should have refused this"
    return found


def validates(text: str) -> bool:
    return jsonschema.Draft202012Validator(schema()).is_valid(parse(text, "f").data)


def listed(config: Config, key: str, setting: str) -> list[Any]:
    return [getattr(settings, setting) for settings in config.techniques[key]]
