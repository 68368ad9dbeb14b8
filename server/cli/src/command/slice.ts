import { path as pathOf, routes, Slice } from '@community-lab/contract'
import type { Command } from 'commander'
import type { Context } from '../context.ts'
import { connectServer } from '../credentials.ts'
import { requireYes, type ConfirmOptions } from '../output/confirm.ts'
import { printJson, type PrintOptions } from '../output/print.ts'
import { addSliceHistory } from './history.ts'
import { addSliceData } from './slice-data.ts'
import { listSlices } from './lists.ts'
import { findNamed } from './name.ts'
import { destroyer, leaf } from './option.ts'
import { addSliceViews } from './slice-view.ts'

/** `community-lab slice …` */
export function addSlice(program: Command, context: Context): void {
  const slice = program.command('slice').description('the slices of the testbed')
  addSliceViews(slice, context)
  leaf(slice, 'renew <name>', 'keep a slice for as long as a new one lives, from now on').action(
    async (name: string, options: PrintOptions) => {
      const client = connectServer(context)
      const { id } = findNamed('slice', await listSlices(client), name)
      const renewed = await client.ask(Slice, pathOf(routes.sliceRenew, { id }), { method: 'POST' })
      if (options.json === true) printJson(context, renewed)
      else context.out.write(`slice ${renewed.name} lives until ${renewed.expires_on}\n`)
    },
  )
  destroyer(
    slice,
    'reset <name>',
    'make its slivers again from their templates; what is in them is lost, its measurements stay',
  ).action(async (name: string, options: ConfirmOptions) => {
    const client = connectServer(context)
    const found = findNamed('slice', await listSlices(client), name)
    await requireYes(context, options, {
      deed: `resetting slice ${found.name}`,
      costs: `removes all that is in its slivers (${found.slivers.length})`,
      question: 'Reset it?',
    })
    const reset = await client.ask(Slice, pathOf(routes.sliceReset, { id: found.id }), {
      method: 'POST',
    })
    if (options.json === true) printJson(context, reset)
    else
      context.out.write(
        `the slivers of slice ${reset.name} (${reset.slivers.length}) are made again\n`,
      )
  })
  destroyer(
    slice,
    'release <name>',
    'remove a slice with its slivers and what is in them; its measurements stay',
  ).action(async (name: string, options: ConfirmOptions) => {
    const client = connectServer(context)
    const found = findNamed('slice', await listSlices(client), name)
    await requireYes(context, options, {
      deed: `releasing slice ${found.name}`,
      costs: `removes its slivers (${found.slivers.length}) and all that is in them`,
      question: 'Release it?',
    })
    await client.do(pathOf(routes.slice, { id: found.id }), { method: 'DELETE' })
    if (options.json === true) printJson(context, { slice: found.id, released: true })
    else
      context.out.write(
        `slice ${found.name} is released, with its slivers (${found.slivers.length}); its measurements stay\n`,
      )
  })
  addSliceData(slice, context)
  addSliceHistory(slice, context)
}
