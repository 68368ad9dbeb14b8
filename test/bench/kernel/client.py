"""Measure one kernel once: `client.py KERNEL-NAME typescript|python`. Prints one JSON object: milliseconds, and mebibytes of memory."""

import json
import os
import sys
import time
from queue import Empty
from statistics import median

from jupyter_client.manager import KernelManager

CELLS = 15
IDLE_S = 2
# Longer than any kernel here waits before it gives memory back.
REST_S = 8
MANY = 2000

NEW_FUNCTION = {
    "typescript": "function f{0}(x: number): number {{\n  return x * {0}\n}}\nf{0}(2)",
    "python": "def f{0}(x):\n    return x * {0}\nf{0}(2)",
}
LIBRARY = "import {{ connect, Plot, show }} from '{0}'\ntypeof connect"
VALUES = {
    "typescript": "let sum = 0\nlet values = Array.from({ length: 1000 }, (_, i) => i)",
    "python": "sum = 0\nvalues = list(range(1000))",
}
ADDITIONS = {
    "typescript": "for (let round = 0; round < 20_000; round++) for (const value of values) sum += value\nsum",
    "python": "for _ in range(20_000):\n    for value in values:\n        sum += value\nsum",
}
QUESTIONS = 100
# Unfinished cells: a member of a global, of the library's, a property in an object, text in a string, a name. And what is inspected: names, and a call's arguments.
QUESTIONED = {
    "typescript": (
        ["Math.cei", "Plot.do", "Plot.plot({ marg", "Buffer.from('a', 'ut", "conn"],
        ["Math.max", "Plot.plot", "connect", "Plot.dot(values, ", "sum"],
    ),
    "python": (
        ["str.upp", "os.path.jo", "open('a', mod", "int.fro", "prin"],
        ["str.upper", "os.path.join", "print", "open", "len"],
    ),
}
# No cell has the text of one before: none is answered from memory.
SUM = "{0} + 1"
# Cells that use the one before; every fourth declares a class or a generic type, which later cells use.
MANY_CELLS = {
    "typescript": (
        "const v{0} = v{1}.map((x) => x + 1)",
        "function g{0}(x: number): number {{\n  return x + v{1}.length\n}}\ng{0}(2)",
        "interface T{0}<A> {{ value: A; at: number }}\nclass C{0} implements T{0}<number> {{ value = {0}; at = v{2}.length }}",
        "let c{0}: T{1}<number> = new C{1}()\nc{0}.value",
    ),
    "python": (
        "v{0} = [x + 1 for x in v{1}]",
        "def g{0}(x):\n    return x + len(v{1})\ng{0}(2)",
        "class C{0}:\n    def __init__(self):\n        self.value = {0}\n        self.at = len(v{2})",
        "c{0} = C{1}()\nc{0}.value",
    ),
}
BUSY = "for (const until = Date.now() + 5_000; Date.now() < until; );"


def main(name, language, library, is_long=""):
    found = {}
    started = time.perf_counter()
    km = KernelManager(kernel_name=name)
    km.start_kernel()
    kc = km.client()
    kc.start_channels()
    try:
        kc.wait_for_ready(timeout=60)
        found["ready"] = since(started)
        found["first"] = run(kc, "1 + 1")
        time.sleep(IDLE_S)
        found["sum"] = middle(kc, lambda n: SUM.format(n))
        found["function"] = middle(kc, lambda n: NEW_FUNCTION[language].format(n))
        if library != "":
            time.sleep(IDLE_S)
            found["library"] = run(kc, LIBRARY.format(library))
            found["functionAfter"] = middle(kc, lambda n: NEW_FUNCTION[language].format(n + CELLS))
            found["sumAfter"] = middle(kc, lambda n: SUM.format(n + CELLS))
        run(kc, VALUES[language])
        found["additions"] = run(kc, ADDITIONS[language])
        time.sleep(IDLE_S)
        found |= questions(kc, language)
        time.sleep(REST_S)
        found["memory"] = memory_of(os.getpid())
        found["next"] = run(kc, SUM.format(2 * CELLS))
        if is_long:
            found |= many(kc, language)
    finally:
        kc.stop_channels()
        km.shutdown_kernel(now=True)
    print(json.dumps(found))


def questions(kc, language):
    """How long completions and inspections take: middle and 99th of QUESTIONS each; where the kernel answers meanwhile, also while a cell computes."""
    complete, inspect = QUESTIONED[language]
    found = {}
    for name, ask, texts in (("completion", kc.complete, complete), ("inspection", kc.inspect, inspect)):
        times = sorted(answer(kc, ask, texts[n % len(texts)]) for n in range(QUESTIONS))
        found |= {name: median(times), f"{name}99": times[QUESTIONS - 2]}
    if language == "typescript" and answers_meanwhile(kc):
        for name, ask, texts in (("busyCompletion", kc.complete, complete), ("busyInspection", kc.inspect, inspect)):
            found[name] = busy_99th(kc, ask, texts)
    return found


def busy_99th(kc, ask, texts):
    """The 99th of QUESTIONS, or of as many as are answered until the cell is over."""
    cell = kc.execute(BUSY)
    times = []
    is_over = False
    while not is_over and len(times) < QUESTIONS:
        started = time.perf_counter()
        request = ask(texts[len(times) % len(texts)])
        parent = None
        while parent != request:
            parent = kc.get_shell_msg(timeout=60)["parent_header"].get("msg_id")
            is_over = is_over or parent == cell
        times.append(since(started))
    while not is_over:
        is_over = kc.get_shell_msg(timeout=60)["parent_header"].get("msg_id") == cell
    return sorted(times)[(len(times) - 1) * 99 // 100]


def answers_meanwhile(kc):
    """Whether a question that is asked while a cell computes is answered before the cell is. Waits for both answers."""
    cell = kc.execute(BUSY)
    question = kc.kernel_info()
    first = kc.get_shell_msg(timeout=60)["parent_header"].get("msg_id")
    kc.get_shell_msg(timeout=60)
    return first == question and cell != question


def answer(kc, ask, text):
    """Milliseconds from sending a question to its answer."""
    started = time.perf_counter()
    request = ask(text)
    while kc.get_shell_msg(timeout=60)["parent_header"].get("msg_id") != request:
        pass
    return since(started)


def many(kc, language):
    """Medians over the cells of each shape around the tenth and around the last of MANY, and the memory after them."""
    shapes = MANY_CELLS[language]
    run(kc, "const v_1 = [1]" if language == "typescript" else "v_1 = [1]")
    times = []
    for n in range(MANY):
        # Shapes come in turn; each fourth cell begins anew with the list that the last turn has made.
        turn = n - n % 4
        last = "_1" if n < 4 else turn - 4
        before = {0: last, 1: turn, 2: 0, 3: turn + 2}[n % 4]
        times.append(run(kc, shapes[n % 4].format(n, before, turn)))
    return {"tenth": median(times[8:24]), "last": median(times[-16:]), "manyMemory": memory_of(os.getpid())}


def middle(kc, code_of):
    return median(run(kc, code_of(n)) for n in range(CELLS))


def run(kc, code):
    """Milliseconds from sending a cell to its reply and its idle."""
    started = time.perf_counter()
    msg_id = kc.execute(code)
    while True:
        try:
            msg = kc.get_iopub_msg(timeout=60)
        except Empty:
            sys.exit(f"no idle: {code}")
        if msg["parent_header"].get("msg_id") != msg_id:
            continue
        if msg["msg_type"] == "error":
            sys.exit("\n".join(msg["content"]["traceback"]))
        if msg["msg_type"] == "status" and msg["content"]["execution_state"] == "idle":
            break
    while kc.get_shell_msg(timeout=60)["parent_header"].get("msg_id") != msg_id:
        pass
    return since(started)


def since(started):
    return (time.perf_counter() - started) * 1e3


def memory_of(parent):
    """Mebibytes of all processes below one; what they share is counted once."""
    below = [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if parent_of(pid) == parent]
    return sum(pss_of(pid) + memory_of(pid) for pid in below)


def parent_of(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return int(stat.read().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def pss_of(pid):
    with open(f"/proc/{pid}/smaps_rollup") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


main(*sys.argv[1:])
