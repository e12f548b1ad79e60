# SPDX-License-Identifier: GPL-2.0
"""Shows how far a long case is."""

import threading
import time

# A line of a case's output that is shown at once.
MARK = "# progress: "
# After so many seconds without one, the case's latest line is shown.
SILENCE = 25
# How often that is looked at, in seconds.
TICK = 1


class Progress(threading.Thread):
    """Prints what a case says of its progress, and at least its latest line now and then."""

    def __init__(self, name):
        super().__init__(daemon=True)
        self.name_of_case, self.latest, self.lines = name, "nothing said yet", 0
        self.begin = self.shown = time.monotonic()
        self.ended = threading.Event()
        self.start()

    def line(self, text):
        """Takes one line of output."""
        self.lines += 1
        self.latest = text.removeprefix(MARK)
        if text.startswith(MARK):
            self.show(self.latest)

    def show(self, text):
        """One line on the terminal."""
        self.shown = time.monotonic()
        print(f"# {time.strftime('%H:%M:%S')} {self.name_of_case}: {text}", flush=True)

    def run(self):
        """Breaks the silence, until the end."""
        while not self.ended.wait(TICK):
            if time.monotonic() - self.shown > SILENCE:
                self.show(f"{time.monotonic() - self.begin:.0f} s, {self.lines} lines, the latest: {self.latest[:120]}")

    def stop(self):
        """The case has ended."""
        self.ended.set()
