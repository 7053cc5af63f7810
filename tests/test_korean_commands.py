"""Every command in Korean as a person meets it: no word of English beside what they typed, keys,
names and code.
"""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from regbench.commands.doctor import PACKAGES
from regbench.locale import languages
from regbench.trackers import trackers
from tests.command import here
from tests.runner.sweeps import TINY
from tests.test_korean import COMMANDS, HANGUL, english

ROOT = Path(__file__).parents[1]
QUICKSTART, CLAIMS = ROOT / "results/reference/quickstart", ROOT / "configs/claims"
TRAINED = TINY.replace(", batch_norm: {}, layer_norm: {}", "")


THINGS = {
    *" ".join(COMMANDS).split(),
    *PACKAGES,
    *trackers(),
    *languages(),
    *(word for file in CLAIMS.glob("*.yaml") for word in file.stem.split("-")),
    *("python", "adam", "models", "datasets", "seed", "hash", "fingerprint", "platform", "null"),
}
"""Names of what there is."""


def met(*command: object, cwd: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    """A command in the Korean locale, seen to say nothing in English."""
    done = here(*command, cwd=cwd, LC_ALL="ko_KR.UTF-8", COLUMNS="600")
    code_or_title = r"(?m)^ • \w+ = .*$|(지지됨|반박됨) [^,\n]+|\b\d{4}, [A-Z].*$"
    text = re.sub(code_or_title, "", done.stdout + done.stderr)
    assert done.returncode == code, text
    assert HANGUL.search(text) or not text, text
    typed = {word for part in command for word in re.findall("[a-z]{2,}", str(part))}
    assert {*english(text)} <= typed | THINGS, text
    return done


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with configs, scores, a document, and results: of a sweep in full, and in part."""
    folder = tmp_path_factory.mktemp("korean")
    (folder / "a.yaml").write_text(TRAINED)
    (folder / "tuned.yaml").write_text(TUNED)
    (folder / "call.yaml").write_text(CALLED)
    (folder / "train.py").write_text(CODE)
    (folder / "doc.md").write_text("<!-- table quickstart ko cells -->\n<!-- /table -->\n")
    made = [("baseline", 0.0), ("dropout", 0.1), ("l2", 0.01)]
    rows = [f"{m},{s},{0.8 + 0.01 * (s % 3) + up * (1 + s / 50)}" for m, up in made for s in SEEDS]
    (folder / "scores.csv").write_text("\n".join(["method,seed,accuracy", *rows]))
    (folder / "empty").mkdir()
    shutil.copytree(QUICKSTART, folder / "one")
    part = shutil.copytree(QUICKSTART, folder / "part")
    lines = (part / "runs.csv").read_text().splitlines(keepends=True)
    (part / "runs.csv").write_text("".join(lines[:-5]))
    return folder


SEEDS = range(6)
TUNED = """
dataset: {name: mnist5k, train_size: 200}
model: {name: mlp, widths: [8]}
tune: {trials: 2, seeds: 1}
techniques: {dropout: }
train: {epochs: 1}
seeds: 2
"""
CALLED = """
function: train.py:train
factors: {dropout: [0, 0.5]}
seeds: 2
"""
CODE = """
def train(dropout, seed):
    return {"test_accuracy": 0.8 + dropout / 10 + seed / 100, "hash": str(seed * (1 + dropout))}
"""


def test_a_sweep_shows_its_progress_and_its_result_and_goes_on(folder: Path) -> None:
    arguments = ("sweep", "a.yaml", "--executor", "serial", "--out", "out")
    done = met(*arguments, cwd=folder)
    begun, *between, trained, last = done.stderr.splitlines()
    assert begun == "학습할 실행 8개, 묶음 2개"
    assert between[0].startswith("끝남: ")
    assert all("실행 8개 중 " in line for line in between)
    assert re.fullmatch(r"실행 8개, \d+초 걸림", trained)
    assert re.fullmatch(
        r"regbench: 끝났습니다: 실행 8개, \d+초 걸림\. 저장한 곳: out\. "
        r"다음: regbench report out --open",
        last,
    )
    again = met(*arguments, cwd=folder)
    assert again.stdout == done.stdout
    assert again.stderr.splitlines()[0] == "실행 8개 중 8개는 이미 끝남"
    quiet = met(*arguments, "--quiet", cwd=folder)
    assert (quiet.stdout, quiet.stderr) == (done.stdout, "")


@pytest.mark.parametrize(
    ("command", "code", "rooms"),
    [
        ("", 0, ""),
        ("demo --help", 0, ""),
        ("init new.yaml", 0, ""),
        ("check a.yaml", 0, ""),
        ("check tuned.yaml", 0, ""),
        ("check call.yaml", 0, ""),
        ("sweep a.yaml --dry-run", 0, ""),
        ("sweep a.yaml --dry-run --shard 1/2", 0, ""),
        ("sweep tuned.yaml --dry-run", 0, ""),
        ("sweep call.yaml --dry-run --shard 1/2", 0, ""),
        ("sweep call.yaml --out called --executor serial", 0, ""),
        ("audit called", 3, ""),
        ("audit one", 0, ""),
        ("audit part", 0, ""),
        ("table one", 0, ""),
        ("table one --full --notes", 0, ""),
        ("table one --check doc.md", 3, "report"),
        ("table one --write doc.md", 0, ""),
        ("versus one dropout(p=0.5)", 0, ""),
        ("diff one one", 0, ""),
        ("diff one part", 3, "analysis results"),
        (f"diff {QUICKSTART} {QUICKSTART.parent / 'mnist'}", 3, ""),
        ("compare scores.csv --by method --metric accuracy --full --notes", 0, "scores"),
        ("merge one --out whole", 0, ""),
        ("merge part --out rest", 4, ""),
        ("list techniques", 0, "regularizers"),
        ("list models", 0, "models"),
        ("list datasets", 0, "data"),
        ("list probes", 0, "probes"),
        ("doctor", 0, ""),
        ("claims", 0, "claims"),
        ("claims show dropout-averages-subnetworks", 0, "claims"),
        ("track one", 2, ""),
        ("track one --tracker none", 2, "trackers"),
        # Errors.
        ("table empty", 1, "results"),
        ("table nowhere", 1, "results"),
        ("sweep nowhere.yaml", 2, "config"),
        ("sweep a.yaml --set techniques.dropuot=0.5", 2, "config"),
        ("sweep a.yaml --shard 3/2", 2, ""),
        ("sweep a.yaml --until-decided", 2, ""),
        ("sweep a.yaml --executor serial --workers 2", 2, ""),
        ("sweep a.yaml --json --dry-run", 2, ""),
        ("sweep a.yaml --json --shard 1/2", 2, ""),
        ("sweep a.yaml --patience 5 --executor serial", 2, ""),
        ("sweep a.yaml --data-dir empty", 2, ""),
        ("sweep call.yaml --set function=train.py:trian", 2, "config"),
        ("sweep call.yaml --set factors.width=[1]", 2, ""),
        ("init a.yaml", 2, ""),
        ("list models --data-dir empty", 2, ""),
        ("table one --svg a.svg --format csv", 2, ""),
        ("table one --write doc.md --full", 2, ""),
        ("table one --write scores.csv", 2, ""),
        ("compare scores.csv --write doc.md --report b.html", 2, ""),
        ("claims --claims empty", 2, ""),
        ("claims run --quick --out x", 2, ""),
        ("claims --format markdown show l1-zeros", 2, ""),
        ("report empty/" + "x" * 300, 1, "results"),
        ("table one --lang fr", 2, ""),
    ],
)  # fmt: skip
def test_a_command_says_no_word_of_english(
    command: str, code: int, rooms: str, folder: Path
) -> None:
    met(*command.split(), cwd=folder, code=code)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("table", "'DIR' 인자가 없습니다 (도움말: regbench table --help)"),
        ("tabel", "'tabel'이라는 명령이 없습니다. 'table'을 뜻했나요? (도움말: regbench --help)"),
        ("claims foo", "'foo'라는 명령이 없습니다 (도움말: regbench claims --help)"),
        ("merge a", "'--out' 옵션이 없습니다 (도움말: regbench merge --help)"),
        ("list", "'WHAT' 인자가 없습니다. 다음 중 하나를 고르세요: techniques, models, datasets, "
         "probes (도움말: regbench list --help)"),
        ("schema x", "'WHAT'의 값이 잘못되었습니다. 'x' 대신 다음 중 하나를 고르세요: 'config', "
         "'table' (도움말: regbench schema --help)"),
        ("sweep a --epochs 3", "--epochs라는 옵션이 없습니다 (도움말: regbench sweep --help)"),
        ("sweep a --ext", "--ext라는 옵션이 없습니다. 비슷한 옵션: --executor, --extend, --set "
         "(도움말: regbench sweep --help)"),
        ("sweep a --workers 0", "'--workers'의 값이 잘못되었습니다. 1 이상이어야 합니다 "
         "(도움말: regbench sweep --help)"),
        ("sweep a --workers x", "'--workers'의 값이 잘못되었습니다. 정수여야 합니다 "
         "(도움말: regbench sweep --help)"),
        ("sweep a --workers 1.5", "'--workers'의 값이 잘못되었습니다. 정수여야 합니다 "
         "(도움말: regbench sweep --help)"),
        ("sweep a --patience x", "'--patience'의 값이 잘못되었습니다. 숫자여야 합니다 "
         "(도움말: regbench sweep --help)"),
        ("table a --width 500", "'--width'의 값이 잘못되었습니다. 400 이하여야 합니다 "
         "(도움말: regbench table --help)"),
        ("table a b", "필요 없는 인자가 있습니다: b (도움말: regbench table --help)"),
        ("table a --full=3", "'--full' 옵션은 값을 받지 않습니다"),
        ("table a --format", "'--format' 옵션에는 값이 필요합니다"),
        ("compare a --versus x", "'--versus' 옵션에는 값이 2개 필요합니다"),
        ("table a --lang fr", "--lang fr: 다음 중 하나를 고르세요: en, ko"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_command_is_said_in_korean(
    command: str, said: str, tmp_path: Path
) -> None:
    done = met(*command.split(), cwd=tmp_path, code=2)
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1] == f"regbench: {said}"
    assert done.stderr.count("사용법: ") == ("도움말" in said)


@pytest.mark.parametrize(
    ("command", "code", "why"),
    [
        ("table one --check old.md", 3, "old.md: "),
        ("audit called", 3, "짝이 맞지 않는 시드: 0, 1"),
        ("merge part --out rest", 4, "빠지거나 실패한 실행 5개. 이어서 학습: regbench sweep "),
    ],
)
def test_a_quiet_command_still_says_why_it_exits_with_a_code(
    command: str, code: int, why: str, folder: Path
) -> None:
    (folder / "old.md").write_text("<!-- table quickstart ko cells -->\nold\n<!-- /table -->\n")
    if not (folder / "called").exists():
        met("sweep", "call.yaml", "--executor", "serial", "--out", "called", cwd=folder)
    shutil.rmtree(folder / "rest", ignore_errors=True)
    done = met(*command.split(), "--quiet", cwd=folder, code=code)
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith(f"regbench: {why}")
