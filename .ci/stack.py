"""How deep the stack of a firmware image becomes: `stack.py OBJDUMP READOBJ IMAGE`.

First line: the bytes. Then the calls that lead there. It follows direct calls and jumps from `main`, and adds the frame of each
function, as the compiler tells them. What interrupts need comes on top. Calls through pointers are not seen, nor are
frames of functions in assembly; a function that calls itself is counted once.
"""

import re
import subprocess
import sys

objdump, readobj, image = sys.argv[1:]


def lines(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


def frames():
    found, names = {}, []
    for line in lines(readobj, "--stack-sizes", image):
        if match := re.search(r"Functions: \[(.*)\]", line):
            names = match[1].split(", ")
        elif match := re.search(r"Size: (0x[0-9A-Fa-f]+)", line):
            found.update((name, int(match[1], 16)) for name in names)
    return found


def calls():
    found, function = {}, None
    for line in lines(objdump, "-d", "--no-show-raw-insn", image):
        if match := re.match(r"[0-9a-f]+ <(.+)>:$", line):
            function = match[1]
            found[function] = set()
        elif function and (match := re.search(r"<([^>+]+)>", line)):
            found[function].add(match[1])
    return found


def deepest(function, frames, calls, known):
    if function not in known:
        known[function] = 0, []  # while it is looked at, so that a circle ends
        below = [deepest(callee, frames, calls, known) for callee in sorted(calls.get(function, ()))]
        depth, way = max(below, default=(0, []), key=lambda found: found[0])
        own = frames.get(function, 0)
        known[function] = own + depth, [(function, own)] + way
    return known[function]


depth, way = deepest("main", frames(), calls(), {})
if depth == 0:
    sys.exit("the image does not tell the size of any frame below main")
print(depth)
for function, own in way:
    print(f"{own:6} {function}")
