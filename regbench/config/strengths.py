"""Reading what stands under techniques, combine and exclude: every strength that is asked for."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from regbench.config import wording
from regbench.config.basics import BasicsReader
from regbench.config.reader import dotted
from regbench.config.sections import MODES, STRENGTHS, Tune
from regbench.config.wording import shown
from regbench.config.yaml12 import Loc
from regbench.nn.randomness import stream
from regbench.regularizers import Range, techniques
from regbench.settings import Settings
from regbench.text import closest


class StrengthsReader(BasicsReader):
    """Reads techniques with their strengths; `tuned` says how many trials share them out."""

    tuned: Tune | None = None

    def techniques(self, value: Any) -> dict[str, list[Settings]]:
        """Return key to listed strengths; a technique with a problem has an empty list."""
        if not self.is_section(value, ("techniques",)):
            return {}
        for key in value:
            if key not in techniques():
                self.unknown("technique", key, techniques(), ("techniques", key), key=True)
        return {
            key: self.strengths(key, value[key], ("techniques", key))
            for key in techniques()
            if key in value
        }

    def strengths(self, key: str, value: Any, at: Loc) -> list[Settings]:
        """Return every strength that `value` asks for: one value, a list, settings, or settings
        with lists.
        """
        strengths: dict[str, Settings] = {}
        before = len(self.document.problems)
        for values, places in (
            self.tried(key, value, at) if self.tuned else self.options(key, value, at)
        ):
            settings = self.check(techniques()[key].Settings, values, at, places)
            if settings is None:
                continue
            if strengths.setdefault(settings.model_dump_json(), settings) is not settings:
                where = max(places.values(), key=self.document.place, default=at)
                self.problem(where, f"{dotted(at)} has the same strength twice; leave one out")
        if self.tuned and len(strengths) not in (0, 1, self.tuned.trials):
            what = f"{dotted(at)} lists {len(strengths)} strengths for {self.tuned.trials} trials"
            listed = str(self.tuned.trials)
            if techniques()[key].ranges:
                listed = f"{listed} (or none, to draw them)"
            self.problem(at, what, f"one for all, or {listed}: every cell gets as many trials")
        return list(strengths.values()) if len(self.document.problems) == before else []

    def tried(self, key: str, value: Any, at: Loc) -> list[tuple[dict[str, Any], dict[str, Loc]]]:
        """Return the choices of settings that a tuned technique asks for: ranges drawn, lists side
        by side.
        """
        assert self.tuned
        trials = self.tuned.trials
        technique = techniques()[key]
        if value is None:
            value = {}
        if not isinstance(value, dict):
            return self.options(key, value, at)
        axes: dict[str, list[Any]] = {
            name: draw(span, f"{key}.{name}", trials)
            for name, span in technique.ranges.items()
            if name not in value
        }
        places: dict[str, Loc] = dict.fromkeys(axes, at)
        for name, given in value.items():
            places[name] = (*at, name)
            if isinstance(given, dict):
                axes[name] = self.drawn(given, places[name], f"{key}.{name}", trials)
            elif isinstance(given, list):
                axes[name] = given
                if len(given) != trials:
                    what = f"{dotted(places[name])} lists {len(given)} values for {trials} trials"
                    self.problem(
                        places[name],
                        what,
                        f"one value, {trials}, or a range {{low: 0.1, high: 0.5}}",
                    )
            else:
                axes[name] = [given]
        length = max(map(len, axes.values()), default=1)
        if any(len(values) not in (1, length) for values in axes.values()):
            return []  # which is noted already
        choices = []
        for trial in range(length):
            settings = {}
            for name, values in axes.items():
                settings[name] = values[trial] if len(values) > 1 else values[0]
            choices.append((settings, places))
        return choices

    def options(self, key: str, value: Any, at: Loc) -> list[tuple[dict[str, Any], dict[str, Loc]]]:
        """Return each choice of settings that `value` spells out, with the place of every
        setting.
        """
        main = techniques()[key].main
        choices: list[tuple[dict[str, Any], dict[str, Loc]]] = []
        if value is None:
            choices = [({}, {})]
        elif value == []:
            self.problem(at, f"{dotted(at)} is an empty list", "one value or more")
        elif isinstance(value, list):
            for i, item in enumerate(value):
                if isinstance(item, list):
                    self.problem(
                        (*at, i),
                        f"{dotted(at)} has a list in its list",
                        "values, or settings {key: value}",
                    )
                elif item is None:
                    self.problem((*at, i), f"a value in {dotted(at)} can't be empty")
                else:
                    choices += self.options(key, item, (*at, i))
                if len(choices) > STRENGTHS:
                    break
        elif isinstance(value, dict):
            axes = []
            for name, given in value.items():
                place = (*at, name)
                if given == []:
                    self.problem(place, f"{dotted(place)} is an empty list", "one value or more")
                listed = isinstance(given, list)
                axes.append(
                    [(name, v, (*place, i)) for i, v in enumerate(given)]
                    if listed
                    else [(name, given, place)]
                )
            for choice in itertools.islice(itertools.product(*axes), STRENGTHS + 1):
                choices.append(
                    ({name: v for name, v, _ in choice}, {name: where for name, _, where in choice})
                )
        elif how := self.switched(key, value):
            self.problem(at, f"{dotted(at)} can't be {shown(value)}: {how}")
        else:
            choices = [({main: value}, {main: at})]
        if len(choices) > STRENGTHS:
            self.problem(
                at, f"{dotted(at)} asks for more than {STRENGTHS:,} strengths", "fewer values"
            )
            return []
        return choices

    def switched(self, key: str, value: Any) -> str:
        """Return how a technique is asked for, where `value` switches it on or off, as a number
        does without strength.

        Nothing where the value may be a strength.
        """
        kind, main = techniques()[key].Settings, techniques()[key].main
        number = wording.shape_of(kind, main).get("type") == "number"
        switch = str(value).lower() if isinstance(value, bool | str) else ""
        if switch not in wording.SWITCHES and (number or not isinstance(value, int | float)):
            return ""
        if wording.SWITCHES.get(switch) == "false":
            return "to leave it out, take the line away"
        field = kind.model_fields[main]
        if not number:
            return f"it has no strength; write `{key}:` with nothing behind it"
        if field.is_required():
            return (
                f"say how strong it is: {main} is {wording.allowed(wording.shape_of(kind, main))}"
            )
        return (
            f"say how strong it is, as in `{key}: {field.default:g}`, or write `{key}:` for "
            "just that"
        )

    def drawn(self, value: Mapping[str, Any], at: Loc, purpose: str, trials: int) -> list[float]:
        """Return what a range {low, high} draws, on a logarithmic scale where it spans more than a
        factor of ten.
        """
        low, high = value.get("low"), value.get("high")
        numbers = all(type(x) in (int, float) for x in (low, high)) and value.keys() == {
            "low",
            "high",
        }
        if not numbers or not low < high:  # type: ignore[operator]  # both are numbers
            self.problem(
                at,
                f"a range can't be {wording.brief(value)}",
                "{low: 1e-5, high: 1e-1}, low below high",
            )
            return []
        return draw(Range(low, high, linear=low <= 0 or high < 10 * low), purpose, trials)  # type: ignore[arg-type, operator]

    def combine(self, value: Any, listed: Mapping[str, list[Settings]]) -> Any:
        """Return the mode, or the cells as key to strengths."""
        if isinstance(value, str) and value in MODES:
            return value
        if not isinstance(value, list) or not value:
            cells = f"{', '.join(MODES)}, or a list of cells such as [[dropout], [dropout, l2]]"
            mode = closest(value, MODES) if isinstance(value, str) else ""
            self.problem(("combine",), f"combine can't be {shown(value)}", cells, mode)
            return MODES[0]
        asked = [
            {
                key: listed[key]
                if isinstance(item, list)
                else self.strengths(key, given, ("combine", i, key))
                for key, given in self.members(item, listed, ("combine", i), "a cell").items()
            }
            for i, item in enumerate(value)
        ]
        for i, cell in enumerate(asked):
            if self.tuned and cell.keys() in [other.keys() for other in asked[:i]]:
                what = (
                    f"{' + '.join(cell) or 'baseline'} stands twice, "
                    "but tuning makes one cell of a set of techniques"
                )
                self.problem(("combine", i), what, "one list with the strengths of both")
        return asked

    def exclude(self, value: Any, listed: Mapping[str, list[Settings]], combine: Any) -> Any:
        """Return the rules as key to patterns, each a part of the technique's settings."""
        if not isinstance(value, list):
            self.problem(
                ("exclude",),
                f"exclude can't be {shown(value)}",
                "a list of rules such as [[l1, l2]]",
            )
            return []
        cells = combine if isinstance(combine, list) else []
        rules = []
        for i, item in enumerate(value):
            at: Loc = ("exclude", i)
            if item in ([], {}):
                self.problem(
                    at,
                    "this rule is empty, and would leave every cell out",
                    "one technique or more",
                )
            rule = {}
            for key, given in self.members(item, listed, at, "a rule").items():
                strengths = [
                    *listed[key],
                    *itertools.chain.from_iterable(cell.get(key, []) for cell in cells),
                ]
                rule[key] = self.patterns(key, given, (*at, key), strengths)
            rules.append(rule)
        return rules

    def patterns(
        self, key: str, value: Any, at: Loc, strengths: list[Settings]
    ) -> list[dict[str, Any]]:
        """Return what an exclude rule says of one technique, checked to match one of its
        strengths.
        """
        patterns = []
        for values, places in self.options(key, value, at):
            # The settings that the rule leaves open are filled in, so that pydantic can check those
            # that it names.
            full = (strengths[0].model_dump() if strengths else {}) | values
            settings = (
                self.check(techniques()[key].Settings, full, at, places) if strengths else None
            )
            if settings is None:
                continue
            pattern = {name: getattr(settings, name) for name in values}
            if not any(matches(pattern, strength) for strength in strengths):
                here = "; ".join(
                    dict.fromkeys(
                        wording.brief({n: getattr(s, n) for n in pattern}) for s in strengths
                    )
                )
                where = max(places.values(), key=self.document.place, default=at)
                self.problem(
                    where,
                    f"this rule leaves nothing out: no cell has {key} with "
                    f"{wording.brief(pattern)}",
                    here,
                )
            patterns.append(pattern)
        return patterns

    def switched_layers(self, model: Any, listed: Mapping[str, Any], combine: Any) -> Any:
        """Return the model with the kinds of its own layers that cells switch: all that any asks
        for.
        """
        cells = combine if isinstance(combine, list) else []
        asked = {
            key: None
            for cell in [listed, *cells]
            for key, strengths in cell.items()
            if any(getattr(settings, "own", None) for settings in strengths)
        }
        if model is None:
            return None
        if "own" not in type(model).model_fields:
            for key in asked:
                what = f"techniques.{key}.own: {model.name} has no layers apart from techniques"
                self.problem(("techniques", key), what, "own in the model module", key=True)
            return model
        kinds = sorted(kind for key in asked for kind in techniques()[key].kinds)
        if model.own not in (None, kinds):
            what = f"model.own is filled in, and would be [{', '.join(kinds)}]; leave it out"
            self.problem(("model", "own"), what)
        return model.model_copy(update={"own": kinds or None})

    def members(self, item: Any, listed: Mapping[str, Any], at: Loc, what: str) -> dict[str, Any]:
        """Return the techniques of a cell or rule, in the order of tables, with what it says of
        each (a list: None).
        """
        if not isinstance(item, list | dict):
            cell = f"[{item}]" if isinstance(item, str) and item in listed else ""
            self.problem(
                at,
                f"{what} can't be {shown(item)}",
                "[dropout], or with strengths {dropout: 0.5}",
                cell,
            )
            return {}
        members: dict[str, Any] = {}
        for position, key in enumerate(item):
            where = (*at, key if isinstance(item, dict) else position)
            if not isinstance(key, str) or key not in techniques():
                self.unknown("technique", key, listed or techniques(), where, key=True)
            elif key not in listed:
                self.problem(
                    where, f"{key} isn't listed under techniques", ", ".join(listed), key=True
                )
            elif key in members:
                self.problem(where, f"{key} stands twice in {what}; leave one out", key=True)
            else:
                members[key] = item[key] if isinstance(item, dict) else None
        return {key: members[key] for key in techniques() if key in members}


def draw(span: Range, purpose: str, trials: int) -> list[float]:
    """Return a rising value a trial: one drawn from each of as many equal parts of the range, in
    few digits.
    """
    shares = (stream(0, f"tune/{purpose}").random(trials) + range(trials)) / trials
    digits = 2 + len(str(trials))
    return [float(f"{span.at(share):.{digits}g}") for share in shares.tolist()]


def matches(pattern: Mapping[str, Any], settings: Settings) -> bool:
    """Whether settings have every value that a pattern names."""
    return all(getattr(settings, name) == value for name, value in pattern.items())
