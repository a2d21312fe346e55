"""Functions of an activation that also take its name: `theory.chi_1("elu(alpha=0.5)", …)`."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from harness.base.errors import DomainError
from harness.base.messages import remedy, shown
from harness.networks.activations import ACTIVATIONS, Activation
from harness.networks.spec import activation_labelled

Rest = ParamSpec("Rest")
Answer = TypeVar("Answer")


def by_name(
    function: Callable[Concatenate[Activation, Rest], Answer],
) -> Callable[Concatenate[Activation | str, Rest], Answer]:
    """The function, of an activation or of the name that tables give it."""

    @wraps(function)
    def called(activation: Activation | str, *args: Rest.args, **kwargs: Rest.kwargs) -> Answer:
        return function(_activation(activation), *args, **kwargs)

    return called


def _activation(given: Activation | str) -> Activation:
    """Raises DomainError for a text that names no activation."""
    if not isinstance(given, str):
        return given
    name = given.partition("(")[0]
    if name not in ACTIVATIONS:
        raise DomainError(f"there is no activation {shown(given)}; {remedy(name, ACTIVATIONS)}")
    try:
        return activation_labelled(given)
    except (TypeError, ValueError) as error:
        raise DomainError(f"{shown(given)}: {error}; write it as tables do, such as elu(alpha=0.5)") from None
