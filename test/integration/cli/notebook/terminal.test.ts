import { execFile } from 'node:child_process'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const checkout = resolve(import.meta.dirname, '../../../..')

/** Shows a text on a terminal of its own, and prints as JSON what that terminal got. */
const program = `
import json, os, pty, sys
sys.path.insert(0, "server/cli/jupyter")
from recorder import show
child, terminal = pty.fork()
if child == 0:
    show(json.loads(sys.argv[1]), sys.stdout)
    os._exit(0)
got = b""
try:
    while part := os.read(terminal, 1024):
        got += part
except OSError:
    pass
print(json.dumps(got.decode()))
`

it('what a cell prints sends a terminal colours and lines, and no other control characters', async () => {
  const text = 'a\u001b]52;c;aGk=\u0007 \u001b[31mred\u001b[0m\t\u001b[2J\u009b1Ab\r\n'
  const { stdout } = await promisify(execFile)(
    join(checkout, '.venv/bin/python'),
    ['-B', '-c', program, JSON.stringify(text)],
    { cwd: checkout },
  )
  expect(JSON.parse(stdout)).toBe(
    'a\\x1b]52;c;aGk=\\x07 \u001b[31mred\u001b[0m\t\\x1b[2J\\x9b1Ab\r\r\n',
  )
})
