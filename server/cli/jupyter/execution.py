"""Execute the cells of a notebook, one after another, on a new kernel.

nbclient would drop the output that a cell prints after its end, and it waits for ever when stock tslab does not send that a cell is idle.
"""

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from queue import Empty

import nbformat
from failure import describe_death, describe_failure
from jupyter_client.manager import AsyncKernelManager
from notebook_file import NotebookUnusable, code_cells, tags_of
from recorder import Displays, Recorder, write

# All in seconds. The most time for the start of a kernel.
STARTUP_S = 60
# The most time between the reply of a cell and its last output.
LATE_OUTPUT_S = 5
# The most time for the end of a cell after an interrupt.
STOP_S = 10
# The time between checks that the kernel and the parent process are alive.
CHECK_EVERY_S = 1


class CellFailed(Exception):
    """A cell failed. `report` is its traceback."""

    def __init__(self, sentence: str, report: str) -> None:
        super().__init__(sentence)
        self.report = report


class Stopped(Exception):
    """The run was stopped."""


class KernelDied(RuntimeError):
    """The kernel has ended by itself."""


class Execution:
    def __init__(self, notebook: nbformat.NotebookNode, kernel: str, folder: Path) -> None:
        self._cells = code_cells(notebook)
        self._notebook = notebook
        self._folder = folder
        self._manager = AsyncKernelManager(kernel_name=kernel)
        self._client = None
        self._recorders: dict[str, Recorder] = {}
        self._idle: dict[str, asyncio.Event] = {}
        self._displays = Displays()
        self._heard_at = 0.0
        self._stopping: asyncio.Task | None = None
        self._told_to_stop = False
        self._parent = os.getppid()

    def stop(self) -> None:
        """Interrupt the running cell, and end its kernel if the cell does not end. A second call ends the kernel at once."""
        if self._stopping is not None:
            self._stopping.cancel()
        self._stopping = asyncio.ensure_future(self._interrupt(STOP_S if not self._told_to_stop else 0))
        self._told_to_stop = True

    async def run(self, after_cell: Callable[[], None]) -> None:
        """Run all cells. Raises CellFailed, Stopped or NotebookUnusable, or OSError when output cannot be written. In every case the kernel has ended."""
        listening = None
        try:
            await self._start()
            listening = asyncio.ensure_future(self._listen())
            await run_while_listening(listening, self._run_cells(after_cell))
        finally:
            await self._end(listening)
        if listening.done() and not listening.cancelled():
            # Raise the error of the listener that came while the kernel ended.
            listening.result()

    async def _run_cells(self, after_cell: Callable[[], None]) -> None:
        for number in range(1, len(self._cells) + 1):
            if self._told_to_stop:
                raise Stopped("stopped before its next cell")
            await self._run_cell(number)
            after_cell()

    async def _start(self) -> None:
        try:
            await self._manager.start_kernel(cwd=str(self._folder))
            self._client = self._manager.client()
            self._client.start_channels()
            await self._client.wait_for_ready(timeout=STARTUP_S)
            content = (await self._reply(self._client.kernel_info()))["content"]
        except (RuntimeError, OSError) as error:
            if self._told_to_stop:
                raise Stopped("stopped before its first cell") from error
            raise NotebookUnusable(f"the kernel {self._manager.kernel_name} does not start ({error})") from error
        self._notebook.metadata["language_info"] = nbformat.from_dict(content["language_info"])

    async def _end(self, listening: asyncio.Task | None) -> None:
        if self._manager.has_kernel:
            await self._manager.shutdown_kernel(now=self._client is None)
        if listening is not None:
            listening.cancel()
        if self._stopping is not None:
            self._stopping.cancel()
        if self._client is not None:
            self._client.stop_channels()
        await self._manager.cleanup_resources()
        self._displays.tell_changes()

    async def _run_cell(self, number: int) -> None:
        cell = self._cells[number - 1]
        if sys.stderr.isatty():
            write(f"\x1b[2m[cell {number} of {len(self._cells)}]\x1b[0m\n", sys.stderr)
        may_fail = "raises-exception" in tags_of(cell)
        # No answer can arrive before these entries are made, because nothing is awaited in between.
        request = self._client.execute(cell.source, allow_stdin=False, stop_on_error=not may_fail)
        recorder = self._recorders[request] = Recorder(cell)
        self._idle[request] = asyncio.Event()
        try:
            content = (await self._reply(request))["content"]
        except KernelDied as died:
            raise CellFailed(*describe_death(self._cells, number)) from died
        cell.execution_count = content.get("execution_count", cell.execution_count)
        await self._await_last_output(request, number)
        self._displays.tell_changes()
        if content["status"] == "ok":
            return
        recorder.fail(content)
        if self._told_to_stop:
            raise Stopped(f"stopped in cell {number} of {len(self._cells)}")
        if not may_fail:
            raise CellFailed(*describe_failure(self._cells, number))

    async def _reply(self, request: str) -> dict:
        while True:
            try:
                message = await self._client.get_shell_msg(timeout=CHECK_EVERY_S)
            except Empty:
                await self._check_processes()
                continue
            if message["parent_header"].get("msg_id") == request:
                return message

    async def _check_processes(self) -> None:
        """Check that the kernel and the process that started this one are alive."""
        if not await self._manager.is_alive():
            raise Stopped("stopped") if self._told_to_stop else KernelDied("the kernel has died")
        if os.getppid() != self._parent:
            # The process that started this one has ended.
            self.stop()

    async def _await_last_output(self, request: str, number: int) -> None:
        """Wait for the last output of the cell: until the kernel is idle, or has been silent for LATE_OUTPUT_S."""
        idle = self._idle[request]
        loop = asyncio.get_running_loop()
        self._heard_at = max(self._heard_at, loop.time())
        while not idle.is_set():
            left_s = self._heard_at + LATE_OUTPUT_S - loop.time()
            if left_s <= 0:
                write(f"warning: the kernel has not said that cell {number} is over; some output may be missing\n", sys.stderr)
                return
            try:
                await asyncio.wait_for(idle.wait(), left_s)
            except asyncio.TimeoutError:
                pass

    async def _listen(self) -> None:
        """Record the messages of the kernel. Never returns; raises NotebookUnusable at the first message that a notebook cannot hold."""
        loop = asyncio.get_running_loop()
        while True:
            message = await self._client.get_iopub_msg(timeout=None)
            self._heard_at = loop.time()
            try:
                self._take(message)
            except OSError:
                # The message is fine. Our own output cannot be written any more.
                raise
            except Exception as error:
                # A kernel may send anything, so every error is possible.
                raise NotebookUnusable(self._describe_unkept(message, error)) from error

    def _take(self, message: dict) -> None:
        cause = message["parent_header"].get("msg_id", "")
        if message["msg_type"] == "status":
            if message["content"]["execution_state"] == "idle" and cause in self._idle:
                self._idle[cause].set()
            return
        recorder = self._recorders.get(cause)
        if recorder is not None:
            recorder.take(message)
        self._displays.take(message, recorder)

    def _describe_unkept(self, message: dict, error: Exception) -> str:
        requests = list(self._recorders)
        cause = message["parent_header"].get("msg_id", "")
        who = f"cell {requests.index(cause) + 1} of {len(self._cells)}" if cause in requests else "the kernel"
        reason = " ".join([type(error).__name__, *str(error).splitlines()[:1]])
        return f"{who} put out what no notebook can keep ({message['msg_type']}: {reason}); the run ends there, correct what puts it out"

    async def _interrupt(self, patience_s: float) -> None:
        if not self._manager.has_kernel:
            return
        if self._client is not None and patience_s > 0:
            await self._manager.interrupt_kernel()
            await asyncio.sleep(patience_s)
        await self._manager.shutdown_kernel(now=True)


async def run_while_listening(listening: asyncio.Task, work: Coroutine) -> None:
    """Do the work while the listener runs, because output after the end of the listener would be lost. Raises the error of either."""
    working = asyncio.ensure_future(work)
    await asyncio.wait((listening, working), return_when=asyncio.FIRST_COMPLETED)
    if listening.done():
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        listening.result()
    await working
