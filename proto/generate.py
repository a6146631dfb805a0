"""Generates Python from `.proto` files that declare authority.

`caracal.v1` on the wire is `caracal_grpc.v1` in Python, and protoc knows only one name for both. So
this generates to a temporary folder and rewrites the two absolute forms in which the name occurs.

    python proto/generate.py            # this project: writes caracal_grpc/v1/
    python -m caracal_grpc.proto.generate -I protos -o src shop/v1/orders.proto    # yours

It needs grpcio-tools. Generate with the oldest release that you support: generated code loads under
the protobuf major that it was generated for and the next one, never under an older one.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent

_IMPORT = re.compile(r"^(from|import) caracal\.v1", re.MULTILINE)
_MODULE = re.compile(r"'caracal\.v1\.(\w+_pb2)'")


def rewrite(source: str) -> str:
    """`source` with each import of `caracal.v1`, and the name that it registers, renamed."""
    source = _IMPORT.sub(r"\1 caracal_grpc.v1", source)
    return _MODULE.sub(r"'caracal_grpc.v1.\1'", source)


def generate(include: Path, out: Path, protos: list[str]) -> None:
    """Writes stubs of `protos`, paths below `include`, below `out`.

    Raises `SystemExit` with protoc's status when protoc refuses them, which has said why on stderr,
    and with what to install when there is no grpcio-tools.
    """
    try:
        from grpc_tools import protoc
    except ModuleNotFoundError as missing:
        if missing.name != "grpc_tools":
            raise
        raise SystemExit(
            "this needs grpcio-tools; run: pip install 'caracal-grpc[generate]'"
        ) from None

    builtin = Path(protoc.__file__).parent / "_proto"
    with tempfile.TemporaryDirectory() as folder:
        arguments = [f"-I{include}", f"-I{HERE}", f"-I{builtin}"]
        outputs = [f"--{kind}_out={folder}" for kind in ("python", "pyi", "grpc_python")]
        status = protoc.main(["protoc", *arguments, *outputs, *protos])
        if status:
            raise SystemExit(status)
        for made in sorted(Path(folder).rglob("*.py*")):
            _place(made, out / made.relative_to(folder))


def _place(made: Path, target: Path) -> None:
    source = made.read_text()
    if made.name.endswith("_pb2_grpc.py") and "class " not in source:
        return  # protoc writes an empty service module for a file of messages only
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(rewrite(source))


def generate_own(out: Path) -> None:
    """Writes this project's own stubs into the package folder `out`, replacing what is there."""
    protos = sorted(path.name for path in (HERE / "caracal" / "v1").glob("*.proto"))
    with tempfile.TemporaryDirectory() as folder:
        generate(HERE, Path(folder), [f"caracal/v1/{name}" for name in protos])
        for old in out.glob("*_pb2*"):
            old.unlink()
        out.mkdir(parents=True, exist_ok=True)
        for made in (Path(folder) / "caracal" / "v1").iterdir():
            shutil.copy(made, out / made.name)


def main(arguments: list[str]) -> None:
    """The command line: without protos, this project's own; else those that are named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-I", "--include", type=Path, help="the folder that the protos are below")
    parser.add_argument("-o", "--out", type=Path, help="the folder to write below")
    parser.add_argument("protos", nargs="*", help="paths below the include folder")
    options = parser.parse_args(arguments)
    if not options.protos:
        generate_own(options.out or HERE.parent / "caracal_grpc" / "v1")
    elif options.include is None or options.out is None:
        parser.error("--include and --out are needed with protos")
    else:
        generate(options.include, options.out, options.protos)


if __name__ == "__main__":
    main(sys.argv[1:])
