import { routes, Slice } from '@community-lab/contract'
import type { Command } from 'commander'
import Type from 'typebox'
import type { Context } from '../context.ts'
import { connectServer } from '../credentials.ts'
import { printRows, type PrintOptions } from '../output/print.ts'
import { leaf } from './option.ts'

/** `community-lab slice …` */
export function addSlice(program: Command, context: Context): void {
  const slice = program.command('slice').description('the slices of the testbed')
  leaf(slice, 'list', 'all slices').action(async (options: PrintOptions) => {
    const client = connectServer(context)
    const slices = await client.ask(Type.Array(Slice), routes.slices)
    printRows(
      context,
      slices.toSorted((a, b) => a.id - b.id),
      {
        ...options,
        columns: [
          { title: 'ID', show: ({ id }) => id, align: 'right' },
          { title: 'NAME', show: ({ name }) => name },
          { title: 'WANTED', show: ({ set_state }) => set_state },
          { title: 'SLIVERS', show: ({ slivers }) => slivers.length, align: 'right' },
          { title: 'EXPIRES', show: ({ expires_on }) => expires_on },
        ],
        none: 'no slices yet; a notebook makes one: notebooks/01-first-slice.ipynb',
      },
    )
  })
}
