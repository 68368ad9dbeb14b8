import type { Group } from '@community-lab/contract'
import {
  archs,
  path as pathOf,
  routes,
  Template,
  parseTemplateName,
  templateName,
} from '@community-lab/contract'
import { Option, type Command } from 'commander'
import Type from 'typebox'
import type { Context } from '../context.ts'
import { connectServer } from '../credentials.ts'
import type { Client } from '../http/client.ts'
import { requireYes, type ConfirmOptions } from '../output/confirm.ts'
import { printJson, printRows, type PrintOptions } from '../output/print.ts'
import { listGroups } from './lists.ts'
import { findNamed } from './name.ts'
import { destroyer, leaf, viewer } from './option.ts'
import { nameOf } from './people.ts'
import { addTemplateBuild } from './template-build.ts'
import { addImage, type AddOptions } from './template-image.ts'
import { showView, type ViewOptions } from './view.ts'

/** `community-lab template …` */
export function addTemplate(program: Command, context: Context): void {
  const template = program.command('template').description('root file systems for slivers')
  viewer(template, 'list', 'all templates').action((options: ViewOptions) =>
    showView(context, options, {
      kinds: ['template', 'group'],
      print: (inner, { template: templates, group: groups }) =>
        printRows(inner, templates, {
          ...options,
          columns: columns(groups),
          none: 'no templates yet',
        }),
    }),
  )
  leaf(template, 'show <name>', 'a template with its versions').action(
    async (name: string, options: PrintOptions) => show(context, name, options),
  )
  leaf(template, 'add <name> <image>', 'add a template, or a new version of one (.tar.gz)')
    .addOption(
      new Option('--arch <arch...>', 'processors that it is for')
        .choices(archs)
        .default(['x86_64']),
    )
    .option('--description <text>', 'what is in it')
    .option(
      '--group <group>',
      'the group that it is for (default: yours; an operator’s is for all)',
    )
    .action((name: string, image: string, options: AddOptions) =>
      addImage(context, { name, image, ...options }),
    )
  addTemplateBuild(template, context)
  for (const [verb, isPublic, help] of [
    ['publish', true, 'let slices of all groups use a version; default: the newest (operators)'],
    [
      'unpublish',
      false,
      'let only slices of its own group use a version; default: all (operators)',
    ],
  ] as const)
    leaf(template, `${verb} <name[@version]>`, help).action(
      async (text: string, options: PrintOptions) =>
        publish(context, text, { ...options, isPublic }),
    )
  destroyer(
    template,
    'remove <name[@version]>',
    'remove a template, or one of its versions, that no slice uses',
  ).action((text: string, options: ConfirmOptions) => remove(context, text, options))
}

const columns = (groups: readonly Group[]) => [
  { title: 'ID', show: ({ id }: Template) => id, align: 'right' as const },
  { title: 'NAME', show: ({ name }: Template) => name },
  {
    title: 'GROUP',
    show: ({ group }: Template) => (group === null ? null : nameOf(groups, group)),
  },
  { title: 'PUBLIC', show: ({ is_public }: Template) => (is_public ? 'yes' : 'no') },
  { title: 'ACTIVE', show: ({ is_active }: Template) => (is_active ? 'yes' : 'no') },
  { title: 'FOR', show: ({ node_archs }: Template) => node_archs.join(', ') },
  {
    title: 'VERSION',
    show: ({ version = null }: Template) => version,
    align: 'right' as const,
  },
  {
    title: 'BYTES',
    show: ({ image_size_bytes }: Template) => image_size_bytes,
    align: 'right' as const,
  },
  { title: 'SHA-256', show: ({ image_sha256 }: Template) => image_sha256?.slice(0, 16) ?? null },
]

async function findTemplate(client: Client, name: string): Promise<Template> {
  return findNamed('template', await client.ask(Type.Array(Template), routes.templates), name)
}

async function show(context: Context, name: string, options: PrintOptions): Promise<void> {
  const client = connectServer(context)
  const found = await findTemplate(client, name)
  if (options.json === true) {
    printJson(context, found)
    return
  }
  const { group, is_active: isActive, node_archs: archs, description } = found
  const groups = group === null ? [] : await listGroups(client)
  const owner = group === null ? 'the operators' : `group ${nameOf(groups, group)}`
  const active = isActive ? '' : ', not active'
  context.out.write(`template ${found.name} of ${owner}, for ${archs.join(', ')}${active}\n`)
  if (description !== '') context.out.write(`${description}\n`)
  printRows(context, found.versions ?? [], {
    ...options,
    columns: [
      { title: 'VERSION', show: ({ version }) => version, align: 'right' },
      { title: 'PUBLIC', show: ({ is_public }) => (is_public ? 'yes' : 'no') },
      { title: 'SINCE', show: ({ created_on }) => created_on.slice(0, 16) },
      { title: 'BYTES', show: ({ image_size_bytes }) => image_size_bytes, align: 'right' },
      { title: 'SHA-256', show: ({ image_sha256 }) => image_sha256 },
    ],
    none: 'no image yet',
  })
  for (const { version, broken = null } of found.versions ?? [])
    if (broken !== null)
      context.out.write(
        `${templateName(found.name, version)} cannot be unpacked (nodes that tried: ${broken.nodes}): ${broken.message}\n`,
      )
}

async function publish(
  context: Context,
  text: string,
  { isPublic, ...options }: PrintOptions & { readonly isPublic: boolean },
): Promise<void> {
  const client = connectServer(context)
  const { name, version: named } = parseTemplateName(text)
  const { id, uri, versions = [] } = await findTemplate(client, name)
  // The newest version that was read becomes public, and none that somebody adds meanwhile.
  const version = named ?? (isPublic ? (versions[0]?.version ?? null) : null)
  await client.do(version === null ? uri : pathOf(routes.templateVersion, { id, version }), {
    method: 'PATCH',
    body: { is_public: isPublic },
  })
  const changed = await client.ask(Template, uri)
  if (options.json === true) {
    printJson(context, changed)
    return
  }
  const shown = templateName(changed.name, version)
  context.out.write(`template ${shown} is ${isPublic ? 'public' : 'for its group'}\n`)
}

async function remove(context: Context, text: string, options: ConfirmOptions): Promise<void> {
  const client = connectServer(context)
  const { name, version } = parseTemplateName(text)
  const { id, uri, name: known, versions = [] } = await findTemplate(client, name)
  const shown = templateName(known, version)
  const all = versions.length === 1 ? 'its image' : `its ${versions.length} versions`
  await requireYes(context, options, {
    deed: `removing template ${shown}`,
    costs: `deletes ${version === null ? all : 'its image'}`,
    question: 'Remove it?',
  })
  const gone = version === null ? uri : pathOf(routes.templateVersion, { id, version })
  await client.do(gone, { method: 'DELETE' })
  if (options.json === true)
    printJson(context, { template: id, ...(version === null ? {} : { version }), removed: true })
  else context.out.write(`template ${shown} is removed\n`)
}
