"""The options of a job: keyword parameters of its `run`, each `Annotated` with an `Option`."""

import argparse
import inspect
from collections.abc import Callable
from typing import Annotated, Any, get_args, get_origin


class Option:
    """What the command line says of a parameter, whose name, type and default are known."""

    def __init__(self, help: str | None = None, *, flag: str = "", place: bool = False, **more: Any) -> None:
        """flag: another than `--` and the name. place: it has none. more: what `add_argument` takes beside."""
        self.flag, self.place, self.more = flag, place, {"help": help, **more}


TASK = Option("the instruction, for encoders that take one", metavar="TEXT")


def add_options(parser: argparse.ArgumentParser, run: Callable[..., object]) -> None:
    """Let a parser read what `run` takes."""
    for name, parameter in inspect.signature(run).parameters.items():
        if get_origin(parameter.annotation) is not Annotated:
            continue
        kind, option = get_args(parameter.annotation)
        kind, *_ = get_args(kind) or (kind,)  # int of `int | None`
        reading: dict[str, Any] = {"action": "store_true"} if kind is bool else {"type": kind}
        if parameter.default is not parameter.empty:
            reading["default"] = parameter.default
        elif not option.place:
            reading["required"] = True
        if option.place:
            parser.add_argument(name, **reading, **option.more)
        else:
            parser.add_argument(option.flag or f"--{name.replace('_', '-')}", dest=name, **reading, **option.more)
