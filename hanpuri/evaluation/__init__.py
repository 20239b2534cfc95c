"""Restored text ─► scores: `metrics` says what each number means, `evaluate` runs a restorer over a file of pairs."""
