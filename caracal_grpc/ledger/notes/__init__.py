"""Signed notes (C2SP): checkpoints, and the cosignatures of witnesses."""
