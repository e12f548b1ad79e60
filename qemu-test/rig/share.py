# SPDX-License-Identifier: GPL-2.0
"""A shared directory: one stock virtiofsd and one device tag."""

import os
import shlex
import shutil
import signal
import time

from .paths import VIRTIOFSD
from .process import Process


class Share:
    """virtiofsd on `directory`; the guest sees it under `tag`. Sockets lie in `run`; `env` is added to
    virtiofsd's environment."""

    # Queues for requests; the stock virtiofsd has one.
    queues = 1

    def __init__(self, tag, directory, run, options="", env=None):
        self.tag = tag
        self.directory = directory
        self.run = run
        self.options = options
        self.env = env or {}
        self.socket = f"{tag}.sock"
        self.stopped = False
        self.killed = False
        self.process = None

    def argv(self):
        """The server's command line."""
        argv = [VIRTIOFSD, f"--socket-path={self.socket}", f"--shared-dir={self.directory}",
                "--sandbox=chroot", "--xattr", "--posix-acl"]
        if "--cache" not in self.options:
            argv.append("--cache=auto")
        return argv + shlex.split(self.options)

    def start(self):
        """Starts the server and waits for its socket."""
        argv = self.argv()
        log = self.run / f"{os.path.basename(argv[0])}-{self.tag}.log"
        self.process = Process(argv, self.run, log, env=os.environ | self.env)
        deadline = time.monotonic() + 10
        while not (self.run / self.socket).exists():
            if not self.process.alive() or time.monotonic() > deadline:
                raise RuntimeError(f"{argv[0]} for tag {self.tag} did not start: see {log}")
            time.sleep(0.02)

    def pause(self):
        """Stops the server: it answers nothing until `resume`."""
        self.process.signal(signal.SIGSTOP)
        self.stopped = True

    def resume(self):
        """Lets a stopped server go on."""
        self.process.signal(signal.SIGCONT)
        self.stopped = False

    def kill(self):
        """Kills the server; the device stays silent for the rest of the boot."""
        self.process.signal(signal.SIGKILL)
        self.process.wait(5)
        self.killed = True

    def clear(self):
        """Empties the directory, keeping its inode, which the server has open; a case may have given it
        away."""
        os.chown(self.directory, 0, 0)
        self.directory.chmod(0o755)
        for entry in self.directory.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()

    def stop(self):
        """Ends the server."""
        if self.process:
            self.process.stop()
        (self.run / self.socket).unlink(missing_ok=True)
        (self.run / f"{self.socket}.pid").unlink(missing_ok=True)
