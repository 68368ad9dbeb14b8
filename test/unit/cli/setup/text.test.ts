import { expect, it } from 'vitest'
import { installAdvice, parseInstalled } from '../../../../server/cli/setup/debian.mjs'
import { remedyOf } from '../../../../server/cli/setup/failure.mjs'
import { uvEnvironment } from '../../../../server/cli/setup/python.mjs'
import { placeComplaint } from '../../../../server/cli/setup/place.mjs'
import { fitLine } from '../../../../server/cli/setup/report.mjs'
import { readStartArguments, startHelp } from '../../../../server/cli/setup/start-arguments.mjs'
import { isAtLeast, nodeComplaint, npmComplaint } from '../../../../server/cli/setup/versions.mjs'

it('compares versions by number', () => {
  expect(isAtLeast('v20.9.0', '20.10.0')).toBe(false)
  expect(isAtLeast('v24.1.0', '20.10.0')).toBe(true)
  expect(isAtLeast('unknown', '1.0.0')).toBe(false)
})

it('says what to do about a Node or an npm that is too old', () => {
  expect(nodeComplaint('v18.19.0')).toContain('20 or newer')
  expect(nodeComplaint('v20.0.0')).toBeNull()
  expect(npmComplaint('9.2.0')).toContain('npm install --global npm@11')
})

it('says where a checkout cannot be used', () => {
  expect(placeComplaint('/home/ana/Übung 1 (neu)/' + 'long '.repeat(40))).toBeNull()
  expect(placeComplaint('/home/ana/lab [2]')).toContain('"/home/ana/lab [2]", has [, * or ? in it')
  expect(placeComplaint('/home/a:b')).toContain('move or clone it')
})

it('reads what dpkg says is installed', () => {
  expect(parseInstalled('tinc installed\ncrun config-files\nnft not-installed\n')).toEqual(
    new Set(['tinc']),
  )
})

it('tells an ordinary user what to install in one line', () => {
  const missing = [{ name: 'tinc', for: 'run' as const, programs: ['tincd'], why: 'x' }]
  expect(installAdvice(missing, true)).toContain(
    'sudo apt-get install --no-install-recommends tinc',
  )
  expect(installAdvice(missing, false)).toContain('tincd')
  expect(installAdvice(missing, true)).not.toContain('\n')
})

it('takes a network that does not answer for what it is', () => {
  const lines = ['npm error code EAI_AGAIN', 'npm error request failed']
  expect(remedyOf(lines, '/log')).toContain('network did not answer')
  expect(remedyOf(['npm error code EINTEGRITY'], '/log')).toContain('/log')
})

it('hands the settings of pip to uv, and leaves to pip what uv cannot be told', () => {
  expect(uvEnvironment("global.index-url='https://example.org/simple'\n")).toMatchObject({
    UV_DEFAULT_INDEX: 'https://example.org/simple',
  })
  expect(uvEnvironment("global.proxy='http://proxy:3128'\n")).toBeNull()
})

it('cuts progress to the width of the terminal, without what it was coloured with', () => {
  expect(fitLine('\u001b[32mabcdef\u001b[0m', 4)).toBe('abc…')
  expect(fitLine('ab\tc', 80)).toBe('ab c')
})

it.each([
  [[], 'start'],
  [['--nodes', '3', '--no-browser', '--port=9000'], 'start'],
  [['--nodes', '3', '-h'], 'help'],
  [['--node', '3'], 'wrong'],
  [['--nodes'], 'wrong'],
  [['--nodes', '--no-browser'], 'wrong'],
  [['--no-browser=yes'], 'wrong'],
  [['notebook.ipynb'], 'wrong'],
])('reads the arguments %j before anything is set up: %s', (args, kind) => {
  expect(readStartArguments(args).kind).toBe(kind)
})

it('tells what can be chosen, with what is chosen by default', () => {
  expect(startHelp()).toMatch(/--jupyter-port <port> .*\(default: 8888\)/u)
})
