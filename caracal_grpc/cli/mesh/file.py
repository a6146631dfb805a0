"""`mesh.yaml`, read; what is wrong with it is told with its line."""

from __future__ import annotations

from pathlib import Path

from caracal_grpc.cli.manifest.settings_file import SettingsFile
from caracal_grpc.settings.mesh import MeshSettings


class MeshFile(SettingsFile[MeshSettings]):
    """The file at `path`; raises `CliError` with file, line and field of each thing wrong."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, MeshSettings.load)
