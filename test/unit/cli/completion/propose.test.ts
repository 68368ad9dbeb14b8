import { createCommand, createOption } from 'commander'
import { describe, expect, it } from 'vitest'
import { describeCommands } from '../../../../server/cli/src/completion/describe-commands.ts'
import { joinWords, propose } from '../../../../server/cli/src/completion/propose.ts'

const program = createCommand('community-lab')
const node = program.command('node').description('the nodes')
node.command('show <name>').option('--json', 'print JSON')
node.command('add <name>').option('--island <island>', 'where it is')
const role = createOption('--role <role>', 'its role').choices(['operator', 'researcher'])
program.command('token').command('create <name>').addOption(role).option('--user <name>', 'whose')
program.command('group').command('set-role <name> <user>')
program.command('vct').command('node <name>')
program.command('run <notebook>').option('--output <file>', 'where to')
program.command('__names', { hidden: true })
// eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment -- commander's function makes an instance of its own class
const tree = describeCommands(program)

const at = (...words: readonly string[]) => {
  const found = propose(tree, words)
  if (found.is === 'words') return found.words.map(({ word }) => word)
  return found.is === 'names' ? `${found.before}${found.kind}:${found.start}` : found.is
}

describe('the completion', () => {
  it('proposes commands, and no hidden one', () => {
    expect(at('')).toEqual(['node', 'token', 'group', 'vct', 'run'])
    expect(at('node', 's')).toEqual(['show'])
    expect(at('unknown', '')).toEqual([])
  })

  it('proposes names of the kind that an argument has, and none for what is new', () => {
    expect(at('node', 'show', 'n')).toBe('node:n')
    expect(at('node', 'show', '"n')).toBe('node:n')
    expect(at('vct', 'node', '')).toBe('node:')
    expect(at('group', 'set-role', '')).toBe('group:')
    expect(at('group', 'set-role', 'red', 'a')).toBe('user:a')
    expect(at('group', 'set-role', 'red', 'ada', '')).toEqual([])
    expect(at('node', 'add', '')).toEqual([])
  })

  it('proposes options once, and the values of those that have some', () => {
    expect(at('node', 'show', '-')).toEqual(['--json', '--help'])
    expect(at('node', 'show', '--json', 'n1', '-')).toEqual(['--help'])
    expect(at('token', 'create', 'x', '--role', '')).toEqual(['operator', 'researcher'])
    expect(at('token', 'create', 'x', '--role=op')).toEqual(['--role=operator'])
    expect(at('token', 'create', '--user', 'a')).toBe('user:a')
    expect(at('token', 'create', '--user=a')).toBe('--user=user:a')
    expect(at('node', 'add', 'n9', '--island', '')).toBe('island:')
    expect(at('node', 'show', '--', '-')).toBe('node:-')
  })

  it('leaves files to the shell', () => {
    expect(at('run', '')).toBe('files')
    expect(at('run', 'a.ipynb', '--output', '')).toBe('files')
  })

  it('joins what bash takes apart', () => {
    expect(joinWords(['x', '--user', '=', 'ada'])).toEqual(['x', '--user=ada'])
    expect(joinWords(['x', '--user', '='])).toEqual(['x', '--user='])
    expect(joinWords(['x', '--user', 'ada', ''])).toEqual(['x', '--user', 'ada', ''])
  })
})
