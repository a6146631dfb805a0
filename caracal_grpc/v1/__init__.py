"""Generated from `proto/caracal/v1`; never edited by hand. `caracal.v1` on the wire."""
