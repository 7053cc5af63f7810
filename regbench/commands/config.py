"""Commands on configs: check, schema, init."""

from __future__ import annotations

import json
import shlex
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from regbench import signs
from regbench.commands.options import (
    ConfigFile,
    Overrides,
    output_encoding,
    say,
    tell,
    told,
)
from regbench.errors import UsageError
from regbench.text import counted


def check(config: ConfigFile, overrides: Overrides = None) -> None:
    """Check a config, and data of your own: list every problem, or say what it asks for."""
    from regbench.config import experiment_reader
    from regbench.data import sources
    from regbench.planning.cells import load
    from regbench.planning.experiment import plan
    from regbench.planning.plan import trials
    from regbench.planning.tuning import outlined
    from regbench.runner import calls
    from regbench.runner.images import amount, opened
    from regbench.runner.yours import settling

    if experiment_reader.asked_for(config):
        experiment = experiment_reader.load(
            config, overrides or (), partial(calls.settled, say=say)
        )
        whole = plan(experiment)
        _fine(config, counted(len(whole.cells), "cell"), counted(len(whole.runs), "call"))
        return
    settings = load(config, overrides or (), settle=settling(say))
    outline = outlined(settings)
    own = [dataset for dataset in settings.datasets if sources()[dataset.name].NEEDS_PATH]
    images = opened(settings) if own else {}
    for dataset in own:
        for note in images[dataset.shown].notes:
            say(note)
        _fine(dataset.path, amount(images[dataset.shown]))
    facts = [counted(len(outline.cells), "cell"), counted(len(outline.runs), "run")]
    if settings.tune:
        facts.append(f"after {counted(len(trials(settings).runs), 'trial')} of their settings")
    if outline.skips:
        facts.append(f"{len(outline.skips)} skipped")
    _fine(config, *facts)


def _fine(what: object, *facts: str) -> None:
    """Say of a file that it is fine, and what it asks for or holds."""
    print(f"{what}: {told('fine')}: {', '.join(map(told, facts))}")


def schema(
    what: Annotated[
        Literal["config", "table"], typer.Argument(metavar="WHAT", help="which schema to print")
    ] = "config",
) -> None:
    """Print the JSON Schema of the config, for editors, or of what `table --format json` prints."""
    if what == "config":
        from regbench.config.schema import schema as made
    else:
        from regbench.report.data_schema import schema as made
    text = json.dumps(made(), indent=2, ensure_ascii=False)
    print(text if signs.encodes(text, output_encoding()) else json.dumps(made(), indent=2))


def init(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="the file to write")] = Path(
        "config.yaml"
    ),
) -> None:
    """Write a commented config to start from."""
    from regbench.commands.options import language
    from regbench.config.starter import starter

    try:
        with file.open("x", encoding="utf-8") as opened:
            opened.write(starter(language()))
    except FileExistsError:
        raise UsageError(
            f"{file} exists already; name another file: regbench init other.yaml"
        ) from None
    except OSError as error:
        raise UsageError(f"can't write {file} ({error.strerror}); choose another folder") from None
    tell(f"wrote {file}; now: {shlex.join(['regbench', 'sweep', str(file)])}")
