"""How many examples a property test takes."""

from hypothesis import settings

QUICK, WHOLE = "quick", "whole"
"""Hypothesis's profiles: of `make test`, and of `make test-all`."""


def examples(count: int, *, whole: int) -> settings:
    """Take `count` examples, and `whole` in `make test-all`: what decorates a test, in place of `settings`."""
    return settings(max_examples=whole if settings.get_current_profile_name() == WHOLE else count)
