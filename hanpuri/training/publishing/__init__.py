"""A trained run ─► a folder or a repository that any tool can load, with the proof that it says what the run says."""
