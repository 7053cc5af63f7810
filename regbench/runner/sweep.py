"""A sweep as it is asked for: a config, its trials, its cells, more seeds until it is decided."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from regbench import data, files
from regbench.analysis.opened import Opened
from regbench.config import experiment_reader
from regbench.config.config import Config
from regbench.config.experiment import Experiment
from regbench.errors import UsageError, refuse
from regbench.locale import default_language, printable, sentences
from regbench.planning.cells import load
from regbench.planning.plan import Plan, PlanOf, shard, trials
from regbench.results.ledger import planned
from regbench.results.read import Records, finished, read
from regbench.results.same import GROWS, is_extension
from regbench.results.schema import TRIALS
from regbench.results.write import check_free
from regbench.runner import calls
from regbench.runner.job import Function
from regbench.runner.machine import choose_device, cores
from regbench.runner.notebook import in_notebook
from regbench.runner.progress import Progress
from regbench.runner.run import How, run
from regbench.runner.yours import settling
from regbench.text import counted, either
from regbench.trackers import chosen

if TYPE_CHECKING:
    from regbench.config.reader import Overrides
    from regbench.trackers import Tracker

EXECUTORS = ("serial", "processes", "ray")
DEVICES = ("auto", "cpu", "cuda")
PATIENCE = 60.0
"""Minutes: more than an epoch of any stack should take, less than a night."""


def say(text: str) -> None:
    """Say something that is no part of the result, in the locale's language: on stderr, or in a
    notebook's cell.
    """
    stream = sys.stdout if in_notebook() else sys.stderr
    told = sentences.told(text, printable(default_language(os.environ), stream))
    print(told if in_notebook() else f"regbench: {told}", file=stream)


@dataclass(frozen=True)
class Voice:
    """How a sweep tells what it does."""

    say: Callable[[str], None] = say
    display: Callable[[], Progress] = Progress
    again: str = "the same call"
    """What goes on with it after Ctrl-C."""

    @classmethod
    def silent(cls) -> Voice:
        """Return a voice that says nothing."""
        return cls(lambda text: None, lambda: Progress(Console(quiet=True, file=io.StringIO())))


@dataclass(frozen=True)
class Sweep:
    """A sweep as it is asked for; options are those of `regbench sweep`."""

    source: Path | Mapping[str, Any]
    """The config: a YAML file, or its data."""
    overrides: Overrides = ()
    out: Path | None = None
    data_dir: Path | None = None
    executor: str = "processes"
    address: str | None = None
    workers: int | None = None
    device: str = "auto"
    patience: float | None = None
    """Minutes."""
    fail_fast: bool = False
    extend: int | None = None
    until_decided: bool = False
    shard: str | None = None
    trackers: Iterable[str] = ()
    tell: Callable[[str], None] = say
    """Hears whose code is run, where the model or the training code is the user's."""
    function: Callable[..., Any] | None = None
    """The training code of an experiment, where it is at hand."""

    @cached_property
    def given(self) -> Config | Experiment:
        """The config, with the seeds by which its directory was extended."""
        return grown(self._loaded, self.directory)

    @cached_property
    def _loaded(self) -> Config | Experiment:
        if experiment_reader.asked_for(self.source):
            settle = partial(calls.settled, say=self.tell, held=self.function)
            return experiment_reader.load(self.source, self.overrides, settle)
        return load(self.source, self.overrides, settle=settling(self.tell, self.data_dir))

    @cached_property
    def directory(self) -> Path:
        """The directory of the results. Raises RecordsError where that belongs to somebody else."""
        name = self._loaded.name
        if self.part:
            name += f"-{self.part[0]}-of-{self.part[1]}"
        directory = self.out or files.on_disk(Path("results") / name)
        check_free(directory)
        return directory

    @cached_property
    def part(self) -> tuple[int, int] | None:
        """The part that is trained, of how many; None stands for all of it."""
        return part_of(self.shard) if self.shard else None

    @cached_property
    def how(self) -> How:
        """What it is trained with. Raises UsageError where this machine hasn't got it."""
        return how_to_train(
            self.executor,
            self.workers,
            self.device,
            self.data_dir,
            self.fail_fast,
            tuple(chosen(self.trackers)),
            self.address,
            self.patience,
        )

    def check(self) -> None:
        """Raise UsageError for options that can't be obeyed together, ConfigError for the
        config.
        """
        refuse(*self._contradictions(self.given))

    def config(self, voice: Voice) -> Config | Experiment:
        """Return the config with the seeds that are to be added.

        Raises UsageError for options that can't be obeyed together.
        """
        config = self.given
        refuse(*self._contradictions(config))
        if not self.extend:
            return config
        if len(config.rounds) > 1 and pending(config, self.directory):
            # The same command goes on where it was interrupted.
            last = config.rounds[-1]
            seeds = counted(last, "seed")
            voice.say(f"the last extension, by {seeds}, is not finished; it comes first, and alone")
            return config
        return config.extended(self.extend)

    def train(self, voice: Voice) -> int:
        """Train what the directory lacks; return how many runs diverged or failed.

        Raises KeyboardInterrupt at Ctrl-C, with what is finished on the disk.
        """
        config = self.config(voice)
        while True:
            missed = train(config, self.directory, self.how, voice, self.part, self._sent)
            more = config.next_look() if self.until_decided else 0
            if missed or not more or not (left := Opened(self.directory).undecided()):
                return missed
            verdicts, seeds = counted(left, "verdict"), counted(len(config.seeds), "seed")
            voice.say(f"{verdicts} undecided after {seeds}: adding {more} more")
            config = config.extended(more)

    @cached_property
    def _sent(self) -> Function | None:
        """The function as whatever calls it gets it."""
        if self.function is None or self.executor == "serial":
            return self.function
        return calls.pickled(self.function)

    def _contradictions(self, config: Config | Experiment) -> list[tuple[bool, str]]:
        part, own = bool(self.part), isinstance(config, Experiment)
        dataset = config.function if isinstance(config, Experiment) else config.dataset.name
        file = self.source if isinstance(self.source, Path) else "the config"
        return [
            (
                self.executor not in EXECUTORS,
                f"--executor {self.executor}: there is no such executor; there are "
                f"{either(EXECUTORS)}",
            ),
            (
                self.device not in DEVICES,
                f"--device {self.device}: there is no such device; there are {either(DEVICES)}",
            ),
            (
                self.workers is not None and self.workers < 1,
                f"--workers {self.workers}: at least 1 process is needed",
            ),
            (
                self.patience is not None and not self.patience > 0,
                f"--patience {self.patience}: it has to be above 0 minutes",
            ),
            (
                self.extend is not None and self.extend < 1,
                f"--extend {self.extend}: at least 1 seed is to be added",
            ),
            (
                part and bool(self.extend or self.until_decided),
                "--shard: seeds are added once the parts are joined; `regbench merge` them first",
            ),
            (
                part and isinstance(config, Config) and bool(config.tune and trials(config).cells),
                "--shard: what a tuned config trains follows from all its trials, so it has no "
                "parts",
            ),
            (
                self.until_decided and config.sequential is None,
                f"--until-decided: {file} declares no rule for it, such as sequential: "
                "{step: 5, most: 20}; it has to stand there before the first run, since the "
                "intervals depend on it",
            ),
            (
                bool(self.address) and self.executor != "ray",
                "--address is that of a Ray cluster: it goes with --executor ray",
            ),
            (
                self.executor == "serial" and (self.workers or 1) > 1,
                f"--workers {self.workers}: the serial executor has one process; leave --executor "
                "serial out",
            ),
            (
                self.executor != "processes" and self.patience is not None,
                "--patience: only the executor `processes` can give up a stack that hangs, not "
                f"{self.executor}",
            ),
            (
                self.data_dir is not None and (own or not data.in_folder(dataset)),
                f"--data-dir: {dataset} isn't read from a folder of datasets; leave the option out",
            ),
        ]


def how_to_train(
    executor: str,
    workers: int | None,
    device: str,
    data_dir: Path | None = None,
    fail_fast: bool = False,
    trackers: tuple[type[Tracker], ...] = (),
    address: str | None = None,
    patience: float | None = None,
) -> How:
    """Return with what to train: as asked, by default all cores and a GPU where there is one.

    patience: minutes. Raises UsageError where this machine hasn't got what is asked for.
    """
    if executor == "ray":
        count, chip = workers or 0, "cuda" if device == "cuda" else "cpu"
    else:
        count, chip = workers or cores(), choose_device(device)
        if chip == "cuda" and (workers or 1) > 1:
            raise UsageError(f"--workers {workers}: a GPU is used by one process")
        if chip == "cuda" or executor == "serial":
            count = 1
    seconds = 60 * (PATIENCE if patience is None else patience)
    return How(executor, count, chip, data_dir, fail_fast, trackers, address, seconds)


def part_of(text: str) -> tuple[int, int]:
    """Return what --shard names: 2 and 5 for "2/5".

    Raises UsageError where it is none of N parts.
    """
    part, _, parts = text.partition("/")
    if part.isdecimal() and parts.isdecimal() and 1 <= int(part) <= int(parts):
        return int(part), int(parts)
    raise UsageError(f"--shard {text}: it names one of N parts, from 1/N to N/N, such as 2/5")


def train(
    config: Config | Experiment,
    directory: Path,
    how: How,
    voice: Voice,
    part: tuple[int, int] | None = None,
    function: Function | None = None,
) -> int:
    """Train what `directory` lacks of a config, its trials first; return how many runs diverged or
    failed.

    `part`: of the plan, such as (2, 5), the second of five; by default the whole. `function`: that
    of an experiment, where it stands in no file. Raises
    KeyboardInterrupt at Ctrl-C, with what is finished on the disk.
    """
    check_free(directory)

    def trained(plan: PlanOf[Any], into: Path, how: How) -> int:
        with voice.display() as progress:
            try:
                return run(config, plan, into, how, progress, function)
            except KeyboardInterrupt:
                progress.note(
                    f"stopped; what is finished is kept in {directory}. Go on with: {voice.again}",
                    wrong=True,
                )
                raise

    if isinstance(config, Config) and config.tune and (first := untried(config, directory)).runs:
        voice.say("trials first; what validation chooses is then trained on fresh seeds")
        trained(first, directory / TRIALS, replace(how, trackers=()))
    plan = planned(config, directory)
    return trained(shard(plan, *part) if part else plan, directory, how)


def untried(config: Config, directory: Path) -> Plan:
    """Return the plan of the trials that are still to be run in `directory`.

    Once a cell has trained with what trials chose, they have had their say: of a seed that has a
    finished run, a trial that failed is not tried again.
    """
    assert config.tune
    whole, known = trials(config), finished(directory)
    if not known:
        return whole
    recorded = set(read(directory / TRIALS).runs["run"]) if whole.runs else set()
    stacks = tuple(s for s in whole.stacks if any(run.id not in recorded for run in s.runs))
    left = {run.id for stack in stacks for run in stack.runs}
    runs = tuple(run for run in whole.runs if run.id in left)
    return replace(whole, runs=runs, stacks=stacks)


def pending(config: Config | Experiment, directory: Path) -> bool:
    """Whether a run of the config is not finished in `directory`."""
    if isinstance(config, Config) and config.tune and not finished(directory):
        return True
    if isinstance(config, Config) and config.tune and untried(config, directory).runs:
        return True
    return not {run.id for run in planned(config, directory).runs} <= finished(directory)


def grown(config: Config | Experiment, directory: Path) -> Config | Experiment:
    """Return the config with the seeds that `directory` was extended by, so that the same command
    goes on there.

    A directory without a finished run binds nobody.
    """
    if not finished(directory):
        return config
    known, asked = Records(directory).config, config.resolved()
    if not is_extension(asked, known):
        return config
    return config.model_copy(update={key: known[key] for key in GROWS if key in known})
