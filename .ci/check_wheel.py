"""Checks what a wheel ships: our package and nothing that others own."""

import sys
import zipfile

NEEDED = (
    "caracal_grpc/py.typed",
    "caracal_grpc/cli/demo/__init__.py",
    "caracal_grpc/examples/shop/orders.py",
    "caracal_grpc/interceptors/__init__.py",
    "caracal_grpc/policy/grants.rego",
    "caracal_grpc/proto/caracal/v1/authority.proto",
    "caracal_grpc/proto/generate.py",
    "caracal_grpc/v1/token_service_pb2.py",
    "caracal_grpc/v1/token_service_pb2.pyi",
)


def problems(names: list[str]) -> list[str]:
    """What is missing, and each top-level name that is not ours."""
    tops = {name.partition("/")[0] for name in names}
    foreign = [t for t in tops if t != "caracal_grpc" and not t.endswith(".dist-info")]
    missing = [name for name in NEEDED if name not in names]
    return [f"ships {t}" for t in sorted(foreign)] + [f"lacks {name}" for name in missing]


if __name__ == "__main__":
    with zipfile.ZipFile(sys.argv[1]) as wheel:
        found = problems(wheel.namelist())
    print("\n".join(found) or "the wheel is whole")
    sys.exit(bool(found))
