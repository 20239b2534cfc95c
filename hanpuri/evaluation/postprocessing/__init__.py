"""Restored texts ─► corrected ones: steps behind a model, each kept only if held-out rows show that it helps."""
