"""
Requests ─► what is told of them: a line in the log, and numbers for Prometheus; never their texts, unless asked for.
"""
