"""Write the outputs of cells into the notebook, and to the terminal as they come."""

import os
import re
import select
import sys

import nbformat
from nbformat.v4 import output_from_msg


class Recorder:
    """Records the outputs of one cell. Messages may come long after the end of the cell."""

    def __init__(self, cell: nbformat.NotebookNode) -> None:
        self.cell = cell
        self._clear_first = False

    def take(self, message: dict) -> None:
        """Record a message of the kernel that was caused by this cell."""
        kind, content = message["msg_type"], message["content"]
        if kind == "clear_output":
            self._clear_first = bool(content.get("wait"))
            if not self._clear_first:
                self.cell.outputs = []
        elif kind == "execute_input":
            self.cell.execution_count = content["execution_count"]
        elif kind in ("stream", "execute_result", "display_data", "error"):
            if self._clear_first:
                self.cell.outputs = []
                self._clear_first = False
            self._add(output_from_msg(message), is_progress=bool(message["metadata"].get("progress")))

    def fail(self, content: dict) -> None:
        """Add the error of the cell, if the kernel has not sent it (stock tslab)."""
        if not any(output.output_type == "error" for output in self.cell.outputs):
            error = {key: content.get(key) or default for key, default in (("ename", "Error"), ("evalue", ""), ("traceback", []))}
            self.cell.outputs.append(nbformat.v4.new_output("error", **error))

    def _add(self, output: nbformat.NotebookNode, is_progress: bool) -> None:
        if output.output_type == "stream":
            stream = sys.stderr if output.name == "stderr" else sys.stdout
            # Progress is for those who watch.
            if stream.isatty() or not is_progress:
                show(output.text, stream)
            last = self.cell.outputs[-1] if self.cell.outputs else None
            if last is not None and last.output_type == "stream" and last.name == output.name:
                last.text += output.text
                return
        elif output.output_type != "error":
            show(text_of(output.data) + "\n", sys.stdout)
        self.cell.outputs.append(output)


class Displays:
    """The outputs that the kernel may update later, by their display id. They may be in several cells."""

    def __init__(self) -> None:
        self._outputs: dict[str, list[nbformat.NotebookNode]] = {}
        self._changed: dict[str, str] = {}

    def take(self, message: dict, recorder: Recorder | None) -> None:
        """Record or update a display. Call it after the recorder got the message."""
        content = message["content"]
        display_id = (content.get("transient") or {}).get("display_id")
        if display_id is None:
            return
        if message["msg_type"] != "update_display_data":
            if recorder is not None and recorder.cell.outputs:
                self._outputs.setdefault(display_id, []).append(recorder.cell.outputs[-1])
            return
        # This also validates the message, as the recorder does.
        update = nbformat.v4.new_output("display_data", nbformat.from_dict(content["data"]), metadata=nbformat.from_dict(content["metadata"]))
        for output in self._outputs.get(display_id, []):
            output.data, output.metadata = update.data, update.metadata
            self._changed[display_id] = text_of(output.data)

    def tell_changes(self) -> None:
        """Print the last content of displays that have changed. It is printed only once, because a progress bar changes many times per second."""
        for text in self._changed.values():
            show(text + "\n", sys.stdout)
        self._changed = {}


def text_of(data: dict) -> str:
    text = data.get("text/plain")
    return f"[{', '.join(sorted(data))}]" if text is None else text


# All control characters except tabs, line ends and colours. With others, the output of a foreign program could write to the clipboard or change earlier lines.
CONTROLS = re.compile(r"(\x1b\[[0-9;]*m)|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def show(text: str, stream) -> None:
    """Write output of a cell. On a terminal, control characters are replaced by their codes (`\\x1b`)."""
    write(CONTROLS.sub(lambda found: found[1] or repr(found[0])[1:-1], text) if stream.isatty() else text, stream)


def write(text: str, stream) -> None:
    """Write a whole text, however slowly it is read. A character that the stream cannot encode is replaced by its code (`\\u2192`).

    A kernel inherits our pipes. Node.js makes its pipes non-blocking, which affects this process, too: the stream would drop the part that
    a full pipe does not accept.
    """
    stream.flush()
    rest = memoryview(text.encode(stream.encoding, "backslashreplace"))
    while rest:
        try:
            rest = rest[os.write(stream.fileno(), rest) :]
        except BlockingIOError:
            select.select([], [stream], [])
