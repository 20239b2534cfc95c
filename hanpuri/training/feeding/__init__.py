"""Rows and corpora ─► token arrays that a trainer draws from: `rows` and `mixture` read, `datasets` lays out."""
