"""Programs that nobody here wrote, on libevent and on evcore in turn. Called by .ci/libevent-abi.

    python3 proof LIBRARIES [PROGRAM...]

LIBRARIES is a folder with libevent-2.1.so.7, libevent_core-2.1.so.7 and libevcore_libevent.so. Everything stays on the loopback,
and each wait has an end. A program is right when every answer is what it must be; a table says so at the end.
"""

import os
import shutil
import subprocess
import sys
import tempfile

from coturn import coturn
from dns import nsd, unbound
from guard import guarded
from harness import LIBEVENT, LIBRARIES, OURS, Missing, Wrong, check
from memcached import memcached, memcached_instructions
from opensmtpd import opensmtpd
from pgbouncer import pgbouncer
from tmux import tmux

PROGRAMS = [memcached, nsd, unbound, pgbouncer, opensmtpd, tmux, coturn]
INSTRUCTIONS = {memcached: memcached_instructions}
# What evcore may take of libevent's.
LIMIT = 0.96
# How often each runs on each library, in turn; the best time counts. coturn's clients send at a given rate: it has no throughput.
ROUNDS = {coturn: 1}


def row(program):
    """A row of the table, and whether the program is right."""
    title, best = program.__name__, {}
    rounds = ROUNDS.get(program, 3)
    try:
        for on in (LIBEVENT, OURS) * rounds:
            operations, seconds = program(on)
            best[on] = min(best.get(on, seconds), seconds)
        ratio = f"{best[LIBEVENT] / best[OURS]:.2f}" if rounds > 1 else "-"
        cost = "-"
        if program in INSTRUCTIONS and shutil.which("valgrind"):
            on = f"{OURS}, by valgrind"
            theirs, ours = (INSTRUCTIONS[program](each) for each in (LIBEVENT, OURS))
            cost = f"{theirs:.0f} and {ours:.0f}: {ours / theirs:.3f}"
            check(ours <= LIMIT * theirs, f"it takes more instructions than {LIMIT} times libevent's: {cost}")
        return (title, f"{operations}, all right", ratio, cost), True
    except Missing as missing:
        return (title, f"not run: {missing}", "-", "-"), True
    except (Wrong, OSError, subprocess.SubprocessError) as wrong:
        print(f"{title}: {wrong}", file=sys.stderr)
        return (title, f"WRONG on {on}", "-", "-"), False


def main():
    known = {program.__name__: program for program in PROGRAMS}
    chosen = sys.argv[2:] or list(known)
    if unknown := [title for title in chosen if title not in known]:
        print(f"no such program: {' '.join(unknown)}; there are: {' '.join(known)}")
        return 2
    # The daemons write here; the script removes it.
    tempfile.tempdir = os.path.join(LIBRARIES, "programs")
    os.makedirs(tempfile.tempdir, exist_ok=True)
    rows, failed = [], []
    for title in chosen:
        cells, is_right = row(known[title])
        rows.append(cells)
        failed += [] if is_right else [title]
        print(f"# {' | '.join(cells)}", flush=True)
    print("\n| program | answers | throughput on evcore / on libevent | user instructions an operation |")
    print("|---|---|---|---|")
    for cells in rows:
        print(f"| {' | '.join(cells)} |")
    print(f"wrong: {' '.join(failed)}" if failed else "every program is right on evcore")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(guarded(main))
