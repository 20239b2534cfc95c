"""Measurements: each module is a command that prints a table; `baselines` holds what the compact model has to beat."""
