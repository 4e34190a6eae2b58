"""How many bytes of code in a firmware image are the core's: `origin.py OBJDUMP SYMBOLIZER IMAGE`.

Each instruction counts where its source line is, also when the function was inlined elsewhere. A line of Rust's own library counts
where it was called from. The core's are those of evcore, and of heapless, which holds its tables. First line: their sum. Then its files.
"""

import collections
import json
import re
import subprocess
import sys

objdump, symbolizer, image = sys.argv[1:]


def output(*command, given=None):
    return subprocess.run(command, check=True, capture_output=True, text=True, input=given).stdout.splitlines()


def instructions():
    """Addresses and lengths."""
    found = []
    for line in output(objdump, "-d", image):
        if match := re.match(r"\s*([0-9a-f]+): ((?:[0-9a-f]{2,8} )+)", line):
            found.append((int(match[1], 16), len(match[2].replace(" ", "")) // 2))
    return found


def origin(symbol):
    """The file of the core that an instruction is from."""
    for frame in symbol:
        path = frame["FileName"]
        if "/heapless-" in path:
            return "heapless"
        if "/library/" not in path:
            return path.partition("/evcore/src/")[2] or None
    return None


code = instructions()
given = "".join(f"{address:#x}\n" for address, _ in code)
places = [json.loads(line) for line in output(symbolizer, f"--obj={image}", "--inlines", "--output-style=JSON", given=given)]
if len(places) != len(code) or not code:
    sys.exit("the lines of the image cannot be read")
files = collections.Counter()
for (_, length), place in zip(code, places):
    files[origin(place["Symbol"])] += length
del files[None]
print(files.total())
for file, size in files.most_common():
    print(f"{size:6} {file}")
