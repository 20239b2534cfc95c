"""The report of an evaluation: one page with scores, slices, the rows that went wrong, confusions and confidence."""
