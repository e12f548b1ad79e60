# SPDX-License-Identifier: GPL-2.0
"""pjdfstest on both clients, side by side: the set that passes here contains the set that passes there."""

import os
import re
import subprocess

from ktap import check, same

# The user's names are in the image. Remounting needs a process that has no file open for writing.
CONFIG = """
[features]
posix_fallocate = {{}}
rename_ctime = {{}}
stat_st_birthtime = {{}}
utime_now = {{}}
utimensat = {{}}
[settings]
naptime = 0.01
allow_remount = {}
[dummy_auth]
entries = [["user", "user"], ["other", "other"]]
"""
LINE = re.compile(r"^(\S+::\S+)\s+(ok|FAILED|skipped)$", re.MULTILINE)
AGAIN = 2


def configure():
    """What the suite reads."""
    for name, remount in (("main.toml", "false"), ("remount.toml", "true")):
        with open(name, "w", encoding="ascii") as config:
            config.write(CONFIG.format(remount))


def start(top, *words, config="main.toml"):
    """One pjdfstest on that mount."""
    return subprocess.Popen(["pjdfstest", "-c", config, "-p", top, "-s", "/dev/shm", *words], stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, env=os.environ | {"NO_COLOR": "1"})


def results(tops, *words, config="main.toml"):
    """{test: outcome} and the output of each mount, both run at the same time."""
    runs = [start(top, *words, config=config) for top in tops]
    texts = [run.communicate()[0] for run in runs]
    return [dict(LINE.findall(text)) for text in texts], texts


def worse(ours, theirs):
    """Tests that pass on the C client alone."""
    return sorted(name for name, outcome in theirs.items() if outcome == "ok" and ours.get(name) != "ok")


def compare(name, tops, least, chosen=(), remounts=True):
    """The suite, or the chosen parts, on our mount and on theirs: the C client passes more than `least` tests."""
    (ours, theirs), texts = results(tops, *chosen)
    if remounts:
        (ours_ro, theirs_ro), _ = results(tops, "erofs", config="remount.toml")
        ours, theirs = ours | ours_ro, theirs | theirs_ro
    for side, outcomes in (("ours", ours), ("C", theirs)):
        kinds = {kind: sum(outcome == kind for outcome in outcomes.values()) for kind in ("ok", "FAILED", "skipped")}
        print(f"# {side}: {kinds}; not ok: {[test for test, outcome in outcomes.items() if outcome != 'ok']}")
    check(f"{name}: the suite ran on the C client", sum(outcome == "ok" for outcome in theirs.values()) > least)
    same(f"{name}: the same tests ran", set(ours), set(theirs))
    suspects = worse(ours, theirs)
    for _ in range(AGAIN):
        if not suspects:
            break
        print(f"# again: {suspects}")
        # A test that passed once works; one that fails on the C client too is flaky there.
        (ours, theirs), texts = results(tops, "-e", *suspects)
        suspects = worse(ours, theirs)
    same(f"{name}: nothing passes on the C client alone", suspects, [])
    if suspects:
        print(texts[0])
