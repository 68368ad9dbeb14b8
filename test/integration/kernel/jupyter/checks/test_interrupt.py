"""An interrupt ends any cell, and keeps the variables where that is possible."""

from kernel import TIMEOUT_S, KernelCase, has_text


class Interrupt(KernelCase):
    def interrupted(self, code):
        """Run a cell that prints `begun`, interrupt it, and return the content of its reply."""
        msg_id = self.kc.execute(code)
        self.iopub(msg_id, until=has_text("begun"))
        reply = self.reply(self.control("interrupt_request"), "control")
        self.assertEqual(reply["content"]["status"], "ok")
        content = self.reply(msg_id)["content"]
        self.assertEqual((content["status"], content["ename"]), ("error", "KeyboardInterrupt"))
        return content

    def keeps_variables(self, code):
        self.ok("let treasure = 42")
        self.interrupted(code)
        published = self.ok("treasure")
        self.assertEqual(published[-1]["content"]["data"]["text/plain"], "42")

    def test_a_cell_that_waits_ends(self):
        self.keeps_variables("console.log('begun'); await new Promise(() => {})")

    def test_a_cell_that_loops_without_pause_ends_and_variables_stay(self):
        self.keeps_variables("console.log('begun'); while (true) {}")

    def test_a_loop_behind_an_await_ends_too(self):
        self.keeps_variables(
            "await new Promise(done => setTimeout(done, 5)); console.log('begun'); for (;;) { try { while (true) {} } catch {} }"
        )

    def test_the_signal_of_the_cell_is_aborted(self):
        msg_id = self.kc.execute(
            "const signal: AbortSignal = (globalThis as any)[Symbol.for('community-lab.interrupt')]\n"
            "signal.addEventListener('abort', () => console.log('told'))\n"
            "console.log('begun'); await new Promise((_, no) => signal.addEventListener('abort', () => no(signal.reason)))"
        )
        self.iopub(msg_id, until=has_text("begun"))
        self.control("interrupt_request")
        self.iopub(msg_id, until=has_text("told"))
        self.assertEqual(self.reply(msg_id)["content"]["ename"], "KeyboardInterrupt")
        fresh = self.ok("(globalThis as any)[Symbol.for('community-lab.interrupt')].aborted")
        self.assertEqual(fresh[-1]["content"]["data"]["text/plain"], "false")

    def test_a_cell_that_then_throws_what_cannot_be_read_ends_and_variables_stay(self):
        self.keeps_variables(
            "const told: AbortSignal = (globalThis as any)[Symbol.for('community-lab.interrupt')]\n"
            "const unread = Object.defineProperty(new Error(), 'stack', { get() { throw new Error('y') } })\n"
            "console.log('begun'); await new Promise((_, no) => told.addEventListener('abort', () => no(unread)))"
        )

    def test_a_prompt_that_a_cell_left_behind_is_refused_and_the_next_cell_runs(self):
        self.kc.execute("setTimeout(() => { try { prompt('late') } catch {} }, 100); 1", allow_stdin=True)
        self.kc.get_stdin_msg(timeout=TIMEOUT_S)
        self.reply(self.control("interrupt_request"), "control")
        self.assertEqual(self.ok("2")[-1]["content"]["data"]["text/plain"], "2")

    def test_cells_queued_behind_it_are_aborted(self):
        msg_id = self.kc.execute("console.log('begun'); await new Promise(() => {})")
        queued = self.kc.execute("1")
        self.iopub(msg_id, until=has_text("begun"))
        self.control("interrupt_request")
        self.assertEqual(self.reply(msg_id)["content"]["ename"], "KeyboardInterrupt")
        self.assertEqual(self.reply(queued)["content"]["status"], "aborted")

    def test_a_cell_that_takes_long_to_compile_says_so_until_it_ends_and_variables_stay(self):
        self.ok("let treasure = 42")
        long = "type Long<T, N extends unknown[] = []> = N['length'] extends 900 ? N['length'] : Long<T, [...N, T]>\n"
        msg_id = self.kc.execute(long + "\n".join(f"const long{i}: Long<{i}> = 900" for i in range(60)))
        self.iopub(msg_id, until=has_text("The types of this cell are being checked"))
        self.reply(self.control("interrupt_request"), "control")
        self.assertEqual(self.reply(msg_id)["content"]["ename"], "KeyboardInterrupt")
        ended = [msg["msg_type"] for msg in self.iopub(msg_id) if msg["msg_type"] != "status"]
        self.assertEqual(ended, ["clear_output", "error"])
        self.assertEqual(self.ok("treasure")[-1]["content"]["data"]["text/plain"], "42")

    def test_a_cell_stuck_in_native_code_loses_its_process_and_says_so(self):
        content = self.interrupted(
            "import { execFileSync } from 'node:child_process'\n"
            "process.stdout.write('begun\\n'); execFileSync('sleep', ['60'])"
        )
        self.assertIn("variables are lost", content["evalue"])
        self.ok("1")

    def test_a_program_that_a_cell_waited_for_ends_with_its_process(self):
        self.interrupted(
            "import { execFileSync } from 'node:child_process'\n"
            "process.stdout.write('begun\\n'); execFileSync('sleep', ['12345'])"
        )
        listed = self.ok("import { execSync } from 'node:child_process'\nexecSync('ps ax').includes('sleep 1' + '2345')")
        self.assertEqual(listed[-1]["content"]["data"]["text/plain"], "false")

    def test_an_interrupt_with_nothing_running_changes_nothing(self):
        self.reply(self.control("interrupt_request"), "control")
        self.ok("1")
