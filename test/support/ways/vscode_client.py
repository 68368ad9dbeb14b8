"""Run a notebook like VS Code's Jupyter extension: `vscode_client.py NOTEBOOK OUTPUT`. The exit code is 1 when a cell failed or the kernel violated the protocol.

VS Code starts the kernel itself, without a Jupyter server. The notebooks that it creates have no language in their metadata.

Source: microsoft/vscode-jupyter, src/kernels/kernel.ts and src/kernels/raw/session; the widgets' manager is @jupyter-widgets/base, manager-base.ts.
"""

import os
import sys
import time
import uuid
from pathlib import Path
from queue import Empty

import nbformat
from jupyter_client.manager import KernelManager

TIMEOUT_S = 120


class Client:
    def __init__(self, kernel, folder):
        self.manager = KernelManager(kernel_name=kernel)
        self.manager.start_kernel(cwd=folder)
        self.kernel = self.manager.client()
        self.kernel.session.username = ""
        self.kernel.start_channels()

    def end(self):
        self.kernel.stop_channels()
        self.manager.shutdown_kernel(now=True)

    def send(self, kind, content, metadata=None, channel="shell"):
        message = self.kernel.session.msg(kind, content, metadata=metadata)
        (self.kernel.control_channel if channel == "control" else self.kernel.shell_channel).send(message)
        return message["header"]["msg_id"]

    def reply(self, request, channel="shell"):
        get = self.kernel.get_control_msg if channel == "control" else self.kernel.get_shell_msg
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            message = get(timeout=max(0.01, deadline - time.monotonic()))
            if message["parent_header"].get("msg_id") == request:
                return message

    def published(self, request, until=lambda message: message["content"].get("execution_state") == "idle"):
        """Yield what the kernel publishes for a request, up to and including its `idle`."""
        while True:
            message = self.kernel.get_iopub_msg(timeout=TIMEOUT_S)
            if message["parent_header"].get("msg_id") != request:
                continue
            yield message
            if until(message):
                return

    def connect(self):
        """Do the handshake. It is done when both the reply and a publication have arrived."""
        self.kernel.wait_for_ready(timeout=TIMEOUT_S)
        request = self.send("kernel_info_request", {})
        info = self.reply(request)["content"]
        require(info["status"] == "ok", info)
        require([*self.published(request)][-1]["msg_type"] == "status", "the kernel says when it is idle")
        return info

    def start_widgets(self):
        """Look for widgets, as in each notebook. The first request is of a newer protocol: a kernel that does not know it closes the comm, and gets the older request."""
        conversation = uuid.uuid4().hex
        content = {"comm_id": conversation, "target_name": "jupyter.widget.control", "data": {}}
        opened = self.send("comm_open", content, metadata={"version": "1.0.0"})
        self.send("comm_msg", {"comm_id": conversation, "data": {"method": "request_states"}})
        answers = [message["msg_type"] for message in self.published(opened)]
        require("comm_close" in answers, answers)
        request = self.send("comm_info_request", {"target_name": "jupyter.widget", "target": "jupyter.widget"})
        require(self.reply(request)["content"]["comms"] == {}, "there are no widgets")

    def run_startup_commands(self):
        """Run the startup commands of the user, whether the kernel is for Python or not. They must have no effect."""
        content = {"code": "%config Completer.use_jedi = False", "silent": True, "store_history": False, "allow_stdin": False, "stop_on_error": False}
        request = self.send("execute_request", content)
        kinds = [message["msg_type"] for message in self.published(request)]
        require("execute_input" not in kinds and "stream" not in kinds, kinds)
        require(self.reply(request)["content"]["execution_count"] == 0, "a silent cell counts nothing")

    def run_cell(self, cell, number):
        content = {"code": cell.source, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": True, "stop_on_error": False}
        request = self.send("execute_request", content, metadata={"cellId": f"vscode-notebook-cell:/notebook.ipynb#W{number}sZmlsZQ%3D%3D"})
        # While the cell runs, the page requests hover information and completions.
        inspected = self.send("inspect_request", {"code": cell.source, "cursor_pos": 0, "detail_level": 0})
        completed = self.send("complete_request", {"code": cell.source, "cursor_pos": len(cell.source)})
        cell.outputs = []
        shown = {}
        for message in self.published(request):
            kind, content = message["msg_type"], message["content"]
            if kind == "update_display_data":
                shown[content["transient"]["display_id"]].update(data=content["data"], metadata=content["metadata"])
            elif kind == "clear_output":
                cell.outputs.clear()
            elif kind in ("stream", "display_data", "execute_result", "error"):
                output = nbformat.v4.output_from_msg(message)
                cell.outputs.append(output)
                shown[content.get("transient", {}).get("display_id")] = output
        # The replies may come in any order.
        replies = {}
        while len(replies) < 3:
            message = self.kernel.get_shell_msg(timeout=TIMEOUT_S)
            replies[message["parent_header"].get("msg_id")] = message["content"]
        require(replies[inspected]["status"] == "ok", replies[inspected])
        require(replies[completed]["status"] == "ok", replies[completed])
        cell.execution_count = replies[request]["execution_count"]
        require(cell.execution_count == number, f"cell {number} has the count {cell.execution_count}")
        return replies[request]["status"] == "ok"

    def interrupt(self):
        """Interrupt a cell. VS Code sends the request on the shell channel when a kernel takes interrupts as messages."""
        request = self.send("execute_request", {"code": "await new Promise(() => {})", "silent": False, "store_history": True, "allow_stdin": True})
        is_begun = lambda message: message["msg_type"] == "execute_input"
        list(self.published(request, until=is_begun))
        interrupt = self.send("interrupt_request", {})
        replies = {}
        while len(replies) < 2:
            message = self.kernel.get_shell_msg(timeout=TIMEOUT_S)
            replies[message["parent_header"].get("msg_id")] = message["content"]
        require(replies[interrupt]["status"] == "ok", replies)
        require(replies[request]["ename"] == "KeyboardInterrupt", replies)


def require(condition, what):
    if not condition:
        raise AssertionError(what)


def main(source, output):
    notebook = nbformat.read(source, as_version=4)
    kernel = notebook.metadata["kernelspec"]["name"]
    notebook.metadata.pop("language_info", None)
    del notebook.metadata["kernelspec"]["language"]
    client = Client(kernel, str(Path(source).resolve().parent))
    failed = False
    try:
        info = client.connect()
        client.start_widgets()
        client.run_startup_commands()
        notebook.metadata["language_info"] = {"name": info["language_info"]["name"]}
        cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
        for number, cell in enumerate(cells, start=1):
            if not client.run_cell(cell, number):
                failed = True
                break
        client.interrupt()
    except Empty:
        raise AssertionError("the kernel does not answer") from None
    finally:
        client.end()
        nbformat.write(notebook, output)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
