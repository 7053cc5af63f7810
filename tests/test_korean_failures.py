"""What goes wrong with a person's data, scores and results, as the command line says it in Korean:
nothing but names, code, quotations and what other software says is English.
"""

import json
import re
import shutil
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from regbench.results.lock import Lock
from regbench.results.schema import RUNS, STATUSES
from regbench.trackers import trackers
from tests.command import regbench, sweep
from tests.data import test_delimited, test_npz, test_table
from tests.data.tables import passengers, toy, written
from tests.data.test_image_folder import draw
from tests.scores import test_arrange
from tests.test_korean import HANGUL, english

CONFIG = """
dataset: {{name: {name}, path: {path}{more}}}
model: {{name: mlp, widths: [8]}}
techniques: {{l2: 0.01}}
train: {{epochs: 1}}
seeds: [0, 1]
"""
THEIRS = (
    "unexpected end of data", "',' expected after '\"'", "field larger than field limit (131072)",
    "File is not a zip file", "cannot identify image file", "Extra data: line 1 column 3 (char 2)",
    "Parquet magic bytes not found in footer. Either the file is corrupted or this is not a "
    "parquet file.",
)  # fmt: skip
"""What Python, Pillow and Arrow say, which stands in brackets."""


def korean(*command: object, cwd: Path) -> str:
    """What a command says on stderr in Korean, in which words of the user's own may stand."""
    done = regbench(*command, "--lang", "ko", cwd=cwd)
    said = done.stderr.replace(f"{cwd}/", "")
    assert HANGUL.search(said), said
    ours = said
    for theirs in THEIRS:
        ours = ours.replace(theirs, "")
    tables = (file.read_text("utf-8", "replace") for file in cwd.rglob("*.csv"))
    own = chain(map(str, command), map(str, cwd.rglob("*")), tables, RUNS, STATUSES, trackers())
    names = set(re.findall("[a-z]+", " ".join(own)))
    assert not [word for word in english(ours) if word not in names], said
    return said


def checked(folder: Path, name: str, path: str, more: str = ", validation_share: 0.3") -> str:
    """What `regbench check` says of data of one's own."""
    text = CONFIG.format(name=name, path=path, more=more)
    (folder / "mine.yaml").write_text(text, encoding="utf-8")
    return korean("check", "mine.yaml", cwd=folder)


def cases(test: Callable[..., None]) -> Any:
    """What a parametrized test is given."""
    (mark,) = (m for m in test.pytestmark if m.name == "parametrize")  # type: ignore[attr-defined]
    return mark.args[1]


@pytest.mark.parametrize("what", [what for what in test_npz.BAD if what != "can't be read"])
def test_a_bad_array(tmp_path: Path, what: str) -> None:
    path = test_npz.save(tmp_path, **test_npz.BAD[what][0])
    assert "own.npz" in checked(tmp_path, "npz", path.name)


TABLES: dict[str, pd.DataFrame | str | bytes] = {
    **{f"row {i}": toy(rows) for i, (rows, _) in enumerate(
        cases(test_delimited.test_a_row_that_is_none_is_refused_with_its_line)
    )},
    **{f"file {i}": content for i, (content, _) in enumerate(
        cases(test_delimited.test_what_is_no_table_is_refused_in_a_sentence)
    )},
    **{what: test_table.target_of(values) for what, (values, _) in test_table.BAD_TARGETS.items()},
    "one cell": toy("1\n"),
    "no end": toy("1e999,red,a\n"),
    "no numbers": toy("".join(f"{i}.25,red,a\n" for i in range(200)) + "12 kg,red,a\n"),
    "no such column": passengers(),
    "no names of columns": "5.1,3.5,setosa\n4.9,3.0,virginica\n",
    "nothing to learn from": passengers()[["id", "ship", "born"]].assign(y=["a", "b"] * 30),
    "few, some without a class": toy("1,red,\n"),
    "cp949": toy().replace("red", "빨강").encode("cp949"),
}  # fmt: skip


@pytest.mark.parametrize("what", TABLES)
def test_a_bad_table(tmp_path: Path, what: str) -> None:
    written(tmp_path, TABLES[what])
    said = checked(tmp_path, "table", "data.csv", ", target: y")
    assert what != "one cell" or "data.csv:14: 1칸인데 첫 줄의 열 이름은 3개입니다" in said


SETTINGS = {
    "": "예측할 열이 정해지지 않았습니다",
    ", target: survivd": "'survived'를 뜻했나요?",
    ", target: survived, categories: [clas]": "`categories`에 적힌 'clas' 열이 없거나",
    ", target: survived, leave_out: [nane]": "'name'을 뜻했나요?",
    ", target: survived, validation_share: 0.01": "검증용 0개로",
    ", target: survived, train_size: 1": "train_size 1은 클래스 수 2보다 적습니다",
    ", target: survived, train_size: 1000": "train_size 1000은",
}


@pytest.mark.parametrize("settings", SETTINGS)
def test_a_setting_of_a_table(tmp_path: Path, settings: str) -> None:
    written(tmp_path, passengers())
    assert SETTINGS[settings] in checked(tmp_path, "table", "data.csv", settings)


def test_notes_of_a_table(tmp_path: Path) -> None:
    written(tmp_path, passengers().assign(y=["a", "b", None] * 20))
    assert checked(tmp_path, "table", "data.csv", ", target: y").splitlines() == [
        "regbench: 'y' 값이 없는 행을 뺐습니다: 60행 중 20행",
        "regbench: 'name' 열은 뺍니다: 서로 다른 값이 40개인 글자입니다(예: 'person 0'). 필요한 "
        "것을 값이 적은 열로 만드세요",
        "regbench: 'born' 열은 뺍니다: 날짜입니다. 월처럼 필요한 것을 따로 열로 만드세요",
        "regbench: 값이 하나뿐이라 뺀 열: ship",
        "regbench: 빈칸이 있는 열: age (10/40). 시드마다 학습 행의 평균으로 채우고, 빈칸이었는지를 "
        "따로 입력으로 넣습니다",
        "regbench: 빈칸이 있는 열: deck (10/40). 별개의 범주로 다룹니다",
    ]


def folder_of(place: Path, half: str = "") -> None:
    """Twenty pictures of two classes."""
    for n in range(20):
        draw(place / half / ("cat" if n < 10 else "dog") / f"{n}.png", n * 10)


def halves(place: Path) -> None:
    shutil.rmtree(place)
    folder_of(place, "train")
    folder_of(place, "test")


def in_halves(change: Callable[[Path], object]) -> Callable[[Path], object]:
    return lambda place: (halves(place), change(place))


def put(image: Image.Image, name: str = "dog/15.png") -> Callable[[Path], object]:
    return lambda place: image.save(place / name)


PICTURES: dict[str, tuple[Callable[[Path], object], str]] = {
    "none": (shutil.rmtree, "파일이나 폴더가 없음"),
    "a file": (lambda p: (shutil.rmtree(p), p.write_text("x")), "폴더가 아님"),
    "damaged": (lambda p: (p / "dog/15.png").write_bytes(b"x"), "이미지를 읽을 수 없습니다(cannot"),
    "a broken link": (lambda p: (p / "dog/x.png").symlink_to("y"), "(파일이나 폴더가 없음)"),
    "one class": (lambda p: shutil.rmtree(p / "dog"), "1개입니다"),
    "few": (
        lambda p: [f.rename(f.with_suffix(".txt")) for f in [*(p / "dog").iterdir()][:7]],
        "3장입니다. 더 넣거나 폴더를 치우세요 (mine/dog에서 읽지 않은 것: .txt: 7",
    ),
    "color": (put(Image.new("RGB", (4, 4))), "4 x 4 회색조입니다. 모든 이미지를 같게 맞추거나"),
    "oblong": (put(Image.new("L", (8, 5))), "(20장 중 1장은 정사각형이 아님)"),
    "transparent": (put(Image.new("RGBA", (4, 4))), "투명한 곳이 있습니다"),
    "for printing": (put(Image.new("CMYK", (4, 4)), "dog/x.jpg"), "픽셀 형식이 CMYK입니다"),
    "huge": (put(Image.new("L", (3000, 3000))), "3,000 x 3,000으로, 4,194,304픽셀이"),
    "no test": (in_halves(lambda p: shutil.rmtree(p / "test")), "test 폴더가 없습니다"),
    "otherwise": (in_halves(lambda p: (p / "train").rename(p / "Training")), "Training -> train"),
    "a third": (in_halves(lambda p: folder_of(p, "val")), "train과 test 말고 val도 있습니다"),
    "unlike": (in_halves(lambda p: (p / "test/cat").rename(p / "test/cow")), "한쪽에만 있습니다"),
    "left alone": (
        lambda p: ((p / "README").write_text("x"), (p / "dog/more").mkdir()),
        "읽지 않은 것(클래스 폴더 안의 이미지만 읽습니다): 폴더: 1 (예: more)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", PICTURES)
def test_bad_pictures(tmp_path: Path, what: str) -> None:
    change, said = PICTURES[what]
    folder_of(tmp_path / "mine")
    change(tmp_path / "mine")
    assert said in checked(tmp_path, "image_folder", "mine")


def test_notes_of_pictures(tmp_path: Path) -> None:
    folder_of(tmp_path / "mine")
    put(Image.new("RGBA", (9, 5)))(tmp_path / "mine")
    settings = ", validation_share: 0.3, size: 8, fit: pad"
    assert checked(tmp_path, "image_folder", "mine", settings).splitlines() == [
        "regbench: 이미지 20장 중 1장은 가로세로 비율이 8 x 8과 다릅니다. 모자라는 곳은 검게 "
        "채웁니다 (fit: pad)",
        "regbench: 이미지 20장 중 20장은 8 x 8보다 작아 확대했습니다",
        "regbench: 이미지 20장 중 1장은 투명한 곳이 있어 흰 배경에 얹었습니다",
        "regbench: 이미지 20장 중 19장은 회색조라서 나머지처럼 RGB로 바꿨습니다",
    ]


SCORES = cases(test_arrange.test_what_cannot_be_compared_is_one_sentence_with_its_place)


@pytest.mark.parametrize(
    ("text", "asked"),
    [case[:2] for case in SCORES if not {"confidence", "margin"} & case[1].keys()],
)
def test_scores_that_cannot_be_compared(tmp_path: Path, text: str, asked: dict[str, Any]) -> None:
    (tmp_path / "mine.csv").write_text(text, encoding="utf-8")
    values = {name: value if isinstance(value, list) else [value] for name, value in asked.items()}
    options = [part for name in values for value in values[name] for part in (f"--{name}", value)]
    assert "mine.csv" in korean("compare", "mine.csv", *options, cwd=tmp_path) or options


def test_scores_without_seeds_or_from_nowhere(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("method,acc\na,1\nb,2\n", encoding="utf-8")
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 and more")
    for source, said in {
        "mine.csv": "--pair",
        "no.csv": "no.csv 파일을 열 수 없습니다(파일이나 폴더가 없음)",
        "no.parquet": "no.parquet 파일이 없습니다",
        "bad.parquet": "Parquet로 읽을 수 없습니다",
        "s3://bucket": "s3:// 주소는 읽을 수 없습니다",
    }.items():
        pair = ["--pair", "seed"] if source == "mine.csv" else []
        assert said in korean("compare", source, "--by", "method", *pair, cwd=tmp_path)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished sweep in `out`."""
    place = tmp_path_factory.mktemp("whole")
    x = np.arange(80.0).reshape(40, 2) ** 2 % 17
    np.savez(place / "own.npz", x_train=x, y_train=np.arange(40) % 2)
    text = CONFIG.format(name="table", path="own.npz", more="")
    (place / "mine.yaml").write_text(text, encoding="utf-8")
    done = sweep("mine.yaml", "--out", "out", cwd=place)
    assert done.returncode == 0, done.stderr
    return place


@pytest.fixture
def place(whole: Path, tmp_path: Path) -> Path:
    shutil.copytree(whole, tmp_path, dirs_exist_ok=True)
    return tmp_path


def doubled(text: str) -> str:
    return text + text.splitlines()[1] + "\n"


RECORDS: list[tuple[str, Callable[[str], str | bytes], str]] = [
    ("runs.csv", lambda t: t.replace(",0.", ",x0.", 1), "은 숫자가 아닙니다"),
    ("runs.csv", lambda t: t.replace("mlp,0,", "mlp,0.5,", 1), "'0.5'는 정수가 아닙니다"),
    ("runs.csv", lambda t: t.replace(",ok,", ",done,", 1), "다음 가운데 하나여야 합니다: ok, di"),
    ("runs.csv", doubled, "같은 실행이 아래에 또 있습니다"),
    ("epochs.csv", doubled, "run, epoch가 같은 행이 위에 이미 있습니다"),
    ("runs.csv", lambda t: t.replace(",ok,", ",ok,,", 1), "33칸이어야 하는데 34칸입니다"),
    ("runs.csv", lambda t: t.encode("utf-16"), "UTF-16입니다"),
    ("runs.csv", lambda t: t.replace(",", ";"), "열이 ';'로 나뉘어 있습니다"),
    ("runs.csv", lambda t: f",{t}", "인덱스로 보이는 열"),
    ("runs.csv", lambda t: t.replace("status", "state", 1), "없는 열: status; 알 수 없는 열: st"),
    ("runs.csv", lambda t: t.replace("run,cell", "cell,run", 1), "열의 순서가 다르거나"),
    ("runs.csv", lambda t: t.replace("baseline", "bas\udcff", 1).encode("utf-8", "surrogateescape"),
     "CSV의 행이 아닙니다(UTF-8이 아님)"),
    ("config.yaml", lambda t: "[1]", "(키와 값이 아님)"),
    ("config.yaml", lambda t: "# " + "x" * (1 << 20), "(1 MiB보다 큼)"),
    ("dataset.json", lambda t: "{}{", "내용을 알아볼 수 없습니다(Extra"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "change", "said"), RECORDS, ids=range(len(RECORDS)))
def test_a_damaged_results_folder(
    place: Path, file: str, change: Callable[[str], str | bytes], said: str
) -> None:
    path = place / "out" / file
    changed = change(path.read_text(encoding="utf-8"))
    path.write_bytes(changed if isinstance(changed, bytes) else changed.encode())
    assert said in korean("report", "out", cwd=place)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("sweep mine.yaml --out out --set train.epochs=2 --set model.widths=[9]",
         "out의 결과는 설정이 다릅니다(model.widths [8] → [9]; train.epochs 1 → 2)"),
        ("sweep mine.yaml --out out --set seeds=[0,1,2]", "시드 3개 가운데 2개의 결과가 있습니다"),
        ("sweep mine.yaml --out other", "other의 결과는 환경이 다릅니다(torch 없음 → "),
        ("sweep mine.yaml --out foreign", "regbench가 만들지 않은 파일만 있습니다"),
        ("sweep mine.yaml --out own.npz", "own.npz에 쓸 수 없습니다(폴더가 아님)"),
        ("sweep mine.yaml --out elsewhere", "far의 프로세스 3이 elsewhere를 쓰고 있습니다"),
        ("sweep mine.yaml --out here", "다른 프로세스가 here를 쓰고 있습니다"),
        ("merge out other --out both", "other와 out은 환경이 다릅니다: "),
        ("table foreign", "foreign에 runs.csv가 없습니다"),
        ("table nowhere", "nowhere에 runs.csv가 없습니다"),
        ("compare out", "out은 결과 폴더입니다. regbench table out으로 볼 수 있습니다"),
        ("track out --tracker tensorbord", "'tensorboard'를 뜻했나요?"),
        ("track out --tracker no", "있는 것: mlflow, tensorboard, wandb"),
    ],
)  # fmt: skip
def test_a_results_folder_that_is_none_or_of_another_sweep(
    place: Path, command: str, said: str
) -> None:
    for name in ("other", "here", "elsewhere"):
        shutil.copytree(place / "out", place / name)
    about = json.loads((place / "other/environment.json").read_text(encoding="utf-8"))
    (place / "other/environment.json").write_text(
        json.dumps({key: value for key, value in about.items() if key != "torch"}),
        encoding="utf-8",
    )
    (place / "foreign").mkdir()
    (place / "foreign/notes.txt").touch()
    (place / "elsewhere/regbench.owner.lock").write_text(
        json.dumps({"machine": "far", "process": 3, "token": "x"}), encoding="utf-8"
    )
    with Lock(place / "here"):
        assert said in korean(*command.split(), cwd=place)
