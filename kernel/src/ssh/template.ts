import { LabError } from '@community-lab/contract'
import type { ExecOptions } from './exec.ts'
import { buildCommand, type Argument } from './quote.ts'

/** A template tag for commands: the text of the template is for the shell of the sliver; each value becomes exactly one argument. */
export type ShellTag<Result> = (
  strings: TemplateStringsArray,
  ...values: readonly Argument[]
) => Promise<Result>

type Run<Result> = (command: string, options: ExecOptions) => Promise<Result>

/** Implement `sh`: run a template; or, given options, return a template tag that uses them. */
export function runTemplate<Result>(
  run: Run<Result>,
  first: TemplateStringsArray | ExecOptions,
  values: readonly Argument[],
): Promise<Result> | ShellTag<Result> {
  if (isTemplate(first)) return run(buildCommand(first, values), {})
  if (typeof first !== 'object')
    throw new LabError('LAB_ARGUMENT_INVALID', {
      argument: 'the command of sh',
      found: `a call, sh(${JSON.stringify(first)})`,
      expected: 'a template, sh`…`; what is in a text already is run by exec(text)',
    })
  return (strings, ...more) => run(buildCommand(strings, more), first)
}

function isTemplate(first: TemplateStringsArray | ExecOptions): first is TemplateStringsArray {
  return Array.isArray(first)
}
