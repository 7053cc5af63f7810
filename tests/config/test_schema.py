"""The schema, the starter, and the configs that come with the project."""

from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings

from regbench.config import experiment_reader
from regbench.config.schema import schema
from regbench.config.starter import demo
from regbench.config.yaml12 import dump, parse
from regbench.errors import ConfigError
from regbench.planning.cells import load
from regbench.regularizers import techniques
from tests.config.configs import MINIMAL, ROOT, STARTER, loaded, problems, validates
from tests.strategies import configs

COMMITTED = [demo(), *sorted((ROOT / "configs").glob("*.yaml"))]


@hypothesis_settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    max_examples=60,
)
@given(data=configs())
def test_a_config_is_accepted_by_the_schema_and_resolves_to_itself(
    folder: Path, data: dict[str, Any]
) -> None:
    config = loaded(folder, dump(data))
    again = loaded(folder, dump(config.resolved()))
    assert again == config
    assert again.resolved() == config.resolved()
    validator = jsonschema.Draft202012Validator(schema())
    validator.validate(data)
    validator.validate(config.resolved())


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize(
    ("text", "fine"),
    [
        ("function: train.py:train\nfactors: {dropout: [0, 0.5]}\n", True),
        ("function: a.b:train\nmetric: acc\nseeds: 3\ncells: [{}, {x: [1, 2]}]\n", True),
        ("function: train.py\nfactors: {dropout: [0, 0.5]}\n", False),
        ("function: train.py:train\nfactors: {seed: [0, 1]}\n", False),
        ("function: train.py:train\ntechniques: {dropout: 0.5}\n", False),
        ("function: train.py:train\nmetric: {better: most}\nfactors: {a: [0, 1]}\n", False),
    ],
)
def test_the_schema_knows_experiments(folder: Path, text: str, fine: bool) -> None:
    assert validates(text) == fine
    (folder / "own.yaml").write_text(text)
    if fine:
        assert validates(dump(experiment_reader.load(folder / "own.yaml").resolved()))
    else:
        with pytest.raises(ConfigError):
            experiment_reader.load(folder / "own.yaml")


def test_the_schema_describes_every_technique_in_words() -> None:
    for key, technique in techniques().items():
        shape = schema()["$defs"][key]
        assert technique.cards["en"].key_idea in shape["description"]


@pytest.mark.parametrize("key", techniques())
def test_the_schema_refuses_what_load_refuses_for_every_technique(folder: Path, key: str) -> None:
    for value in ("{nothing_like_it: 1}", "[]", "[[]]", "{{}: 1}"):
        text = MINIMAL + f"techniques: {{{key}: {value}}}"
        assert problems(folder, text)
        if value[1] != "{":
            assert not validates(text)


def test_the_starter_loads_and_shows_the_defaults_it_says_it_shows(folder: Path) -> None:
    config = loaded(folder, STARTER)
    assert validates(STARTER)
    bare = {key: value for key, value in parse(STARTER, "f").data.items() if key == "techniques"}
    assert config == loaded(folder, MINIMAL + dump(bare))


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.name)
def test_every_committed_config_loads_and_is_named_like_its_file(path: Path) -> None:
    config = load(path)
    assert config.name == path.stem
    assert validates(path.read_text(encoding="utf-8"))
    assert path.read_text(encoding="utf-8").startswith("# "), (
        "a config says at its top what it shows"
    )
