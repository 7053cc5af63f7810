"""Commands on configs: check, schema, init."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from regbench import signs
from regbench.commands.options import ConfigFile, Overrides, output_encoding, say
from regbench.errors import UsageError


def check(config: ConfigFile, overrides: Overrides = None) -> None:
    """Validate a config, and data of your own: all that is wrong, or what it asks for."""
    from regbench.config import experiment_reader
    from regbench.data import sources
    from regbench.planning.cells import load
    from regbench.planning.experiment import plan
    from regbench.planning.plan import trials
    from regbench.planning.tuning import outlined
    from regbench.runner import calls
    from regbench.runner.images import counted, opened
    from regbench.runner.yours import settling

    if experiment_reader.asked_for(config):
        experiment = experiment_reader.load(
            config, overrides or (), partial(calls.settled, say=say)
        )
        whole = plan(experiment)
        print(f"{config}: fine: {len(whole.cells)} cells, {len(whole.runs)} calls")
        return
    settings = load(config, overrides or (), settle=settling(say))
    outline = outlined(settings)
    skipped = f", {len(outline.skips)} skipped" if outline.skips else ""
    first = ""
    if settings.tune:
        first = f", after {len(trials(settings).runs)} that choose their settings"
    own = [dataset for dataset in settings.datasets if sources()[dataset.name].NEEDS_PATH]
    images = opened(settings) if own else {}
    for dataset in own:
        for note in images[dataset.shown].notes:
            say(note)
        print(f"{dataset.path}: fine: {counted(images[dataset.shown])}")
    print(f"{config}: fine: {len(outline.cells)} cells, {len(outline.runs)} runs{first}{skipped}")


def schema(
    what: Annotated[Literal["config", "table"], typer.Argument(help="whose schema")] = "config",
) -> None:
    """Print the JSON Schema of the config, for editors, or of what `table --format json` prints."""
    if what == "config":
        from regbench.config.schema import schema as made
    else:
        from regbench.report.data_schema import schema as made
    text = json.dumps(made(), indent=2, ensure_ascii=False)
    print(text if signs.encodes(text, output_encoding()) else json.dumps(made(), indent=2))


def init(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="where to write it")] = Path(
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
    print(f"wrote {file}; now: regbench sweep {file}")
