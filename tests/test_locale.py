import re
import string
from pathlib import Path

import pytest
import yaml

import regbench
from regbench.errors import UsageError
from regbench.locale import default_language, languages, parsed, words
from regbench.locale.particles import fitted
from regbench.regularizers import techniques

HANGUL = re.compile("[가-힣]")
SAME_IN_KOREAN = {
    "page.probe_row.nll",
    "answer.and",
    "answer.range",
    "rows.l1_l2.name",
    "cells.rank",
    "cells.n",
    "cells.p",
    "metric.difference",
    "evidence.and",
    "evidence.with",
    "metric.accuracy.amount",
    "metric.accuracy.score",
    "metric.nll.score",
    "metric.ece.score",
    "metric.more.score",
    "metric.less.score",
    "metric.nll.short",
    "metric.nll.head",
    "metric.nll.amount",
    "metric.nll.told",
    "metric.ece.short",
    "metric.ece.head",
    "metric.ece.amount",
    "metric.ece.told",
    *(f"metric.more.{part}" for part in ("name", "short", "head", "unit", "amount", "told")),
    *(f"metric.less.{part}" for part in ("name", "short", "head", "amount", "told")),
    "page.of",
    "summary.line",
    "verdict.more",
    "verdict.more_range",
}


def placeholders(text: str) -> list[str]:
    return sorted(name for _, name, _, _ in string.Formatter().parse(text) if name is not None)


def test_the_catalogues_have_the_same_keys_and_placeholders() -> None:
    english, korean = words("en").catalogue, words("ko").catalogue
    assert list(english) == list(korean)
    for key in english:
        assert placeholders(english[key]) == placeholders(korean[key]), key


def test_every_text_is_text_and_in_its_own_language() -> None:
    for key, text in words("en").catalogue.items():
        assert isinstance(text, str), key
        assert not HANGUL.search(text), key
    for key, text in words("ko").catalogue.items():
        assert text.strip(), key
        assert HANGUL.search(text) or key in SAME_IN_KOREAN, key


def test_no_key_stands_twice() -> None:
    for language in languages():
        path = Path(regbench.__file__).parent / "locale" / f"{language}.yaml"
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
        for mapping in mappings(node):
            keys = [key.value for key, _ in mapping.value]
            assert len(keys) == len(set(keys)), (language, keys)


def mappings(node: yaml.MappingNode) -> list[yaml.MappingNode]:
    inner = [
        m for _, value in node.value if isinstance(value, yaml.MappingNode) for m in mappings(value)
    ]
    return [node, *inner]


def test_every_technique_has_a_card_in_every_language() -> None:
    for key, technique in techniques().items():
        assert set(technique.cards) >= set(languages()), key


@pytest.mark.parametrize(
    ("environ", "language"),
    [
        ({}, "en"),
        ({"LANG": "ko_KR.UTF-8"}, "ko"),
        ({"LANG": "ko"}, "ko"),
        ({"LANG": "kok_IN.UTF-8"}, "en"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LC_ALL": "C.UTF-8", "LANG": "ko_KR.UTF-8"}, "en"),
        ({"LC_ALL": "", "LC_MESSAGES": "ko_KR.UTF-8", "LANG": "en_US.UTF-8"}, "ko"),
    ],
)
def test_the_locale_chooses_the_language(environ: dict[str, str], language: str) -> None:
    assert default_language(environ) == language


def test_a_language_that_is_not_there_is_named() -> None:
    with pytest.raises(UsageError, match=r"'fr'.*en, ko"):
        words("fr")


def test_why_something_is_missing_is_said_in_the_readers_language() -> None:
    korean = words("ko")
    assert korean.told("the training loss was no finite number in epoch 3").startswith("3에폭에서")
    assert korean.told("excluded by the config: l1 + l2") == "설정에서 제외함: l1 + l2"
    assert korean.told("RuntimeError: {odd} braces") == "RuntimeError: {odd} braces"
    for text in {
        text for technique in techniques().values() for text in technique.conflicts.values()
    }:
        assert korean.told(text) != text
        assert words("en").told(text) == text


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a: {b: c", "expected ',' or '}'"),
        (b"- a", "has no attribute 'items'"),
        (b"a: [b]", "got list"),
        (b"a: \xff", "can't be used"),
        (b"a: '{x.__class__}'", "a has the placeholder {x.__class__}, which is no plain name"),
        (b"a: '{x:9999999999}'", "a has the placeholder {x}, which is no plain name"),
        (b"a: '{'", "Single '{'"),
        (b"a: &a [*a]", "can't be used"),
    ],
)
def test_a_catalogue_that_is_none_is_refused_in_a_sentence(content: bytes, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        parsed(content, "xx.yaml")
    assert str(refused.value).startswith("the catalogue xx.yaml can't be used: ")
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("word", "topic", "subject", "object_", "by"),
    [
        ("드롭아웃", "은", "이", "을", "으로"),
        ("배치 정규화", "는", "가", "를", "로"),
        ("라벨", "은", "이", "을", "로"),
        ("L1", "은", "이", "을", "로"),
        ("L2", "는", "가", "를", "로"),
        ("3", "은", "이", "을", "으로"),
        ("20", "은", "이", "을", "으로"),
        ("89.2%", "는", "가", "를", "로"),
        ("7.6%p", "는", "가", "를", "로"),
        ("ECE", "는", "가", "를", "로"),
        ("NLL", "은", "이", "을", "로"),
        ("MNIST", "는", "가", "를", "로"),
        ("baseline", "은", "이", "을", "으로"),
        ("dropout", "은", "이", "을", "으로"),
        ("batch", "는", "가", "를", "로"),
        ("step", "은", "이", "을", "으로"),
        ("weight", "는", "가", "를", "로"),
        ("label", "은", "이", "을", "로"),
        ("dropout.p", "는", "가", "를", "로"),
        ("mlp", "는", "가", "를", "로"),
        ("lr", "은", "이", "을", "로"),
        ("mnist5k", "는", "가", "를", "로"),
        ("{name: adam}", "은", "이", "을", "으로"),
        ("seed", "는", "가", "를", "로"),
        ("'seed'", "는", "가", "를", "로"),
        ("드롭아웃(p=0.5)", "은", "이", "을", "으로"),
        ("기준(baseline)", "은", "이", "을", "으로"),
        ("…", "는", "가", "를", "로"),
    ],
)
def test_a_particle_fits_the_word_before_it(
    word: str, topic: str, subject: str, object_: str, by: str
) -> None:
    text = fitted(f"{word}은(는) {word}이(가) {word}을(를) {word}(으)로")
    assert text == f"{word}{topic} {word}{subject} {word}{object_} {word}{by}"


def test_no_other_text_is_taken_for_a_particle() -> None:
    assert fitted("dropout(p=0.5) 이(것)") == "dropout(p=0.5) 이(것)"
