"""Execute a notebook with the kernel that it names, without a browser.

run_notebook.py NOTEBOOK [--output FILE] [--inject CODE]
run_notebook.py --check NOTEBOOK [--inject CODE]

Output of cells is printed at once. The executed notebook is written after each cell, so an interrupted run leaves it, too. Exit codes: 0; 1 when a
cell failed or nothing could be run; 130 when the run was stopped. `--check` only checks whether the notebook can be run. `--inject`
inserts a cell with this code after the cell that declares the notebook's parameters. `--failure-to` is the number of an open file; a failure is written
to it as JSON, instead of a line on standard error.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from execution import CellFailed, Execution, Stopped
from notebook_file import NotebookUnusable, find_kernel, read_notebook, write_notebook
from parameters import inject_parameters
from recorder import write

STOPPED = 130


def main() -> int:
    arguments = read_arguments()
    try:
        notebook, notes = read_notebook(arguments.notebook)
        for note in notes:
            say(f"note: {note}")
        kernel = find_kernel(notebook, arguments.notebook)
        inject_parameters(notebook, arguments.inject)
        if arguments.output is not None and not arguments.output.parent.is_dir():
            raise NotebookUnusable(f"there is no folder {arguments.output.parent} for --output; make it first")
        if arguments.check:
            return 0
        return asyncio.run(execute(notebook, kernel, arguments))
    except NotebookUnusable as unusable:
        tell_failure(arguments, "LAB_NOTEBOOK_UNUSABLE", str(unusable))
    except CellFailed as failed:
        say(f"\n{failed.report}")
        tell_failure(arguments, "LAB_NOTEBOOK_CELL_FAILED", str(failed))
    except Stopped as stopped:
        say(str(stopped))
        return STOPPED
    except BrokenPipeError:
        # Nobody reads the output any more (`… | head`). The interpreter's own last flush must not try to write either.
        sys.stdout = None
    return 1


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Execute a notebook.")
    parser.add_argument("notebook", type=Path)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--inject", metavar="CODE")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--failure-to", type=int, metavar="FD")
    return parser.parse_args()


async def execute(notebook, kernel: str, arguments: argparse.Namespace) -> int:
    def save() -> None:
        if arguments.output is not None:
            write_notebook(notebook, arguments.output)

    execution = Execution(notebook, kernel, folder=arguments.notebook.resolve().parent)
    loop = asyncio.get_running_loop()
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(each, execution.stop)
    try:
        await execution.run(after_cell=save)
    finally:
        save()
    return 0


def tell_failure(arguments: argparse.Namespace, code: str, sentence: str) -> None:
    if arguments.failure_to is None:
        say(f"error: {sentence} [{code}]")
    else:
        os.write(arguments.failure_to, json.dumps({"code": code, "sentence": sentence}).encode())


def say(text: str) -> None:
    write(f"{text}\n", sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
