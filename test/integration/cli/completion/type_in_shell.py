"""Types into an interactive shell on a terminal of its own, and prints what that terminal got. argv: a JSON object {argv, env, prompt, keys, until}."""

import json
import os
import pty
import select
import sys
import time

asked = json.loads(sys.argv[1])
child, terminal = pty.fork()
if child == 0:
    os.execvpe(asked["argv"][0], asked["argv"], asked["env"])

got = b""
end = time.monotonic() + 90


def read_until(text: str) -> None:
    """Read what the shell prints until it has printed a text; the limit only ends a hang."""
    global got
    while text.encode() not in got:
        if not select.select([terminal], [], [], max(0, end - time.monotonic()))[0]:
            break
        try:
            got += os.read(terminal, 4096)
        except OSError:
            break


read_until(asked["prompt"])
os.write(terminal, asked["keys"].encode())
read_until(asked["until"])
os.close(terminal)
os.waitpid(child, 0)
print(got.decode(errors="replace"))
