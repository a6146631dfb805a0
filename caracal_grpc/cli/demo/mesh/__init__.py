"""`demo --mesh`: the same flows through real Envoys, one service of which has no code of ours."""
