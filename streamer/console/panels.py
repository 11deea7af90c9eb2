"""Commands in groups, and the options of a command in groups: each a dataclass, and a panel of `--help`."""

import inspect
from collections.abc import Callable, Iterable, Iterator
from copy import copy
from dataclasses import fields, is_dataclass
from functools import wraps
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from typer import Context, Exit, Typer, echo
from typer.models import OptionInfo

STYLE: dict[str, Any] = {
    "add_completion": False,
    "rich_markup_mode": "markdown",
    "pretty_exceptions_enable": False,
    "context_settings": {"help_option_names": ["-h", "--help"]},
}
"""How every `typer.Typer` of ours is made."""


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command take its options in dataclasses, while the command line still lists them one by one.

    A field is written as typer wants a parameter: ``Annotated[type, typer.Option(...)] = default``.
    Where the class has a `PANEL`, the help shows its options in a panel of that name; those that `RARE`
    names are shown by ``--help-all`` alone.
    """
    signature = inspect.signature(command, eval_str=True)
    groups = {each.name: each.annotation for each in signature.parameters.values() if _is_group(each)}
    parameters = [
        parameter
        for each in signature.parameters.values()
        for parameter in (_options(each.annotation) if _is_group(each) else [_compact(each)])
    ]

    @wraps(command)
    def run(**given: Any) -> None:
        filled = {
            name: group(**{field.name: given.pop(field.name) for field in fields(group)})
            for name, group in groups.items()
        }
        command(**given, **filled)

    # What typer reads.
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    return run


def _is_group(parameter: inspect.Parameter) -> bool:
    return is_dataclass(parameter.annotation)


def _compact(parameter: inspect.Parameter, **how: Any) -> inspect.Parameter:
    """A parameter whose default stands in its help, where typer would take a line of its own for it."""
    annotation = parameter.annotation
    if get_origin(annotation) is Annotated and isinstance(get_args(annotation)[1], OptionInfo):
        kind, option = get_args(annotation)
        option = copy(option)
        # Every option has a variable of its name: to say so of each would fill the screen.
        vars(option).update(how, show_envvar=False, allow_from_autoenv=not option.is_eager)
        if kind is bool:
            option.metavar = ""
        elif parameter.default is not None and option.show_default:
            shown = f"{parameter.default:g}" if kind is float else str(parameter.default)
            option.help, option.show_default = f"{option.help} [default: {shown}]", False
        annotation = Annotated[kind, option]
    return parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=annotation)


def _options(group: type[Any]) -> Iterator[inspect.Parameter]:
    """The fields of a group as parameters of a command."""
    hints = get_type_hints(group, include_extras=True)
    panel, rare = getattr(group, "PANEL", None), getattr(group, "RARE", ())
    for field in fields(group):
        parameter = inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=field.default,
            annotation=hints[field.name],
        )
        yield _compact(parameter, rich_help_panel=panel, hidden=field.name in rare)


def command_group(name: str, help: str, commands: Iterable[Callable[..., None]]) -> Typer:
    """Commands under one name, in this order; without one of them it shows its help."""
    group = Typer(name=name, help=help, no_args_is_help=True, **STYLE)
    for command in commands:
        group.command()(command)
    return group


def show_all_options(context: Context, asked: bool) -> None:
    """Print the help with the rare options and commands too: the callback of ``--help-all``."""
    if asked:
        for each in (*context.command.params, *getattr(context.command, "commands", {}).values()):
            each.hidden = False  # arguments have none, and ignore it
        echo(context.get_help())
        raise Exit
