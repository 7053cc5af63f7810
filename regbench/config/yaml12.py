"""YAML 1.2 (core schema) in which every value knows its place: what the config is read and written
with.

PyYAML's own loader speaks YAML 1.1: `1e-4` is text, `no` is false, `010` is 8, and of two equal
keys the last wins. Here the file is composed into nodes, which carry line and column, and the nodes
become plain data by the 1.2 rules.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from regbench.errors import Place, Problem

Loc = tuple[str | int, ...]
"""Where a value stands in the data: ("train", "optimizer", "lr")."""

BYTES = 1 << 20
DEPTH = 30
VALUES = 100_000
"""A config is written by a person: beyond these it is a mistake or an attack (aliases of aliases
double each time).
"""

CORE = "tag:yaml.org,2002:"


@dataclass
class Document:
    """Plain data, the places of their keys and values, and the problems met so far."""

    data: Any
    places: dict[Loc, tuple[Place, Place]]
    problems: list[Problem] = field(default_factory=list)

    def place(self, loc: Loc, key: bool = False) -> Place:
        """Return where the value at `loc` stands (or its key), or the nearest thing around it that
        is there.
        """
        while loc not in self.places:
            loc = loc[:-1]
        return self.places[loc][0 if key else 1]

    def below(self, loc: Loc) -> Document:
        """Return the part at `loc`, empty if it isn't there, as a document that shares this one's
        problems.
        """
        data = self.data
        for key in loc:
            data = data.get(key) if isinstance(data, dict) else None
        places = {
            old[len(loc) :]: places for old, places in self.places.items() if old[: len(loc)] == loc
        }
        return Document(
            data, {(): (self.place(loc, key=True), self.place(loc))} | places, self.problems
        )

    def put(self, loc: Loc, other: Document) -> None:
        """Set the value at `loc` to another document; the mapping that it belongs to must be
        there.
        """
        for old in [old for old in self.places if old[: len(loc)] == loc]:
            del self.places[old]
        parent = self.data
        for key in loc[:-1]:
            parent = parent[key]
        parent[loc[-1]] = other.data
        self.places |= {loc + inner: places for inner, places in other.places.items()}


def _number(text: str) -> int:
    if re.fullmatch("[-+]?0[0-9]+", text):
        raise ValueError(
            "a number doesn't begin with 0: leave the 0 out, or put text between quotes"
        )
    if len(text) > 40 or abs(value := int(text, 0)) >= 1 << 63:
        raise ValueError("the number is too big")
    return value


def _text(text: str) -> str:
    for character in text:
        if unicodedata.category(character) in ("Cc", "Cs"):
            raise ValueError(
                f"the text holds a character that can't be printed ({ascii(character)[1:-1]})"
            )
    return text


# `+ 0.0` makes -0.0 a plain zero: they are equal, and equal configs must have equal ids.
_SCALARS: dict[str, tuple[re.Pattern[str], str, Callable[[str], Any]]] = {
    CORE + "null": (re.compile(r"(?:~|null|Null|NULL|)\Z"), "~nN\0", lambda text: None),
    CORE + "bool": (
        re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z"),
        "tTfF",
        lambda text: text[0] in "tT",
    ),
    CORE + "int": (
        re.compile(r"(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)\Z"),
        "-+0123456789",
        _number,
    ),
    CORE + "float": (
        re.compile(
            r"(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z"
        ),
        "-+.0123456789",
        lambda text: float(re.sub(r"\.(?=[inIN])", "", text)) + 0.0,
    ),
    CORE + "str": (re.compile(r"(?s:.*)\Z"), "", _text),
}


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers = {}  # PyYAML's own name; it must not be shared with SafeLoader
    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self.depth += 1
        if self.depth > DEPTH and parent is not None:
            raise yaml.MarkedYAMLError(problem="nested deeper", problem_mark=parent.start_mark)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


# The writer keeps PyYAML's 1.1 rules as well, and so quotes text that either version would take for
# something else.
for _tag, (_pattern, _first, _) in _SCALARS.items():
    if _first:
        for _class in (_Loader, _Dumper):
            _class.add_implicit_resolver(_tag, _pattern, [c.strip("\0") for c in _first])


def dump(data: Any) -> str:
    """Return plain data as YAML that `parse` reads back equal, whichever version of YAML a reader
    speaks.
    """
    return yaml.dump(
        data,
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=None,
        width=120,
    )


def read(path: Path) -> Document:
    """Return the YAML file `path`; what keeps it from being read is the document's only problem."""
    try:
        with path.open("rb") as file:
            content = file.read(BYTES + 1)
    except FileNotFoundError:
        return _refused(
            Place(str(path)), "there is no such file; `regbench init` writes a config to start from"
        )
    except IsADirectoryError:
        return _refused(Place(str(path)), "this is a folder; name the YAML file in it")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        return _refused(
            Place(str(path)), f"the file can't be read ({reason}); look at its name and permissions"
        )
    if len(content) > BYTES:
        return _refused(
            Place(str(path)), f"the file is larger than {BYTES >> 20} MiB; that is no config"
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        place = _end_of(content[: error.start].decode("utf-8", "replace"), str(path))
        return _refused(
            place, "the file isn't UTF-8 text from here on; save it as UTF-8 in your editor"
        )
    return parse(text, str(path))


def parse(text: str, source: str, placed: bool = True) -> Document:
    """Return one YAML document as plain data with places, and the problems that its text has.

    `source` names where the text comes from; `placed=False` leaves lines and columns out of the
    places. Text that isn't YAML gives None and one problem.
    """

    def at(mark: yaml.Mark) -> Place:
        return Place(source, mark.line + 1, mark.column + 1) if placed else Place(source)

    try:
        root = yaml.compose(text, Loader=_Loader)
    except yaml.reader.ReaderError as error:
        place = _end_of(text[: error.position], source) if placed else Place(source)
        return _refused(
            place,
            f"a character that can't be printed ({ascii(chr(error.character))[1:-1]}); remove it",
        )
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        assert mark is not None
        return _refused(at(mark), _plain_words(error))
    start = Place(source, 1, 1) if placed else Place(source)
    document = Document(None, {(): (start, start)})
    if root is not None:
        try:
            document.data = _plain(root, (), start, document, at)
        except _TooMuchError as error:
            return _refused(*error.args)
    return document


class _TooMuchError(Exception):
    pass


def _plain(
    node: yaml.Node,
    loc: Loc,
    key_place: Place,
    document: Document,
    at: Callable[[yaml.Mark], Place],
) -> Any:
    """Return a node as plain data, and note its place and problems in the document."""
    place = at(node.start_mark)
    document.places[loc] = (key_place, place)
    if len(document.places) > VALUES or len(loc) > DEPTH:
        raise _TooMuchError(
            place,
            "the aliases (*name) repeat too much, or stand in what they name; write the values out",
        )
    if isinstance(node, yaml.SequenceNode) and node.tag == CORE + "seq":
        items = enumerate(node.value)
        return [_plain(item, (*loc, i), at(item.start_mark), document, at) for i, item in items]
    if isinstance(node, yaml.MappingNode) and node.tag == CORE + "map":
        result: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                document.problems.append(Problem(at(key_node.start_mark), "a key must be one word"))
            elif (key := key_node.value) in result:
                message = (
                    f"the key {key!r} is given twice, first in line {lines[key]}; keep one of "
                    "the two"
                )
                document.problems.append(Problem(at(key_node.start_mark), message))
            else:
                lines[key] = key_node.start_mark.line + 1
                result[key] = _plain(value_node, (*loc, key), at(key_node.start_mark), document, at)
        return result
    if isinstance(node, yaml.ScalarNode) and node.tag in _SCALARS:
        pattern, _, convert = _SCALARS[node.tag]
        try:
            if pattern.match(node.value):
                return convert(node.value)
        except ValueError as error:
            document.problems.append(Problem(place, f"{node.value[:40]!r}: {error}"))
            return None
    tag = node.tag.replace(CORE, "!!")
    document.problems.append(Problem(place, f"the tag {tag!r} doesn't fit here; leave it out"))
    return None


def _refused(place: Place, message: str) -> Document:
    return Document(None, {(): (place, place)}, [Problem(place, message)])


def _end_of(text: str, source: str) -> Place:
    return Place(source, text.count("\n") + 1, len(text) - text.rfind("\n"))


_PLAIN_WORDS = {
    "mapping values are not allowed": "a ':' where none can stand; look for a wrong indentation, "
    "a second key in one line, or text with ': ' that needs "
    "quotes",
    "could not find expected ':'": "a key without a ':' after it; write `key: value`",
    "sequence entries are not allowed": "a list's '- ' where none can stand; put the list on lines "
    "of its own",
    "mapping keys are not allowed": "a key's '? ' where none can stand; write `key: value`",
    "expected <block end>": "the indentation doesn't match the lines above; line up what belongs "
    "together",
    "expected ',' or": "a bracket isn't closed, or a comma is missing before this",
    "cannot start any token": "text can't begin with this character; put the text between quotes",
    "found unexpected end of stream": "a quote is opened and never closed",
    "unknown escape character": "between double quotes a backslash has a meaning of its own; use "
    "single quotes",
    "undefined alias": "this alias (*name) stands for nothing; define it above with &name, or "
    "write the value out",
    "second occurrence": "this anchor (&name) is defined twice",
    "but found another document": "a second document begins here; keep one, without `---` between",
    "expected the node content": "a value is missing here",
    "nested deeper": f"lists and mappings are nested deeper than {DEPTH}; that is no config",
}


def _plain_words(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or error.context or "not YAML"
    if "'\\t'" in problem:
        return "a tab can't stand here; indent with spaces"
    words = next(
        (words for start, words in _PLAIN_WORDS.items() if start in problem),
        f"this isn't YAML: {problem}",
    )
    opened, mark = error.context_mark, error.problem_mark
    if opened and mark and opened.line != mark.line:
        return f"{words} (what it belongs to begins in line {opened.line + 1})"
    return words


def from_data(data: Any, source: str) -> Document:
    """Return a Python value as a document without lines: what YAML would have read in its place."""
    document = Document(None, {(): (Place(source), Place(source))})
    try:
        document.data = _as_read(data)
    except (TypeError, ValueError, RecursionError) as error:
        document.problems.append(Problem(Place(source), str(error)))
    return document


def _as_read(value: Any) -> Any:
    match value:
        case None | bool() | int() | float():
            return value
        case str():
            return _text(value)
        case Path():
            return str(value)
        case Mapping():
            if odd := next((key for key in value if not isinstance(key, str)), None):
                raise TypeError(f"a key must be text, not {odd!r}")
            return {key: _as_read(item) for key, item in value.items()}
        case list() | tuple() | range():
            return [_as_read(item) for item in value]
    if hasattr(value, "item"):  # a NumPy number
        return _as_read(value.item())
    raise TypeError(f"a {type(value).__name__} is no setting: {value!r}")
