"""The schema, the starter, and the configs that come with the project."""

import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings

from regbench.config import experiment_reader
from regbench.config.schema import schema
from regbench.config.starter import demo, starter
from regbench.config.yaml12 import dump, parse
from regbench.errors import ConfigError
from regbench.locale import languages
from regbench.planning.cells import load
from regbench.regularizers import techniques
from tests.command import regbench
from tests.config.configs import MINIMAL, ROOT, STARTER, loaded, problems, validates
from tests.strategies import configs
from tests.test_korean import english

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


@pytest.mark.parametrize("language", languages())
def test_the_starter_loads_and_shows_the_defaults_it_says_it_shows(
    folder: Path, language: str
) -> None:
    text = starter(language)
    config = loaded(folder, text)
    assert validates(text)
    bare = {key: value for key, value in parse(text, "f").data.items() if key == "techniques"}
    assert config == loaded(folder, MINIMAL + dump(bare))


@pytest.mark.parametrize("language", languages())
def test_the_starters_differ_in_their_comments_alone(language: str) -> None:
    def settings(text: str) -> list[str]:
        """The lines without what is said of them, those too that wait behind a #."""
        ours = [re.sub(r"(?<=\S) +# .*", "", line) for line in text.splitlines()]
        return [line for line in ours if not re.match("# (?!exclude:|  - )", line)]

    assert settings(starter(language)) == settings(STARTER)
    assert "  # train_size: 2000" in settings(STARTER)


def test_init_writes_the_starter_in_the_language_of_the_reader(tmp_path: Path) -> None:
    assert regbench("init", "en.yaml", cwd=tmp_path, LANG="en_US.UTF-8").returncode == 0
    assert regbench("init", "ko.yaml", "--lang", "ko", cwd=tmp_path).returncode == 0
    assert regbench("init", "too.yaml", cwd=tmp_path, LC_ALL="ko_KR.EUC-KR").returncode == 0
    for name, language in (("en", "en"), ("ko", "ko"), ("too", "ko")):
        written = (tmp_path / f"{name}.yaml").read_text(encoding="utf-8")
        assert written == starter(language), name
    assert english_words(starter("ko")) == []


def english_words(text: str) -> list[str]:
    """Words of English in comments."""
    said = [line.partition("#")[2] for line in text.splitlines()]
    return [word for line in said for word in english(re.sub(r"\{.*?\}|\[.*\]", "", line))]


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.name)
def test_every_committed_config_loads_and_is_named_like_its_file(path: Path) -> None:
    config = load(path)
    assert config.name == path.stem
    assert validates(path.read_text(encoding="utf-8"))
    assert path.read_text(encoding="utf-8").startswith("# "), (
        "a config says at its top what it shows"
    )
