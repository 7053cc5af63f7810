"""The words of a sweep's progress: in whose language, of how many, and when it is to be quiet."""

import io
import time

import pytest
from rich.console import Console

from regbench.locale import words
from regbench.runner.progress import Progress
from tests.runner.test_progress import A, B, Clock, lines, plan, rows, stack


@pytest.fixture
def out():
    return io.StringIO()


@pytest.fixture
def clock():
    return Clock()


def test_in_korean_no_word_is_english(out, clock):
    korean = words("ko")
    with Progress(Console(file=out), clock, words=korean) as progress:
        progress.start(plan(A, B, stack("c", ["l1"])), [A, B], 1)
        progress.epoch(A, 3, [0.5])
        progress.epoch(B, 3, [0.5])
        clock.now = 30.0
        progress.finished(A, rows(A))
        reason = "the loss of the trained network is no finite number"
        progress.finished(B, rows(B, status="diverged", reason=reason))
        clock.now = 185.0
    assert lines(out) == [
        "실행 5개 중 1개는 이미 끝남",
        "학습할 실행 4개, 묶음 2개",
        "끝남: baseline 외 1개, 시드 0 (실행 2개); 실행 5개 중 3개, 분당 4개, 21초 남음, "
        "1개 학습 중; "
        "지금까지 최고: baseline, 검증 정확도 90.0%",
        "발산: dropout(p=0.5) 외 1개, 시드 0의 실행 2개 중 2개: "
        "학습을 마친 신경망의 손실이 유한한 수가 아님",
        "끝남: dropout(p=0.5) 외 1개, 시드 0 (실행 2개); 실행 5개 중 5개, 분당 7개, 0초 남음, "
        "발산 2개; "
        "지금까지 최고: baseline, 검증 정확도 90.0%",
        "실행 4개, 3분 05초 걸림, 발산 2개",
    ]


def test_it_speaks_the_locales_language_where_the_stream_has_its_letters(monkeypatch):
    monkeypatch.setenv("LC_ALL", "ko_KR.UTF-8")
    said = {}
    for encoding in ("euc_kr", "ascii"):
        stream = io.TextIOWrapper(io.BytesIO(), encoding, write_through=True)
        with Progress(Console(file=stream)) as progress:
            progress.start(plan(A), [A], 0)
        said[encoding] = stream.buffer.getvalue().decode(encoding).splitlines()[0]
    assert said == {"euc_kr": "학습할 실행 2개, 묶음 1개", "ascii": "2 runs to train, in 1 stack"}


def test_one_is_one(out, clock):
    progress = Progress(Console(file=out), clock)
    one = stack("one", ["baseline"])
    progress.start(plan(one, stack("two", ["l1"])), [one], 1)
    progress.finished(one, rows(one))
    progress.close()
    assert lines(out)[:2] == ["1 of 2 runs was finished before", "1 run to train, in 1 stack"]
    assert lines(out)[2].startswith("finished baseline, seed 0 (1 run); ")
    assert lines(out)[3] == "1 run in 0 s"


def test_a_quiet_sweep_says_what_went_wrong_alone(out, clock):
    with Progress(Console(file=out), clock, every=0.1, quiet=True) as progress:
        progress.note("a note")
        progress.start(plan(A, B), [A, B], 1)
        time.sleep(0.3)
        progress.finished(A, rows(A))
        progress.finished(B, rows(B, status="failed", reason="ValueError: no"))
        progress.note("stopped", wrong=True)
    failed = "failed: 2 of 2 runs of dropout(p=0.5) and 1 more, seed 0: ValueError: no"
    assert lines(out) == [failed, "stopped"]
