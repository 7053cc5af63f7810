"""Korean, all of it: every sentence that the code can say, and every command as a reader of Korean
meets it.
"""

import ast
import re
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import typer.core
import typer.main
import yaml

import regbench as package
from regbench import cli
from regbench.config.schema import schema
from regbench.data import sources
from regbench.locale.sentences import PLACEHOLDER, catalogue, told
from regbench.models import models
from regbench.probes import probes
from regbench.regularizers import techniques
from regbench.text import summary
from tests.command import regbench

CODE = Path(package.__file__).parent
HANGUL = re.compile("[가-힣]")
PLACE = re.compile(r"⟦\d+⟧")
SAID_TO_NOBODY: dict[str, set[str]] = {
    "claims/claims.py": {  # descriptions for who reads the code: the schema is that of configs
        "author, year, section, table or figure",
        "what it says",
        "how the figure was verified: in the paper's own text, ..., or derived here",
        "the name of the probe's row, such as accuracy or cosine/hidden2; * takes several",
        "the row's at; none: whatever it is",
        "what is taken of several rows: the last is that of the largest at",
        "what an empty value counts as, such as more steps than were taken",
        "formula over measures of arms, a value a seed",
        "what it is, with its unit",
        "what it states",
        "what of the statistics would show it",
        "what would show the contrary",
        "what is untrue there",
        "arms whose runs trade places at random within each seed",
        "arms in whose place another stands that was not treated",
        "statistics that get this mean, with their own noise",
        "where several parts are all needed",
        "section and row of the note",
        "points of the summary table that rest on it: technique.point",
        "what that table says, by how it came out",
        "what is smaller here than what is stated, if anything",
        "what could explain the result, or limits it",
        "whether the statement needs all its parts, or says that something can be, which one shows",
    },
    "claims/note.py": {  # the note is our own
        "tests, as pytest names them",
        "points of the summary table that rest on it",
        "a statistic of the claim",
        "the claim whose picture shows it",
        "a sentence rests on something",
    },
    "regularizers/dropout.py": {
        "Srivastava et al. 2014, Dropout: A Simple Way to Prevent Neural Networks from Overfitting",
    },
    "regularizers/l1.py": {"Tibshirani 1996, Regression Shrinkage and Selection via the Lasso"},
    "report/data.py": {  # of the JSON
        "two-way random effects",
        "step-down over difference and equivalence (Holm, Shaffer)",
        "two one-sided t tests",
    },
    "report/data_schema.py": {"regbench table --format json"},
    "report/latex.py": {
        r"% \usepackage{booktabs,array,amssymb,adjustbox}",
        r"% \usepackage{kotex}  % pdflatex, xelatex, lualatex",
        r"\begin{adjustbox}{max width=\linewidth}",
        r"\begin{minipage}{\linewidth}\scriptsize ⟦1⟧\end{minipage}",
    },
    "config/reader.py": {"there is no ⟦1⟧ ⟦3⟧"},  # with each of its kinds it is in the catalogue
    "config/wording.py": {"of at least"},
    "config/yaml12.py": {  # what PyYAML says, in whose place our own words stand
        "mapping values are not allowed",
        "could not find expected ':'",
        "sequence entries are not allowed",
        "mapping keys are not allowed",
        "expected <block end>",
        "cannot start any token",
        "found unexpected end of stream",
        "unknown escape character",
        "but found another document",
        "expected the node content",
    },
    "planning/cells.py": {  # put together they are in the catalogue
        "and ⟦1⟧ times up to ⟦3⟧ trials of ⟦5⟧",
        "this asks for more than ⟦1⟧ runs (⟦3⟧ of more than ⟦5⟧ cells); "
        "allowed: fewer strengths, techniques or seeds",
    },
    "engine/assemble.py": {"⟦0⟧ has no neutral settings"},
    "engine/checkpoint.py": {"⟦0⟧ has no place in a checkpoint"},
    "executors/processes.py": {"workers is ⟦1⟧; at least 1 is needed"},
    "nn/acts.py": {"⟦0⟧ took no part in the loss"},
    "nn/modules.py": {"it is called under vmap, on what has a run axis"},
    "nn/stack.py": {"runs of one seed must be neighbours", "parameter ⟦1⟧ exists already"},
    "results/rows.py": {"no such columns: ⟦1⟧"},
    "results/write.py": {
        "a run is committed once",
        "a status is one of ⟦1⟧",
        "rows of epochs, details and probes come with the row of their run, which is finished",
        "rows of probes come from a config that has probes",
    },
    "trackers/__init__.py": {"⟦0⟧: the tracker's key is ⟦2⟧; it must be the file's name"},
    "trackers/wandb.py": {"wandb sync ⟦1⟧/offline-run-*"},
    "__init__.py": {"module ⟦1⟧ has no attribute ⟦3⟧"},  # to Python
    "cli.py": {  # what to type
        "regbench demo",
        "regbench init my.yaml",
        "regbench sweep my.yaml",
        "regbench report results/my --open",
        "regbench compare scores.csv",
    },
}
"""Strings of three words that no person reads, or not as they are, by their file."""
NAMES = {
    "baseline",
    "cpu",
    "cuda",
    "et",
    "false",
    "nat",
    "of",
    "regbench",
    "shape",
    "torch",
    "torchvision",
    "true",
    "van",
    "x",
    "zip",
}
"""Words that are names or code in Korean too."""


def keys() -> set[str]:
    """Names of the config: keys, techniques, models, datasets, probes."""
    found: set[str] = set()

    def walk(node: object) -> None:
        if isinstance(node, dict):
            found.update(node.get("properties", {}), node.get("enum", []), [node.get("const")])
            for inner in node.values():
                walk(inner)
        elif isinstance(node, list):
            for inner in node:
                walk(inner)

    walk(schema())
    return {str(name) for name in found} | {*techniques(), *models(), *sources(), *probes()}


def english(text: str) -> list[str]:
    """Words of English outside keys, names and code."""
    bare = re.sub(r"'[^']*'|\"[^\"]*\"|`[^`]*`|⟦\d+⟧|<!--.*?-->", " ", text)
    bare = re.sub(r"\b\d{4}, [A-Z][^:,]*", " ", bare)  # the title of a paper, behind its year
    bare = re.sub(r"\S*[/_=<>@$.\\{}]\S*|--?[a-z]\S*", " ", bare)  # paths, options, settings
    return [word for word in re.findall(r"\b[a-z]{2,}\b", bare) if word not in NAMES | keys()]


def sentences(file: Path) -> Iterator[str]:
    """Strings of three words or more in a file's code, with ⟦n⟧ where values stand."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    inner = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            inner.add(node.value)
        if isinstance(node, ast.JoinedStr):
            inner |= {part for part in node.values if isinstance(part, ast.Constant)}
        if isinstance(node, ast.Dict):  # what is said in both languages
            names = [getattr(key, "value", "") for key in node.keys]
            if {"en", "ko"} <= set(names):
                inner |= set(ast.walk(node.values[names.index("en")]))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in inner:
            text = node.value
        elif isinstance(node, ast.JoinedStr):
            text = "".join(
                str(part.value) if isinstance(part, ast.Constant) else f"⟦{i}⟧"
                for i, part in enumerate(node.values)
            )
        else:
            continue
        if "(?" in text or text.startswith(("<svg", "<text", "outside ")):  # patterns, pictures
            continue
        if len(re.findall(r"\b[a-z]{2,}\b", re.sub("`[^`]*`", "", text))) > 2 and " " in text:
            yield from text.strip().split("\n")


def commands() -> dict[str, typer.core.TyperCommand]:
    """Every command by what a person types, such as "claims run"."""
    root = typer.main.get_command(cli.app)
    found = {}
    for name, command in root.commands.items():
        found[name] = command
        for inner, below in getattr(command, "commands", {}).items():
            found[f"{name} {inner}"] = below
    return found


COMMANDS = commands()


@pytest.mark.parametrize("file", sorted(CODE.rglob("*.py")), ids=lambda f: str(f.relative_to(CODE)))
def test_every_sentence_of_the_code_has_korean(file: Path) -> None:
    for sentence in sentences(file):
        if sentence not in SAID_TO_NOBODY.get(str(file.relative_to(CODE)), set()):
            korean = told(sentence, "ko")
            assert HANGUL.search(korean), sentence
            assert sorted(PLACE.findall(korean)) == sorted(PLACE.findall(sentence)), korean
            assert not english(korean), korean


def test_every_sentence_of_the_catalogue_is_whole() -> None:
    exact, templates = catalogue("ko")
    for english_, korean in exact.items():
        assert HANGUL.search(korean), english_
    for template in templates:
        names = sorted(template.english.groupindex)
        assert names == sorted(PLACEHOLDER.findall(template.other)), template


def test_no_sentence_has_two_translations() -> None:
    found: dict[str, str] = {}
    for file in sorted((CODE / "locale/ko").glob("*.yaml")):
        for sentence, korean in yaml.safe_load(file.read_text(encoding="utf-8")).items():
            for number, name in enumerate(PLACEHOLDER.findall(sentence)):
                sentence, korean = (
                    text.replace(f"{{{name}}}", f"{{{number}}}") for text in (sentence, korean)
                )
            assert found.setdefault(sentence, korean) == korean, f"{file.name}: {sentence}"


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_is_korean(command: str) -> None:
    done = regbench(*command.split(), "--help", "--lang", "ko")
    assert done.returncode == 0
    assert HANGUL.search(done.stdout)
    shown = re.sub(r"[│╭╮╰╯─]|\[기본값: [^]]*]", " ", done.stdout)
    assert {*english(shown)} <= {*" ".join(COMMANDS).split()}, done.stdout


@pytest.mark.parametrize("part", [": ", "; ", "with a: ", "a can't be b; allowed: "])
def test_a_text_of_parts_without_end_is_told_at_once(part: str) -> None:
    began = time.perf_counter()
    assert told((part * 500)[:1000], "ko")
    assert time.perf_counter() - began < 10


def test_a_sentence_within_a_sentence_is_translated_and_a_quotation_is_not() -> None:
    for text in ("nothing here excluded by the config: a b", "'more; its score is 3; more'"):
        assert told(text, "ko") == text
    assert told("nothing here; excluded by the config: a b", "ko") == (
        "nothing here; 설정에서 제외함: a b"
    )
    assert told("excluded by the config: 'its score is 3'", "ko") == (
        "설정에서 제외함: 'its score is 3'"
    )


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, id=kind.__name__) for kind in (techniques, models, probes)]
)
def test_what_the_lists_say_is_korean(kind: Callable[[], Mapping[str, Any]]) -> None:
    for name, thing in kind().items():
        described = [field.description for field in thing.Settings.model_fields.values()]
        for text in filter(None, [summary(thing), *described]):
            korean = told(text, "ko")
            assert HANGUL.search(korean), f"{name}: {text}"
            assert not english(korean), f"{name}: {korean}"


@pytest.mark.parametrize("name", sources())
def test_a_datasets_title_is_a_name_or_korean(name: str) -> None:
    assert not english(told(sources()[name].TITLE, "ko"))


def test_a_wrong_name_of_a_claim_is_answered_in_korean_with_the_one_that_was_meant() -> None:
    done = regbench("claims", "show", "dropout-averages-networks", "--lang", "ko")
    assert done.returncode == 2
    assert done.stderr == (
        "regbench: 'dropout-averages-networks'라는 주장이 없습니다. `regbench claims`가 모두 "
        "보여 줍니다. 'dropout-averages-subnetworks'를 뜻했나요?\n"
    )
