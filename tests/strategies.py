"""Configs as a user may write them, drawn from the registries: a new technique or model is covered
by itself.
"""

from typing import Any

from hypothesis import strategies as st
from pydantic import BaseModel

from regbench.config import wording
from regbench.config.optimizer import Adam, AdamW, Constant, Cosine, Sgd, StepDecay
from regbench.config.sections import MODES
from regbench.data import own_settings, sources
from regbench.models import models
from regbench.probes import probes
from regbench.regularizers import techniques


def values(shape: Any) -> st.SearchStrategy[Any]:
    """Values that a piece of JSON Schema allows."""
    match shape:
        case {"enum": options}:
            return st.sampled_from(options)
        case {"const": value}:
            return st.just(value)
        case {"type": "boolean"}:
            return st.booleans()
        case {"type": "integer"}:
            least = shape.get("minimum", shape.get("exclusiveMinimum", -1) + 1)
            return st.integers(least, shape.get("maximum", least + 500))
        case {"type": "number"}:
            least = shape.get("minimum", shape.get("exclusiveMinimum", -1e6))
            most = shape.get(
                "maximum", shape.get("exclusiveMaximum", 0.9)
            )  # a rate times a decay must stay under 1
            above, below = "exclusiveMinimum" in shape, "exclusiveMaximum" in shape
            return st.floats(least, most, exclude_min=above, exclude_max=below)
        case {"type": "array"}:
            return st.lists(
                values(shape["items"]),
                min_size=shape.get("minItems", 0),
                max_size=shape.get("maxItems", 3),
                unique=shape.get("uniqueItems", False),
            )
    raise NotImplementedError(shape)


def settings(
    kind: type[BaseModel], whole: tuple[str, ...] = ()
) -> st.SearchStrategy[dict[str, Any]]:
    """Some of a kind's settings, those in `whole` and the required ones always."""
    fields = {
        name: values(wording.shape_of(kind, name))  # type: ignore[arg-type]
        for name in kind.model_fields
        if name != "own"  # which is for modules of a person's own
    }
    needed = {name for name, info in kind.model_fields.items() if info.is_required()} | {*whole}
    return st.fixed_dictionaries(
        {name: fields[name] for name in fields if name in needed},
        optional={name: fields[name] for name in fields if name not in needed},
    )


@st.composite
def strengths(draw: st.DrawFn, key: str, places: bool = True) -> Any:
    """What may stand behind a technique's key, in a model where `place` moves something or not."""
    technique = techniques()[key]

    def of(name: str) -> st.SearchStrategy[Any]:
        if name == "place" and not places:
            return st.just(technique.Settings.model_fields[name].default)
        return values(wording.shape_of(technique.Settings, name))

    main = of(technique.main)
    form = draw(st.sampled_from(["nothing", "one", "several", "settings", "grid"]))
    if form == "several":
        return draw(st.lists(main, min_size=1, max_size=3, unique=True))
    if form == "one":
        return draw(main)
    mapping = {name: draw(of(name)) for name in draw(settings(technique.Settings))}
    if form == "grid":
        mapping = {
            name: draw(st.lists(of(name), min_size=1, max_size=2, unique=True)) for name in mapping
        }
    needed = any(info.is_required() for info in technique.Settings.model_fields.values())
    return None if form == "nothing" and not needed else mapping


@st.composite
def configs(draw: st.DrawFn) -> dict[str, Any]:
    """A config file's data, always valid. Long, since it has a line for every section."""
    listed = draw(
        st.lists(st.sampled_from(list(techniques())), min_size=1, max_size=4, unique=True)
    )
    source = draw(st.sampled_from(list(sources())))
    dataset = {"name": source, "validation_share": draw(st.floats(0.005, 0.5))}
    if sources()[source].NEEDS_PATH:
        dataset["path"] = "data/mine.npz"
    if "target" in own_settings(source) and draw(st.booleans()):
        name = st.text("ab 가:-#1", min_size=1, max_size=5)
        dataset |= {"target": draw(name), "categories": draw(st.lists(name, max_size=3))}
    if "size" in own_settings(source) and draw(st.booleans()):
        sides = st.integers(1, 1024)
        dataset["size"] = draw(sides | st.lists(sides, min_size=2, max_size=2))
        dataset["fit"] = draw(st.sampled_from(["crop", "pad", "stretch"]))
    if draw(st.booleans()):
        dataset |= {
            "train_size": draw(st.integers(100, 1000)),
            "label_noise": draw(st.sampled_from([0, 0.2, 1.0])),
        }
    kinds = (
        [Sgd, Adam, AdamW],
        [Constant, StepDecay, Cosine],
    )
    optimizer, schedule = (
        draw(st.sampled_from(of).flatmap(lambda kind: settings(kind, ("name",)))) for of in kinds
    )
    if optimizer["name"] == "adamw" and "weight_decay" in listed:
        optimizer["weight_decay"] = 0
    if optimizer.get("nesterov"):
        optimizer["momentum"] = 0.9
    train = {
        "epochs": draw(st.integers(1, 100)),
        "optimizer": optimizer,
        "schedule": schedule,
        "select": "best",
    }
    image = sources()[source].IMAGE or (3, 32, 32)
    fitting = {
        name: settings(module.Settings, ("name",)).filter(
            lambda values, module=module: (
                not module.misfit(module.Settings.model_validate(values), image)
            )
        )
        for name, module in models().items()
        if not getattr(module, "FOREIGN", False)
        if getattr(module, "HIDDEN", True)
        or not any("place" in techniques()[key].Settings.model_fields for key in listed)
    }
    model = draw(st.sampled_from(list(fitting)).flatmap(lambda name: fitting[name]))
    places = models()[model["name"]].PLACES
    config = {
        "name": draw(st.from_regex("[a-z0-9_-]{1,8}", fullmatch=True)),
        "dataset": dataset,
        "model": model,
        "train": train,
        "seeds": draw(
            st.integers(1, 4) | st.lists(st.integers(0, 2**40), min_size=1, max_size=4, unique=True)
        ),
        "techniques": {key: draw(strengths(key, places)) for key in listed},
        "combine": draw(st.sampled_from(MODES[:2] if len(listed) > 2 else MODES)),
    }
    if draw(st.booleans()):
        # The single technique at the end is there so that something is left when all other cells
        # are contradictions.
        names = st.lists(st.sampled_from(listed), unique=True)
        own = st.sampled_from(listed).flatmap(
            lambda key: strengths(key, places).map(lambda value: {key: value})
        )
        config["combine"] = [*draw(st.lists(names | own, max_size=3)), [listed[0]]]
    if len(listed) > 1 and config["combine"] != "leave_one_out":
        rules = st.lists(st.sampled_from(listed), min_size=2, unique=True) | st.just(
            {listed[0]: None, listed[1]: {}}
        )
        config["exclude"] = draw(st.lists(rules, max_size=2))
    if draw(st.booleans()):
        chosen = draw(st.lists(st.sampled_from(list(probes())), unique=True, max_size=3))
        drawn = {key: draw(settings(probes()[key].Settings)) for key in chosen}
        size = models()[model["name"]].Settings.model_validate(model)
        config["probes"] = {
            key: given
            for key, given in drawn.items()
            if not probes()[key].misfit(probes()[key].Settings.model_validate(given), size, image)
        }
    optional = sorted(config.keys() - {"dataset", "model", "techniques"})
    for key in draw(st.lists(st.sampled_from(optional), unique=True, max_size=3)):
        del config[key]
    return config
