import { expect, test } from 'vitest'
import { parseArguments } from '../../../../server/vct/src/command/arguments.ts'

test('up has defaults for everything but its home', () => {
  expect(parseArguments(['up', '--home', '/lab'])).toEqual({
    command: 'up',
    home: '/lab',
    nodes: 5,
    port: 8080,
    template: null,
    life: 'background',
  })
})

test('up takes what it is told', () => {
  const argv = ['up', '--foreground', '--home', '/lab', '--nodes', '7', '--port', '18080']
  expect(parseArguments([...argv, '--template', '/t.tar.gz'])).toMatchObject({
    nodes: 7,
    port: 18_080,
    template: '/t.tar.gz',
    life: 'foreground',
  })
})

test('down and status need a home', () => {
  expect(parseArguments(['down', '--home', '/lab'])).toEqual({ command: 'down', home: '/lab' })
  expect(() => parseArguments(['status'])).toThrow('--home, the data folder, is missing')
})

test.each([
  [['up', '--home', '/lab', '--nodes', '0'], '--nodes is 1 to 64, not 0'],
  [['up', '--home', '/lab', '--nodes', 'five'], '--nodes is 1 to 64, not five'],
  [['up', '--home', '/lab', '--port', '70000'], '--port is 1 to 65535, not 70000'],
  [['go', '--home', '/lab'], 'there is up, down and status, not go'],
  [['--home', '/lab'], 'there is up, down and status, not nothing'],
  [['up', 'down', '--home', '/lab'], 'one command at a time'],
  [['up', '--hom', '/lab'], '--hom'],
])('%j is refused with a reason', (argv, reason) => {
  expect(() => parseArguments(argv)).toThrow(reason)
})
