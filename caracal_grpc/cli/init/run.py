"""The steps of `init`: files, apply, proof, and what comes next."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from caracal_grpc.cli.context import resolve
from caracal_grpc.cli.errors import CliError, ExitCode
from caracal_grpc.cli.init.files import PROFILES, write_starter
from caracal_grpc.cli.init.proof import Proof, claim_of, prove
from caracal_grpc.cli.init.wanted import MANIFEST, Wanted

if TYPE_CHECKING:
    from caracal_grpc.cli.manifest import Manifest
    from caracal_grpc.v1.zone_service_pb2 import ZoneServiceApplyResponse as Answer

_NO_AUTHORITY: Final = frozenset({ExitCode.UNAVAILABLE, ExitCode.CREDENTIAL})


def run(folder: Path, wanted: Wanted | None, profile: str | None, *, as_json: bool) -> None:
    """Does all of it, and says what is done; raises `CliError` saying what is not, and how to."""
    from caracal_grpc.cli.declared.applied import apply_zone
    from caracal_grpc.cli.manifest import Manifest
    from caracal_grpc.cli.profile.folder import Folder

    made = write_starter(folder, wanted) if wanted else []
    manifest = Manifest.read(folder / MANIFEST)
    if not as_json:
        _print_files(folder, manifest, made)
    try:
        target = resolve(profile, manifest.zone)
        profiles = Folder((folder / PROFILES).absolute(), target.zone)
        done = apply_zone(target, manifest, profiles)
    except CliError as error:
        raise _not_applied(folder, error) from error
    written = [path for _, path in profiles.write_all(target, done.issuer, done.credentials)]
    proof = _proven(manifest, folder)
    if as_json:
        _print_json(folder, manifest, made, done, written, proof)
    else:
        _print_done(folder, manifest, done, written, proof)


def _not_applied(folder: Path, error: CliError) -> CliError:
    if error.code not in _NO_AUTHORITY:
        return error
    said = (
        f"{folder / MANIFEST} is there, and not applied: run caracal-grpc dev in another terminal, "
        f"export CARACAL_PROFILE as it says, and run caracal-grpc init {folder} again"
    )
    return CliError(error.code, *error.lines, said)


def _proven(manifest: Manifest, folder: Path) -> Proof | None:
    """The proof; `None` when nothing is granted, or the caller's profile is elsewhere."""
    claim = claim_of(manifest)
    if claim is None:
        return None
    profile = _profile(folder, manifest, claim.caller)
    return prove(claim, profile) if profile.exists() else None


def _profile(folder: Path, manifest: Manifest, application: str) -> Path:
    return (folder / PROFILES / f"{manifest.zone}-{application}.json").absolute()


def _print_files(folder: Path, manifest: Manifest, made: list[Path]) -> None:
    from caracal_grpc.cli.terminal.output import print_line

    for path in made:
        print_line(f"wrote {path}")
    if not made:
        print_line(f"{folder / MANIFEST} of zone {manifest.zone} is there, and stays as it is")


def _print_done(
    folder: Path, manifest: Manifest, done: Answer, written: list[Path], proof: Proof | None
) -> None:
    from caracal_grpc.cli.terminal.output import print_line

    if done.changes:
        print_line(f"applied zone {manifest.zone}, recorded as {done.audit_id}")
    else:
        print_line(f"zone {manifest.zone} is as declared already")
    for path in written:
        print_line(f"wrote {path}")
    for line in _proof_lines(folder, proof):
        print_line(line)
    service = next((each.name for each in manifest.shape.applications), "")
    print_line()
    print_line("Next:")
    print_line(f"  CARACAL_PROFILE={_profile(folder, manifest, service)}")
    print_line("    is what your service runs with; give it a guard: caracal-grpc rules --help")
    print_line(f"  caracal-grpc audit search --zone {manifest.zone}    # what was decided, and why")
    print_line(f"  caracal-grpc apply -f {folder / MANIFEST}    # after each change of it")


def _proof_lines(folder: Path, proof: Proof | None) -> list[str]:
    if proof is None:
        return [f"not proven: nobody who is granted a scope has a profile in {folder / PROFILES}"]
    claim = proof.claim
    lines = [f"proven: {claim.caller} gets {claim.granted} ({proof.granted_audit_id})"]
    if claim.refused:
        why = f"{proof.reason}, {proof.refused_audit_id}"
        lines.append(f"proven: {claim.caller} is refused {claim.refused} ({why})")
    return lines


def _print_json(
    folder: Path,
    manifest: Manifest,
    made: list[Path],
    done: Answer,
    written: list[Path],
    proof: Proof | None,
) -> None:
    from caracal_grpc.cli.terminal.output import print_json
    from caracal_grpc.cli.terminal.view import view

    print_json(
        {
            "folder": str(folder.absolute()),
            "zone": manifest.zone,
            "wrote": [str(each) for each in made],
            "changes": view(done)["changes"],
            "profiles": [str(each) for each in written],
            "audit_id": done.audit_id,
            "proof": None if proof is None else proof.view(),
        }
    )
