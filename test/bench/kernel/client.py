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
BUSY = "for (const until = Date.now() + 5_000; Date.now() < until; );"


def main(name, language, library):
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
        found["sum"] = middle(kc, lambda n: "1 + 1")
        found["function"] = middle(kc, lambda n: NEW_FUNCTION[language].format(n))
        if library != "":
            time.sleep(IDLE_S)
            found["library"] = run(kc, LIBRARY.format(library))
            found["functionAfter"] = middle(kc, lambda n: NEW_FUNCTION[language].format(n + CELLS))
            found["sumAfter"] = middle(kc, lambda n: "1 + 1")
        run(kc, VALUES[language])
        found["additions"] = run(kc, ADDITIONS[language])
        time.sleep(IDLE_S)
        found |= questions(kc, language)
        time.sleep(IDLE_S)
        found["memory"] = memory_of(os.getpid())
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
    """Whether the kernel answers while a cell computes; stock tslab and ipykernel do not."""
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
