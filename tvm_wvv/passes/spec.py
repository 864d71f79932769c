"""What a user asks of Winograd, parsed: `auto`, `off`, or an algorithm with its arithmetic (`f2`, `f2:exact`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum

from tvm_wvv.errors import WvvError
from tvm_wvv.frontends.layer_names import label
from tvm_wvv.quant.recipe import LayerRecipe
from tvm_wvv.transforms.catalog import ALGORITHMS, Variant, suggestion, variant


class Mode(Enum):
    """AUTO takes an algorithm where it saves instructions; OFF never."""

    AUTO = "auto"
    OFF = "off"


Spec = Mode | Variant


def parse_spec(text: str) -> Spec:
    """The value behind `--winograd TEXT`."""
    if text in {mode.value for mode in Mode}:
        return Mode(text)
    if text.partition(":")[0] not in ALGORITHMS:
        known = (*(mode.value for mode in Mode), *ALGORITHMS)
        raise WvvError(f"--winograd {text}: no such algorithm{suggestion(text, known)}")
    return variant(text)


def parse_layer(text: str) -> tuple[str, str]:
    """The two sides of `--layer NAME=SPEC`. A name may hold '=' itself, a spec does not: the last one divides."""
    name, equals, spec = text.rpartition("=")
    if not equals or not name or not spec:
        raise WvvError(f"--layer {text}: expected NAME=SPEC, such as conv2d_3=f2:exact or conv2d_3=off")
    return name, spec


def parse_layer_specs(layers: Sequence[tuple[str, str]], known: Sequence[str]) -> dict[str, Spec]:
    """The specs of single layers by layer name; `known` names the layers that may have one."""
    specs: dict[str, Spec] = {}
    for name, text in layers:
        if name not in known:
            labels = tuple(label(one) for one in known)
            raise WvvError(f"--layer {name}={text}: no convolution has this name{suggestion(label(name), labels)}")
        specs[name] = parse_spec(text)
    return specs


def own_recipe(spec: Spec, found: LayerRecipe | None) -> LayerRecipe | None:
    """What the recipe says of a layer that has a `--layer` of its own: that goes first, even where it rounds."""
    return found if found is not None and spec in (Mode.AUTO, found.variant) else None


def layer_recipe(name: str, spec: Spec, recipe: Mapping[str, LayerRecipe]) -> LayerRecipe | None:
    """What the recipe says of a layer, where `spec` leaves it room.

    WvvError where another algorithm that rounds is asked for: it has no quantizers, though a recipe was given for them.
    """
    found = recipe.get(name)
    if found is not None and isinstance(spec, Variant) and spec != found.variant and spec.arithmetic != "exact":
        raise WvvError(
            f"layer {name}: the recipe has quantizers for {found.variant}, {spec} was asked for; "
            f"leave out --winograd to follow the recipe, or --recipe to do without data"
        )
    return found
