"""As on the command line, jobs is imported before Ray Serve, which reads what it sets."""

import jobs  # noqa: F401
