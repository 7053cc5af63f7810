"""Commands and their help in the language of the reader, and the options that hold for all of them.

`--lang` and `--quiet` may stand anywhere on the line, as errors of its other parts and its help are
to be in that language too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typer import rich_utils
from typer.core import TyperCommand, TyperGroup, TyperOption

from regbench.commands import options
from regbench.errors import UsageError
from regbench.locale import languages

if TYPE_CHECKING:
    Shown = TyperCommand
else:
    Shown = object

PANELS = {
    name: getattr(rich_utils, name)
    for name in (
        "DEFAULT_STRING",
        "REQUIRED_LONG_STRING",
        "ARGUMENTS_PANEL_TITLE",
        "OPTIONS_PANEL_TITLE",
        "COMMANDS_PANEL_TITLE",
        "ERRORS_PANEL_TITLE",
        "RICH_HELP",
    )
}
"""Words of Typer's help, in English."""


def taken(arguments: list[str]) -> tuple[list[str], str | None, bool]:
    """Return the arguments less `--lang` and `--quiet`, the language asked for, and whether to be
    quiet.

    Raises UsageError where there is no such language.
    """
    end = arguments.index("--") if "--" in arguments else len(arguments)
    rest, lang, quiet = [], None, False
    before = iter(arguments[:end])
    for argument in before:
        if argument in ("-q", "--quiet"):
            quiet = True
        elif argument == "--lang" or argument.startswith("--lang="):
            lang = argument.partition("=")[2] or next(before, "")
            if lang not in languages():
                raise UsageError(f"--lang {lang}: choose one of {', '.join(languages())}")
        else:
            rest.append(argument)
    return rest + arguments[end:], lang, quiet


class Spoken(Shown):
    """What shows its help in the language of the reader."""

    def get_usage(self, ctx: Any) -> str:
        """Return the line of usage."""
        return options.told(super().get_usage(ctx))

    def get_help_option(self, ctx: Any) -> Any:
        """Return the option that shows help."""
        return _told(super().get_help_option(ctx))

    def get_params(self, ctx: Any) -> Any:
        """Return the parameters; of a flag no type is shown, for it takes no value.

        Where a shell completes the line, what holds for every command is among them.
        """
        found = [_told(param) for param in super().get_params(ctx)]
        if ctx.resilient_parsing and ctx.parent:
            root = ctx.find_root()
            found += [p for p in root.command.get_params(root) if p.name in ("lang", "quiet")]
        return found


class Command(Spoken, TyperCommand):
    """A command that speaks the language of the reader."""


class Group(Spoken, TyperGroup):
    """A group of commands that speak the language of the reader."""

    command_class = Command

    def make_context(
        self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any
    ) -> Any:
        """Return the context of this group; what the whole line is to obey is taken from it."""
        if parent is None and not extra.get("resilient_parsing"):
            args, lang, quiet = taken(args)
            options.LANGUAGE.set(lang)
            options.QUIET.set(quiet)
            for name, text in PANELS.items():
                setattr(rich_utils, name, options.told(text))
            if options.language() != options.printable():
                options.say(
                    f"{options.output_encoding()} has no Hangul, so this is in English; "
                    "PYTHONIOENCODING=utf-8 would have it"
                )
        for command in (self, *self.commands.values()):
            command.help = command.help and options.told(command.help)
        return super().make_context(info_name, args, parent, **extra)


def _told(param: Any) -> Any:
    """Return a parameter with its help in the language of the reader."""
    if param.help:
        param.help = options.told(param.help)
    if isinstance(param, TyperOption) and param.is_flag:
        param.metavar = ""
    return param
