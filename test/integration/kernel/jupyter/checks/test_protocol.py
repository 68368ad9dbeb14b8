"""Requirements of the messaging protocol that Jupyter's own test suite does not check."""

import os
import signal
import time
import unittest

from kernel import TIMEOUT_S, FolderCase, KernelCase, has_text, text_of


class Protocol(KernelCase):
    def test_messages_of_a_cell_come_in_the_order_of_the_protocol(self):
        msg_id = self.kc.execute('console.log("x"); 7')
        kinds = [
            m["content"].get("execution_state") or m["msg_type"] for m in self.iopub(msg_id)
        ]
        self.assertEqual(kinds, ["busy", "execute_input", "stream", "execute_result", "idle"])

    def test_the_reply_and_the_result_carry_the_execution_count(self):
        first, _ = self.run_cell("1")
        second, published = self.run_cell("2")
        self.assertEqual(second["execution_count"], first["execution_count"] + 1)
        self.assertEqual(published[0]["content"]["execution_count"], second["execution_count"])
        self.assertEqual(second["user_expressions"], {})

    def test_a_silent_cell_counts_nothing_and_shows_no_result(self):
        before, _ = self.run_cell("1")
        msg_id = self.kc.execute("2", silent=True)
        kinds = [m["msg_type"] for m in self.iopub(msg_id)]
        self.assertEqual(kinds, ["status", "status"])
        self.assertEqual(self.reply(msg_id)["content"]["execution_count"], before["execution_count"])

    def test_variables_types_and_imports_stay_between_cells(self):
        self.ok("interface Point { x: number }\nimport { join } from 'node:path'\nlet p: Point = { x: 1 }")
        published = self.ok("p = { x: p.x + 1 }; join('a', String(p.x))")
        self.assertEqual(published[-1]["content"]["data"]["text/plain"], "'a/2'")

    def test_a_top_level_for_await_is_the_only_await_that_a_cell_needs(self):
        published = self.ok("for await (const x of [1, 2]) console.log(x)")
        self.assertEqual(text_of(published), "1\n2\n")

    def test_a_package_that_the_notebook_lacks_comes_from_the_kernel(self):
        published = self.ok("import * as Plot from '@observablehq/plot'\ntypeof Plot.plot")
        self.assertEqual(published[-1]["content"]["data"]["text/plain"], "'function'")

    def test_a_variable_of_an_earlier_cell_may_be_a_shorthand_property(self):
        self.ok("let near = [1]")
        published = self.ok("({ near } = { near: [2] });\n({ near, far: (() => { const near = 3; return { near } })() })")
        self.assertEqual(published[-1]["content"]["data"]["text/plain"], "{ near: [ 2 ], far: { near: 3 } }")

    def test_an_updated_display_keeps_its_id(self):
        published = self.ok(
            "const place = (globalThis as any)[Symbol.for('community-lab.display')].newDisplay()\n"
            "place.update({ 'text/plain': 'one' }); place.update({ 'text/plain': 'two' })"
        )
        self.assertEqual([m["msg_type"] for m in published], ["display_data", "update_display_data"])
        ids = {m["content"]["transient"]["display_id"] for m in published}
        self.assertEqual(len(ids), 1)

    def test_a_value_says_itself_how_it_is_shown(self):
        published = self.ok(
            "({ [Symbol.for('Jupyter.display')]: () => ({ 'image/png': new Uint8Array([1, 2, 3]) }) })"
        )
        data = published[-1]["content"]["data"]
        self.assertEqual(data["image/png"], "AQID")
        self.assertIn("text/plain", data)

    def test_unknown_comms_are_closed_and_none_are_listed(self):
        msg = self.kc.session.msg("comm_open", {"comm_id": "c1", "target_name": "t", "data": {}})
        self.kc.shell_channel.send(msg)
        kinds = [m["msg_type"] for m in self.iopub(msg["header"]["msg_id"])]
        self.assertEqual(kinds, ["status", "comm_close", "status"])
        msg = self.kc.session.msg("comm_info_request", {})
        self.kc.shell_channel.send(msg)
        reply = self.reply(msg["header"]["msg_id"])
        self.assertEqual((reply["msg_type"], reply["content"]["comms"]), ("comm_info_reply", {}))

    def test_a_cell_takes_comms_of_a_target_that_it_registered(self):
        self.ok(
            "import { registerTarget } from 'community-lab:jupyter'\n"
            "registerTarget('echo', (comm, data) => {\n"
            "  comm.send({ opened: data.n })\n"
            "  comm.onMessage((data) => comm.send({ twice: data.n * 2 }))\n"
            "  comm.onClose(() => console.log('closed'))\n})"
        )

        def send(kind, **content):
            msg = self.kc.session.msg(kind, {"comm_id": "e1", **content})
            self.kc.shell_channel.send(msg)

        def answer(kind):
            while True:
                msg = self.kc.get_iopub_msg(timeout=TIMEOUT_S)
                if msg["msg_type"] == kind:
                    return msg["content"]

        send("comm_open", target_name="echo", data={"n": 4})
        self.assertEqual(answer("comm_msg"), {"comm_id": "e1", "data": {"opened": 4}})
        send("comm_msg", data={"n": 5})
        self.assertEqual(answer("comm_msg")["data"], {"twice": 10})
        msg = self.kc.session.msg("comm_info_request", {"target_name": "echo"})
        self.kc.shell_channel.send(msg)
        self.assertEqual(self.reply(msg["header"]["msg_id"])["content"]["comms"], {"e1": {"target_name": "echo"}})
        send("comm_close", data={})
        self.assertEqual(answer("stream")["text"], "closed\n")

    def test_a_cell_opens_a_comm_itself(self):
        published = self.ok(
            "import { openComm } from 'community-lab:jupyter'\n"
            "const comm = openComm('page', { n: 1 })\ncomm.send({ n: 2 })\ncomm.close({ n: 3 })"
        )
        self.assertEqual([m["msg_type"] for m in published], ["comm_open", "comm_msg", "comm_close"])
        self.assertEqual([m["content"]["data"] for m in published], [{"n": 1}, {"n": 2}, {"n": 3}])

    def test_data_that_a_comm_cannot_send_leaves_it_open(self):
        self.ok("import { openComm } from 'community-lab:jupyter'\nconst held = openComm('page')")
        content, _ = self.run_cell("held.close(5n)")
        self.assertIn("BigInt", content["evalue"])
        self.assertEqual([m["msg_type"] for m in self.ok("held.close(5)")], ["comm_close"])

    def test_expressions_are_evaluated_after_the_cell(self):
        asked = {
            "sum": "base + 1",
            "waited": "await Promise.resolve('late') // of it",
            "nothing": "undefined",
            "wrong": "base.nothing",
            "thrown": "(() => { throw new RangeError('far') })()",
            "statement": "let other = 1",
            "shown": "console.log('printed')",
        }
        msg_id = self.kc.execute("let base = 41", user_expressions=asked)
        published = self.iopub(msg_id)
        self.assertEqual(text_of(published), "printed\n")
        self.assertNotIn("execute_result", [m["msg_type"] for m in published])
        content = self.reply(msg_id)["content"]
        values = content["user_expressions"]
        self.assertEqual(list(values), list(asked))
        shown = {name: value["data"]["text/plain"] for name, value in values.items() if value["status"] == "ok"}
        self.assertEqual(shown, {"sum": "42", "waited": "'late'", "nothing": "undefined", "shown": "undefined"})
        self.assertEqual(values["sum"]["metadata"], {})
        wrong = {name: (value["ename"], value["evalue"]) for name, value in values.items() if value["status"] == "error"}
        self.assertEqual(wrong["thrown"], ("RangeError", "far"))
        self.assertIn("Property 'nothing' does not exist on type 'number'", wrong["wrong"][1])
        self.assertEqual(wrong["statement"][0], "TypeScriptError")
        after = self.ok("base")[-1]["content"]
        self.assertEqual(after["execution_count"], content["execution_count"] + 1)

    def test_expressions_are_not_evaluated_after_a_cell_that_failed(self):
        msg_id = self.kc.execute("throw new Error('over')", user_expressions={"one": "1"})
        self.iopub(msg_id)
        self.assertNotIn("user_expressions", self.reply(msg_id)["content"])

    def test_a_name_with_a_question_mark_is_explained(self):
        self.ok("/** Doubles. */\nconst twice = (x: number) => x * 2")
        content, published = self.run_cell("twice?")
        self.assertEqual(published, [])
        self.assertIn("Doubles.", content["payload"][0]["data"]["text/markdown"])

    def test_names_are_explained_as_in_ipython(self):
        for asks in ("?Math.max", "Math.max??", "\n?? Math.max\n", "const few = [1]\nMath.max?"):
            content, published = self.run_cell(asks)
            self.assertEqual(published, [])
            self.assertIn("max(", content["payload"][0]["data"]["text/markdown"])
        self.assertEqual(self.ok("few")[-1]["content"]["data"]["text/plain"], "[ 1 ]")

    def test_a_question_after_lines_that_fail_is_not_answered(self):
        content, _ = self.run_cell("throw new Error('bad')\nMath.max?")
        self.assertEqual((content["status"], content["ename"]), ("error", "Error"))
        content, _ = self.run_cell("const half = true\n  ? few")
        self.assertEqual((content["status"], content["ename"]), ("error", "TypeScriptError"))

    def test_a_promise_on_the_last_line_is_told(self):
        published = self.ok("Promise.resolve(1)")
        self.assertIn("Write `await` before it", text_of(published, "stderr"))

    def test_a_debugger_is_refused_and_the_control_channel_answers(self):
        request = {"type": "request", "seq": 3, "command": "initialize", "arguments": {}}
        reply = self.reply(self.control("debug_request", request), "control")
        self.assertEqual((reply["msg_type"], reply["content"]["success"]), ("debug_reply", False))

    def test_a_cell_sent_on_the_control_channel_is_answered_there(self):
        msg_id = self.control("execute_request", {"code": "1", "silent": False})
        self.assertEqual(self.reply(msg_id, "control")["content"]["status"], "ok")

    def test_a_message_that_comes_again_byte_for_byte_is_dropped(self):
        self.ok("let times = 0")
        msg = self.kc.session.msg("execute_request", {"code": "times++"})
        frames = self.kc.session.serialize(msg)
        for _ in range(2):
            self.kc.shell_channel.socket.send_multipart(frames)
        self.reply(msg["header"]["msg_id"])
        self.assertEqual(self.ok("times")[-1]["content"]["data"]["text/plain"], "1")

    def test_a_message_with_a_wrong_signature_is_dropped(self):
        right = self.kc.session.key
        self.kc.session.key = b"wrong"
        try:
            self.kc.execute("globalThis.forged = true")
        finally:
            self.kc.session.key = right
        published = self.ok("'forged' in globalThis")
        self.assertEqual(published[-1]["content"]["data"]["text/plain"], "false")

    def test_programs_end_with_a_process_that_ends_by_itself(self):
        started = self.ok(
            "import { spawn } from 'node:child_process'\nconst own = spawn('sleep', ['1000'])\n"
            "const kept = spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' })\n;[own.pid, kept.pid].join()"
        )
        own, kept = map(int, started[-1]["content"]["data"]["text/plain"].strip("'").split(","))
        self.run_cell("process.exit(3)")
        self.ok("1")
        wait_for_end(own)
        self.assertTrue(is_running(kept))
        os.kill(kept, signal.SIGKILL)

    def test_completion_counts_code_points(self):
        code = 'const face = "😀"; Math.cei'
        reply = self.reply(self.kc.complete(code))["content"]
        self.assertEqual((reply["matches"], reply["cursor_start"], reply["cursor_end"]), (["ceil"], len(code) - 3, len(code)))

    def test_questions_are_answered_while_a_cell_runs(self):
        msg_id = self.kc.execute("console.log('begun'); await new Promise(go => { (globalThis as any).go = go })")
        self.iopub(msg_id, until=lambda m: m["msg_type"] == "stream")
        self.assertEqual(self.reply(self.kc.kernel_info())["msg_type"], "kernel_info_reply")
        self.reply(self.control("interrupt_request"), "control")
        self.assertEqual(self.reply(msg_id)["content"]["ename"], "KeyboardInterrupt")

    def test_idle_is_the_last_state_of_an_empty_cell_that_a_question_comes_with(self):
        self.ok("1")
        for _ in range(10):
            burst = [self.kc.execute(""), self.kc.kernel_info()]
            for msg_id in burst:
                self.reply(msg_id)
            states = self.states()
            for msg_id in burst:
                own = [state for parent, state in states if parent == msg_id]
                self.assertEqual((own[-1], own.count("idle")), ("idle", 1), states)

    def test_what_a_prompt_asks_is_text(self):
        msg_id = self.kc.execute("prompt(5 as any)", allow_stdin=True)
        self.assertEqual(self.kc.get_stdin_msg(timeout=TIMEOUT_S)["content"]["prompt"], "5")
        self.kc.input("")
        self.reply(msg_id)

    def test_text_that_a_template_has_begun_is_incomplete(self):
        reply = self.reply(self.kc.is_complete("const text = `begun"))["content"]
        self.assertEqual(reply["status"], "incomplete")

    def test_a_prompt_is_answered_by_the_person_at_the_notebook(self):
        msg_id = self.kc.execute("const answer = prompt('Name? '); answer", allow_stdin=True)
        request = self.kc.get_stdin_msg(timeout=TIMEOUT_S)
        self.assertEqual(request["content"], {"prompt": "Name? ", "password": False})
        self.kc.input("Ada")
        results = [m for m in self.iopub(msg_id) if m["msg_type"] == "execute_result"]
        self.assertEqual(results[0]["content"]["data"]["text/plain"], "'Ada'")

    READLINE = (
        "import { createInterface } from 'node:readline/promises'\n"
        "const lines = createInterface({ input: process.stdin, output: process.stdout })\n"
        "const first = await lines.question('First? ')\nconst second = await lines.question('Second? ')\n"
        "lines.close()\n;[first, second].join()"
    )

    def test_questions_of_readline_are_answered_by_the_person_at_the_notebook(self):
        for _ in range(2):
            msg_id = self.kc.execute(self.READLINE, allow_stdin=True)
            for answer in ("Ada", "Grace"):
                self.assertEqual(self.kc.get_stdin_msg(timeout=TIMEOUT_S)["msg_type"], "input_request")
                self.kc.input(answer)
            published = self.iopub(msg_id)
            results = [m for m in published if m["msg_type"] == "execute_result"]
            self.assertEqual(results[0]["content"]["data"]["text/plain"], "'Ada,Grace'")
            self.assertEqual(text_of(published), "First? Second? ")

    def test_a_question_of_readline_that_nobody_can_answer_is_an_error(self):
        content, _ = self.run_cell(self.READLINE, allow_stdin=False)
        self.assertIn("nobody can be asked", content["evalue"])

    def test_an_input_that_is_read_to_its_end_is_empty_where_nobody_can_be_asked(self):
        published = self.ok("let all = ''\nfor await (const part of process.stdin) all += part\nall", allow_stdin=False)
        self.assertEqual(published[-1]["content"]["data"]["text/plain"], "''")

    def test_a_prompt_that_nobody_can_answer_is_an_error(self):
        content, _ = self.run_cell("prompt('Name? ')", allow_stdin=False)
        self.assertIn("nobody can be asked", content["evalue"])


class Elsewhere(FolderCase):
    """A notebook in a folder outside of the checkout."""

    def test_what_the_kernel_lends_has_types_that_later_cells_know(self):
        self.ok("import { connect } from '@community-lab/kernel'\nconst lend = () => connect()")
        self.ok("const find = async () => await lend().nodes.find({ state: 'production' })")
        content, _ = self.run_cell("const wrong: number = (null as any as Awaited<ReturnType<typeof find>>)[0].name")
        self.assertIn("Type 'string' is not assignable to type 'number'", content["evalue"])


class Shutdown(unittest.TestCase):
    """A restart ends the kernel and its processes, whatever they are doing."""

    # What a cell is doing at the restart. It has printed `begun`, or is still being compiled.
    PHASES = {
        "nothing": None,
        "it waits": "console.log('begun'); await new Promise(() => {})",
        "it loops": "console.log('begun'); while (true) {}",
        "it asks": "console.log('begun'); prompt('Name? ')",
        "it waits for a program": "import { execFileSync } from 'node:child_process'\nprocess.stdout.write('begun\\n'); execFileSync('sleep', ['1000'])",
        "it is compiled": "type Long<T, N extends unknown[] = []> = N['length'] extends 900 ? N['length'] : Long<T, [...N, T]>\n"
        + "\n".join(f"const long{i}: Long<{i}> = 900" for i in range(60)),
    }

    def test_it_tells_and_ends_with_its_process_and_programs_in_each_phase(self):
        for phase, code in self.PHASES.items():
            with self.subTest(phase):
                self.restart(code)

    def restart(self, code):
        class Case(KernelCase):
            pass

        Case.start()
        try:
            case = Case()
            started = case.ok(
                "import { spawn } from 'node:child_process'\nconst own = spawn('sleep', ['1000'])\n"
                "const kept = spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' })\n;[process.pid, own.pid, kept.pid].join()"
            )
            pids = started[-1]["content"]["data"]["text/plain"].strip("'").split(",")
            child, own, kept = map(int, pids)
            if code is not None:
                cell = case.kc.execute(code, allow_stdin=True)
                is_begun = has_text("begun") if "begun" in code else lambda msg: msg["msg_type"] == "execute_input"
                case.iopub(cell, until=is_begun)
            reply = case.reply(case.control("shutdown_request", {"restart": True}), "control")
            self.assertEqual(reply["content"], {"status": "ok", "restart": True})
            case.km.provisioner.process.wait(timeout=TIMEOUT_S)
            for pid in (child, own):
                wait_for_end(pid)
            # A detached process is meant to go on.
            self.assertTrue(is_running(kept))
            os.kill(kept, signal.SIGKILL)
        finally:
            Case.tearDownClass()


def wait_for_end(pid):
    """Wait until a process has ended. It was told to before, and takes its time on a busy machine."""
    deadline = time.monotonic() + TIMEOUT_S
    while is_running(pid):
        if time.monotonic() > deadline:
            raise AssertionError(f"process {pid} has not ended within {TIMEOUT_S} s")
        time.sleep(0.02)


def is_running(pid):
    """Tell whether a process exists and is not a zombie."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


if __name__ == "__main__":
    unittest.main()
