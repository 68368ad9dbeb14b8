import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { LabError, messageOf } from '@community-lab/contract'
import { maxNodes } from '../network/topology.ts'

/** The arguments of `up`. */
export interface UpArguments {
  readonly command: 'up'
  readonly home: string
  readonly nodes: number
  readonly port: number
  /** The sliver template to use; null: the one in the data folder. */
  readonly template: string | null
  /** `foreground`: the testbed ends with the process that started it; `background`: it lives until `down`. */
  readonly life: 'foreground' | 'background'
}

/** The arguments of this program. */
export type Arguments =
  | UpArguments
  | { readonly command: 'down'; readonly home: string }
  | { readonly command: 'status'; readonly home: string }

/** The help text. */
export const usage = `usage: community-lab-vct up [--foreground] --home DIR [--nodes N] [--port P] [--template FILE]
       community-lab-vct down --home DIR
       community-lab-vct status --home DIR`

/** Parse the arguments, without the program's own name. @throws {@link LabError} LAB_VCT_USAGE. */
export function parseArguments(argv: readonly string[]): Arguments {
  const { values, positionals } = parse(argv)
  const [command, ...rest] = positionals
  if (rest.length > 0) throw wrong(`there is one command at a time, not ${positionals.join(' ')}`)
  if (values.home === undefined || values.home === '')
    throw wrong('--home, the data folder, is missing')
  const home = resolve(values.home)
  if (command === 'down' || command === 'status') return { command, home }
  if (command !== 'up') throw wrong(`there is up, down and status, not ${command ?? 'nothing'}`)
  return {
    command,
    home,
    nodes: integer('--nodes', values.nodes, maxNodes),
    port: integer('--port', values.port, 65_535),
    template: values.template === undefined ? null : resolve(values.template),
    life: values.foreground ? 'foreground' : 'background',
  }
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        home: { type: 'string' },
        nodes: { type: 'string', default: '5' },
        port: { type: 'string', default: '8080' },
        template: { type: 'string' },
        foreground: { type: 'boolean', default: false },
      },
    })
  } catch (cause) {
    throw wrong(messageOf(cause), cause)
  }
}

function integer(option: string, text: string, max: number): number {
  const value = /^\d{1,6}$/u.test(text) ? Number(text) : 0
  if (value < 1 || value > max) throw wrong(`${option} is 1 to ${max}, not ${text}`)
  return value
}

function wrong(problem: string, cause?: unknown): LabError {
  return new LabError('LAB_VCT_USAGE', { problem }, { cause })
}
