import { templateName, type Slice, type Sliver } from '@community-lab/contract'
import type { Command } from 'commander'
import type { Context } from '../context.ts'
import { printJson, printRows } from '../output/print.ts'
import { listSlivers, readObjects, type Objects } from './lists.ts'
import { findNamed } from './name.ts'
import { viewer } from './option.ts'
import { nameOf } from './people.ts'
import { showView, type ViewOptions } from './view.ts'

/** `community-lab slice list` and `slice show` */
export function addSliceViews(slice: Command, context: Context): void {
  viewer(slice, 'list', 'all slices').action((options: ViewOptions) =>
    showView(context, options, {
      kinds: ['slice'],
      print: (inner, { slice: slices }) =>
        printRows(inner, slices, {
          ...options,
          columns: sliceColumns,
          none: 'no slices yet; a notebook makes one: notebooks/01-first-slice.ipynb',
        }),
    }),
  )
  viewer(slice, 'show <name>', 'one slice, with its slivers and what is wrong with them').action(
    (name: string, options: ViewOptions) => {
      const find = ({ slice: slices }: Objects<'slice'>) => findNamed('slice', slices, name)
      return showView(context, options, {
        kinds: ['slice', 'sliver', 'group', 'template'],
        async read(client) {
          const objects = await readObjects(client, ['slice', 'group', 'template'])
          return { ...objects, sliver: await listSlivers(client, find(objects).id) }
        },
        find,
        isPart: ({ kind, object_id: id }, sliceId) =>
          kind === 'sliver' && id.startsWith(`${sliceId}@`),
        print(inner, objects) {
          const found = find(objects)
          const slivers = objects.sliver.filter((one) => one.slice.id === found.id)
          if (options.json === true) printJson(inner, { ...found, slivers })
          else showSlice(inner, found, { ...objects, sliver: slivers })
        },
      })
    },
  )
}

const sliceColumns = [
  { title: 'ID', show: ({ id }: Slice) => id, align: 'right' as const },
  { title: 'NAME', show: ({ name }: Slice) => name },
  { title: 'WANTED', show: ({ set_state }: Slice) => set_state },
  { title: 'SLIVERS', show: ({ slivers }: Slice) => slivers.length, align: 'right' as const },
  { title: 'EXPIRES', show: describeEnd },
]

function describeEnd({ expires_on: end, end_warning: warning }: Slice): string {
  return warning ? `${end}: within ${warning.days} d, renew it` : end
}

function showSlice(
  context: Context,
  slice: Slice,
  { sliver: slivers, group: groups, template: templates }: Objects<'sliver' | 'group' | 'template'>,
): void {
  const { template, template_version: version, data_sha256: data } = slice.sliver_defaults
  const image =
    template === null ? 'none' : templateName(nameOf(templates, template), version ?? null)
  const lines = [
    `${slice.name} (${slice.id}) of group ${nameOf(groups, slice.group)}, wanted: ${slice.set_state}`,
    ...(slice.description === '' ? [] : [slice.description]),
    `template ${image}`,
    ...(typeof data === 'string' ? [`data of SHA-256 ${data}`] : []),
    `expires ${describeEnd(slice)}`,
  ]
  for (const line of lines) context.out.write(`${line.replaceAll(/\p{Cc}/gu, '?')}\n`)
  context.out.write('\n')
  printRows(context, slivers, {
    columns: [
      { title: 'SLIVER', show: ({ id }) => id },
      { title: 'NODE', show: ({ node }) => node.name },
      { title: 'STATE', show: ({ state }) => state },
      { title: 'SINCE', show: ({ state_changed_on: since }) => since },
      { title: 'WRONG', show: describeErrors },
    ],
    none: 'it has no slivers',
  })
}

function describeErrors({ errors }: Sliver): string {
  return errors.map(({ member, message }) => [member, message].filter(Boolean).join(' ')).join('; ')
}
