"""A front end, or a cell, that sends invalid messages: the kernel survives and answers the next request."""

import zmq
from kernel import TIMEOUT_S, KernelCase, text_of

SHOWN_BYTES = 8 * 1024 * 1024
PART_BYTES = 256 * 1024 * 1024


class HostileChecks(KernelCase):
    def lives(self):
        self.assertEqual(self.ok("1 + 1")[-1]["content"]["data"]["text/plain"], "2")

    def raw(self, frames):
        """Send frames to the shell socket, from a socket of its own."""
        socket = zmq.Context.instance().socket(zmq.DEALER)
        socket.linger = 5_000
        socket.connect(f"tcp://{self.km.ip}:{self.km.shell_port}")
        socket.send_multipart(frames, copy=False)
        return socket

    def comm(self, kind, buffers=None, **content):
        msg = self.kc.session.msg(kind, content)
        self.kc.session.send(self.kc.shell_channel.socket, msg, buffers=buffers)
        return msg["header"]["msg_id"]

    def published(self, kind):
        while True:
            msg = self.kc.get_iopub_msg(timeout=TIMEOUT_S)
            if msg["msg_type"] == kind:
                return msg

    def test_frames_that_are_no_message_are_dropped(self):
        sign = self.kc.session.sign
        header = self.kc.session.pack(self.kc.session.msg_header("execute_request"))
        content = self.kc.session.pack({"code": "globalThis.reached = 1", "silent": False})
        deep = b'{"a":' * 100_000 + b"1" + b"}" * 100_000
        sockets = [
            self.raw(frames)
            for frames in [
                [b"junk"],
                [b"<IDS|MSG>"],
                [b"<IDS|MSG>", b"wrong", header, b"{}", b"{}", content],
                [b"<IDS|MSG>", sign([header, b"{}", b"{}", b"{not json"]), header, b"{}", b"{}", b"{not json"],
                [b"<IDS|MSG>", sign([header, b"{}", b"{}", b"[]"]), header, b"{}", b"{}", b"[]"],
                [b"<IDS|MSG>", sign([header, b"{}", b"{}", deep]), header, b"{}", b"{}", deep],
                [b"<IDS|MSG>", sign([deep, b"{}", b"{}", content]), deep, b"{}", b"{}", content],
                [b"<IDS|MSG>", b"", b"\xff" * 10, b"{}", b"{}", content],
            ]
        ]
        published = self.ok("(globalThis as any).reached ?? 'not reached'")
        self.assertEqual(published[-1]["content"]["data"]["text/plain"], "'not reached'")
        for socket in sockets:
            socket.close()

    def test_a_part_beyond_the_bound_is_not_read(self):
        socket = self.raw([b"<IDS|MSG>", b"", b" " * (PART_BYTES + 1)])
        self.lives()
        socket.close(linger=0)

    def test_ten_thousand_conversations_that_nobody_takes_are_closed(self):
        for n in range(10_000):
            self.comm("comm_open", comm_id=f"none-{n}", target_name=f"target-{n}", data={})
        closed = {self.published("comm_close")["content"]["comm_id"] for _ in range(10_000)}
        self.assertEqual(len(closed), 10_000)
        self.lives()

    def test_bytes_travel_beside_comms_both_ways(self):
        self.ok(
            "import { openComm, registerTarget } from 'community-lab:jupyter'\n"
            "registerTarget('bytes', (comm, data, buffers) => {\n"
            "  comm.send({ opened: buffers.length })\n"
            "  comm.onMessage((data, [first = new Uint8Array()]) => comm.send({ length: first.length }, [first.map((n) => 255 - n), new Uint8Array(2)]))\n})"
        )
        self.comm("comm_open", [b"a", b"bc"], comm_id="b1", target_name="bytes", data={})
        self.assertEqual(self.published("comm_msg")["content"]["data"], {"opened": 2})
        self.comm("comm_msg", [bytes(range(256)) * 4_000], comm_id="b1", data={})
        answer = self.published("comm_msg")
        self.assertEqual(answer["content"]["data"], {"length": 1_024_000})
        self.assertEqual([bytes(each) for each in answer["buffers"]], [bytes(range(255, -1, -1)) * 4_000, b"\0\0"])

    def test_what_is_too_deep_for_a_notebook_is_an_error_of_its_cell(self):
        self.ok(
            "let deep: unknown = 1\nfor (let i = 0; i < 3_500; i++) deep = [deep]\n"
            "let flat: unknown = '['\nfor (let i = 0; i < 400; i++) flat = { of: flat, text: '\\\\\"[{' }\n"
            "const shows = (globalThis as any)[Symbol.for('community-lab.display')].display"
        )
        for code in (
            "shows({ 'application/json': deep })",
            "shows({ 'text/plain': '' }, { of: deep })",
            "const shown = { [Symbol.for('Jupyter.display')]: () => ({ 'application/json': deep }) }; shown",
            "import { openComm } from 'community-lab:jupyter'\nopenComm('page', deep)",
        ):
            content, _ = self.run_cell(code)
            self.assertIn("more than 500 arrays and objects in each other", content["evalue"])
        self.assertEqual(self.ok("shows({ 'application/json': flat })")[0]["msg_type"], "display_data")

    def test_a_cell_and_its_programs_share_one_bound_on_both_streams(self):
        published = self.ok(
            "import { spawnSync } from 'node:child_process'\n"
            "spawnSync(process.execPath, ['-e', 'process.stdout.write(`x`.repeat(5 << 20))'], { stdio: 'inherit' })\n"
            "process.stderr.write('y'.repeat(5 << 20))\nconst silent = 1"
        )
        shown = text_of(published).count("x") + text_of(published, "stderr").count("y")
        self.assertLessEqual(shown, SHOWN_BYTES + 200)
        self.assertIn("this cell has shown more than 8 MiB", text_of(published, "stderr"))

    def test_it_answers_questions_while_a_cell_prints_without_end(self):
        msg_id = self.kc.execute("while (Date.now() > 0) console.log('z'.repeat(1_000))")
        self.iopub(msg_id, until=lambda msg: msg["msg_type"] == "stream")
        self.assertIn("toString", self.reply(self.kc.complete("(5).toS", 7))["content"]["matches"])
        self.assertIn("log", str(self.reply(self.kc.inspect("console.log", 10))["content"]["data"]))
        self.control("interrupt_request")
        self.assertEqual(self.reply(msg_id)["content"]["ename"], "KeyboardInterrupt")
        self.iopub(msg_id)
        self.lives()
