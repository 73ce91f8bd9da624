"""What the service tells of its store: looked up beside the requests, so that none of them waits for the store."""

import logging
import threading
import time
from collections.abc import Callable

LOG = logging.getLogger("pubray")
SECONDS = 60.0
"""How long it is told unchanged."""


class RefreshedText:
    """Made anew every minute in a thread of its own; empty before the first time, and while it cannot be made."""

    def __init__(self, make: Callable[[], str]) -> None:
        self._make = make
        self._problem = ""
        self.text = ""

    def start(self) -> None:
        """Make it again and again until the process ends."""
        threading.Thread(target=self._refresh_for_ever, name="refreshed text", daemon=True).start()

    def refresh(self) -> None:
        try:
            self.text, self._problem = self._make(), ""
        except Exception as error:  # whatever it is, the next time may be better
            if self._problem != repr(error):
                LOG.error("the store's metrics are left out", exc_info=error)
            self.text, self._problem = "", repr(error)

    def _refresh_for_ever(self) -> None:
        while True:
            self.refresh()
            time.sleep(SECONDS)
