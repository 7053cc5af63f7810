"""Which sweeps may go on in a directory, or be joined with it."""

from __future__ import annotations

import pytest
import yaml

from regbench.errors import RecordsError
from regbench.results.read import check_same, read
from regbench.results.schema import Rows
from tests.results.records import (
    CONFIG,
    DATASET,
    ENVIRONMENT,
    PROBING,
    commit,
    commit_probed,
    contents,
    opened,
    run_row,
)


def test_the_same_sweep_may_go_on_under_another_name_or_margin(tmp_path):
    opened(tmp_path).close()
    new = CONFIG | {"name": "other", "analysis": {"margin": 1.0}}
    with opened(tmp_path, config=new) as results:
        assert results.notes == []
    assert read(tmp_path).config == new


def test_tuples_and_lists_are_the_same_config(tmp_path):
    opened(tmp_path, config=CONFIG | {"seeds": (0, 1, 2)}).close()
    opened(tmp_path).close()


def test_what_another_directory_holds_is_taken_to_the_last_byte_and_once(tmp_path):
    with (
        opened(tmp_path / "one") as one,
        opened(tmp_path / "two") as two,
        opened(tmp_path / "all") as everything,
    ):
        commit(one, "a", "b")
        commit(two, "b", "c")
        assert [everything.take(tmp_path / name) for name in ("one", "two", "one")] == [2, 1, 0]
        assert everything.finished() == {"a", "b", "c"}
    with opened(tmp_path / "straight") as straight:
        commit(straight, "a", "b")
        commit(straight, "c")
    assert contents(tmp_path / "all") == contents(tmp_path / "straight")


def test_a_failure_is_taken_where_nobody_finished_the_run(tmp_path):
    with (
        opened(tmp_path / "one") as one,
        opened(tmp_path / "two") as two,
        opened(tmp_path / "all") as everything,
    ):
        one.append(Rows([run_row("a", "failed"), run_row("b", "failed")]))
        commit(two, "a")
        assert [everything.take(tmp_path / name) for name in ("one", "two", "one")] == [2, 1, 0]
    runs = read(tmp_path / "all").runs
    assert dict(zip(runs["run"], runs["status"], strict=True)) == {"a": "ok", "b": "failed"}


def test_other_results_of_the_same_run_are_refused_other_seconds_are_not(tmp_path):
    with (
        opened(tmp_path / "one") as one,
        opened(tmp_path / "two") as two,
        opened(tmp_path / "three") as three,
    ):
        commit(one, "a", test_accuracy=0.5, seconds=1.0)
        commit(two, "a", test_accuracy=0.5, seconds=2.0)
        commit(three, "a", test_accuracy=0.6, seconds=1.0)
        assert one.take(tmp_path / "two") == 0
        with pytest.raises(RecordsError, match="other results of the same run, a"):
            one.take(tmp_path / "three")
        assert one.finished() == {"a"}


def test_nothing_is_taken_from_a_damaged_directory(tmp_path):
    with opened(tmp_path / "one") as one, opened(tmp_path / "two") as two:
        commit(two, "a")
        text = (tmp_path / "two/epochs.csv").read_text()
        (tmp_path / "two/epochs.csv").write_text(text.replace("a,baseline,0,2", "a,baseline,0,two"))
        with pytest.raises(RecordsError, match=r"epochs.csv:3: epoch is 'two', not a whole number"):
            one.take(tmp_path / "two")
    assert not read(tmp_path / "one").runs.size


@pytest.mark.parametrize(
    "other",
    [
        {"config": CONFIG | {"seeds": [0, 1]}},
        {"environment": {"torch": "1"}},
        {"dataset": {"name": "mnist"}},
    ],
)
def test_directories_of_other_sweeps_are_told_apart_with_what_differs(tmp_path, other):
    with opened(tmp_path / "one"), opened(tmp_path / "two", **other), opened(tmp_path / "three"):
        pass
    one, two, three = (read(tmp_path / name) for name in ("one", "two", "three"))
    check_same(one, three)
    with pytest.raises(
        RecordsError, match=f"two has another {next(iter(other))} than .*one: .* was "
    ):
        check_same(one, two)


def test_data_that_moved_to_another_folder_are_the_same_data(tmp_path):
    there, here = (
        CONFIG | {"dataset": {"name": "npz", "path": f"{folder}/x.npz"}}
        for folder in ("/there", "/here")
    )
    with opened(tmp_path, there) as results:
        commit(results, "a")
    digest = read(tmp_path).digest()
    with opened(tmp_path, here) as results:
        assert results.finished() == {"a"}
    assert read(tmp_path).digest() == digest
    assert read(tmp_path).config["dataset"]["path"] == "/here/x.npz"
    with (
        pytest.raises(RecordsError, match=r"dataset.path was"),
        opened(tmp_path, CONFIG | {"dataset": {"name": "npz", "path": "/here/y.npz"}}),
    ):
        pass


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {
                "config": CONFIG
                | {"train": {"epochs": 5, "optimizer": {"name": "adam", "lr": 1e-3}}}
            },
            ["config", "train.epochs was 30, now 5"],
        ),
        (
            {
                "config": CONFIG
                | {"techniques": {"dropout": [{"p": 0.2}, {"p": 0.6}], "l2": [{"strength": 0.01}]}}
            },
            [
                "techniques.dropout[1].p was 0.5, now 0.6",
                "techniques.l2[0].strength was not set, now 0.01",
            ],
        ),
        ({"config": CONFIG | {"seeds": [0, 1]}}, ["seeds was [0, 1, 2], now [0, 1]"]),
        (
            {"dataset": DATASET | {"fingerprint": "cd34"}},
            ["dataset", 'fingerprint was "ab12", now "cd34"'],
        ),
        (
            {"environment": ENVIRONMENT | {"regbench": "0.2.0"}},
            ["environment", 'regbench was "0.1.0", now "0.2.0"'],
        ),
        ({"environment": ENVIRONMENT | {"device": "cuda"}}, ['device was not set, now "cuda"']),
    ],
)
def test_a_directory_of_another_sweep_is_refused_with_what_differs(tmp_path, change, words):
    with opened(tmp_path) as results:
        commit(results, "a")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(RecordsError) as refused:
        opened(tmp_path, **change)
    assert [
        word for word in [*words, str(tmp_path), "another `out`"] if word not in str(refused.value)
    ] == []
    assert before == {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    opened(tmp_path).close()


def test_of_many_differences_a_handful_is_named(tmp_path):
    with opened(tmp_path, config={f"key{n}": n for n in range(9)}) as results:
        commit(results, "a")
    with pytest.raises(RecordsError, match=r"key0 was 0, now not set;.*; and 4 more;"):
        opened(tmp_path, config={})


def test_a_config_of_the_users_own_in_the_directory_is_never_overwritten(tmp_path):
    (tmp_path / "config.yaml").write_text("name: mine  # with a comment\n")
    with pytest.raises(RecordsError, match="holds files that no sweep has made"):
        opened(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["config.yaml"]
    assert (tmp_path / "config.yaml").read_text() == "name: mine  # with a comment\n"


def test_another_machine_is_worth_a_note_and_more_cores_are_not(tmp_path):
    opened(tmp_path).close()
    with opened(tmp_path, environment=ENVIRONMENT | {"python": "3.12.1", "cores": 64}) as results:
        assert len(results.notes) == 1
        assert 'python was "3.11.7", now "3.12.1"' in results.notes[0]
        assert "cores" not in results.notes[0]
    assert read(tmp_path).environment == ENVIRONMENT


def test_other_probes_are_another_sweep(tmp_path):
    with opened(tmp_path, PROBING) as results:
        commit_probed(results, "a")
    for other in (CONFIG, CONFIG | {"probes": {"noise": {"levels": [0.2]}}}):
        with pytest.raises(RecordsError, match=r"another config: probes\.noise\.levels"):
            opened(tmp_path, other)


def test_a_directory_without_a_finished_run_binds_nobody(tmp_path):
    other = CONFIG | {"train": {"epochs": 9}}
    with opened(tmp_path) as results:
        results.append(Rows([run_row("a", status="failed", reason="no images")]))
    with opened(tmp_path, other, ENVIRONMENT | {"device": "cuda"}, {"name": "mnist"}) as results:
        assert results.notes == [
            f"{tmp_path} held no finished run; it is begun anew with this config"
        ]
        commit(results, "b")
    assert read(tmp_path).config == other
    assert read(tmp_path).runs["run"].tolist() == ["b"]
    assert (read(tmp_path).dataset, read(tmp_path).environment["device"]) == (
        {"name": "mnist"},
        "cuda",
    )
    with pytest.raises(RecordsError, match="was begun with another config"):
        opened(tmp_path)


def test_a_kill_while_a_directory_is_begun_anew_is_mended(tmp_path):
    """The new config stands there, and the files are still those of the old one, which had no
    probes.
    """
    with opened(tmp_path) as results:
        results.append(Rows([run_row("a", status="failed")]))
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(PROBING))
    with opened(tmp_path, PROBING) as results:
        commit_probed(results, "b")
    assert set(read(tmp_path).probes["run"]) == {"b"}


def test_a_run_that_diverged_is_finished_and_binds(tmp_path):
    with opened(tmp_path) as results:
        results.append(Rows([run_row("a", status="diverged")]))
    with pytest.raises(RecordsError, match="another config"):
        opened(tmp_path, CONFIG | {"train": {"epochs": 9}})


@pytest.mark.parametrize(
    ("seeds", "said"),
    [
        ([0, 1, 2, 3, 4, 5], "give extend=3"),
        ([0, 1], "another config"),
        ([0, 1, 3, 4], "another config"),
    ],
)
def test_more_seeds_are_told_how_they_are_added(tmp_path, seeds, said):
    one = CONFIG | {"seeds": [0, 1, 2], "rounds": [3]}
    with opened(tmp_path, one) as results:
        commit(results, "a")
    with pytest.raises(RecordsError, match=said):
        opened(tmp_path, one | {"seeds": seeds, "rounds": [len(seeds)]})
    with opened(tmp_path, one | {"seeds": [0, 1, 2, 3], "rounds": [3, 1]}) as results:
        assert results.finished() == {"a"}
