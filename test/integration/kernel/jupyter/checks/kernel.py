"""One kernel for each test class, and the requests of the checks."""

import tempfile
import time
import unittest
from queue import Empty

from jupyter_client.manager import start_new_kernel

# The longest wait for a message, in seconds. It only ends an endless wait.
TIMEOUT_S = 60


class KernelCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.start()

    @classmethod
    def start(cls, **options):
        cls.km, cls.kc = start_new_kernel(kernel_name="communitylab", startup_timeout=60, **options)

    @classmethod
    def tearDownClass(cls):
        cls.kc.stop_channels()
        cls.km.shutdown_kernel(now=True)

    def iopub(self, msg_id, until="idle", timeout=TIMEOUT_S):
        """Return the messages on iopub with this parent, up to and including its `idle` (or the first that `until` accepts)."""
        stop = until if callable(until) else is_idle
        found = []
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            try:
                msg = self.kc.get_iopub_msg(timeout=max(0.01, deadline - time.monotonic()))
            except Empty:
                break
            if msg["parent_header"].get("msg_id") != msg_id:
                continue
            found.append(msg)
            if stop(msg):
                return found
        self.fail(f"it did not come within {timeout} s, but {[m['msg_type'] for m in found]}")

    def reply(self, msg_id, channel="shell", timeout=TIMEOUT_S):
        get = self.kc.get_shell_msg if channel == "shell" else self.kc.get_control_msg
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            try:
                msg = get(timeout=max(0.01, deadline - time.monotonic()))
            except Empty:
                break
            if msg["parent_header"].get("msg_id") == msg_id:
                return msg
        self.fail(f"no reply within {timeout} s")

    def run_cell(self, code, **options):
        """Run a cell. Returns the content of its reply, and its messages on iopub without states and input."""
        msg_id = self.kc.execute(code, **options)
        published = self.iopub(msg_id)
        content = self.reply(msg_id)["content"]
        # As on a page: on a busy machine, the compilation of a cell says that it takes long, and clears that before the cell runs.
        cleared = next((n for n, m in enumerate(published) if m["msg_type"] == "clear_output" and is_long(published[:n])), -1)
        return content, [m for m in published[cleared + 1 :] if m["msg_type"] not in ("status", "execute_input")]

    def states(self):
        """Return the states on iopub since it was last read, as (parent, state), up to those of one more request, which are left out."""
        asked = self.kc.kernel_info()
        self.reply(asked)
        found = []
        while True:
            msg = self.kc.get_iopub_msg(timeout=TIMEOUT_S)
            parent = msg["parent_header"].get("msg_id")
            if parent == asked and is_idle(msg):
                return found
            if parent != asked and msg["msg_type"] == "status":
                found.append((parent, msg["content"]["execution_state"]))

    def ok(self, code, **options):
        content, published = self.run_cell(code, **options)
        self.assertEqual(content["status"], "ok", content)
        return published

    def control(self, msg_type, content=None):
        msg = self.kc.session.msg(msg_type, content or {})
        self.kc.control_channel.send(msg)
        return msg["header"]["msg_id"]


class FolderCase(KernelCase):
    """A kernel in a folder of its own, outside of the checkout."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.start(cwd=cls.folder.name)

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.folder.cleanup()


def is_idle(msg):
    return msg["msg_type"] == "status" and msg["content"]["execution_state"] == "idle"


def is_long(published):
    return any("The types of this cell are being checked" in text_of([m], "stderr") for m in published)


def has_text(text):
    return lambda msg: msg["msg_type"] == "stream" and text in msg["content"]["text"]


def text_of(published, name="stdout"):
    return "".join(
        m["content"]["text"]
        for m in published
        if m["msg_type"] == "stream" and m["content"]["name"] == name
    )
