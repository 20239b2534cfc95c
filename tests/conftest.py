"""Property tests draw the same examples on every machine, so that no test fails by chance."""

from hypothesis import settings

settings.register_profile("hanpuri", derandomize=True, deadline=None)
settings.load_profile("hanpuri")
