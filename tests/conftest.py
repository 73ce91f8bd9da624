"""What holds for every test."""

from hypothesis import settings

# The first example of a run imports and compiles what the others find ready, and machines are shared: no deadline.
settings.register_profile("pubray", deadline=None)
settings.load_profile("pubray")
