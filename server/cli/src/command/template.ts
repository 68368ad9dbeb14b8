import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import type { Arch, Group } from '@community-lab/contract'
import {
  archs,
  LabError,
  path as pathOf,
  routes,
  Template,
  type TemplateCreate,
  type TemplatePatch,
} from '@community-lab/contract'
import { Option, type Command } from 'commander'
import Type from 'typebox'
import type { Context } from '../context.ts'
import { connectServer, findCredentials } from '../credentials.ts'
import { createClient, type Client } from '../http/client.ts'
import { requireYes, type ConfirmOptions } from '../output/confirm.ts'
import { printJson, printRows, type PrintOptions } from '../output/print.ts'
import { listGroups } from './lists.ts'
import { findNamed } from './name.ts'
import { destroyer, leaf, viewer } from './option.ts'
import { nameOf } from './people.ts'
import { showView, type ViewOptions } from './view.ts'

/** An image of some hundred MiB takes long on a link of a community network. */
const uploadTimeoutMs = 600_000

interface AddOptions extends PrintOptions {
  readonly arch: readonly Arch[]
  readonly description?: string
  readonly group?: string
}

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
  leaf(template, 'add <name> <image>', 'add a template, or give one a new image (.tar.gz)')
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
      add(context, { name, image, ...options }),
    )
  for (const [verb, isPublic, help] of [
    ['publish', true, 'let slices of all groups use a template (operators)'],
    ['unpublish', false, 'let only slices of its own group use a template (operators)'],
  ] as const)
    leaf(template, `${verb} <name>`, help).action(async (name: string, options: PrintOptions) => {
      const client = connectServer(context)
      const { uri } = await findTemplate(client, name)
      const body: TemplatePatch = { is_public: isPublic }
      const changed = await client.ask(Template, uri, { method: 'PATCH', body })
      if (options.json === true) printJson(context, changed)
      else
        context.out.write(`template ${changed.name} is ${isPublic ? 'public' : 'for its group'}\n`)
    })
  destroyer(template, 'remove <name>', 'remove a template that no slice uses').action(
    async (name: string, options: ConfirmOptions) => {
      const client = connectServer(context)
      const { id, uri, name: known } = await findTemplate(client, name)
      await requireYes(context, options, {
        deed: `removing template ${known}`,
        costs: 'deletes its image',
        question: 'Remove it?',
      })
      await client.do(uri, { method: 'DELETE' })
      if (options.json === true) printJson(context, { template: id, removed: true })
      else context.out.write(`template ${known} is removed\n`)
    },
  )
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
    title: 'BYTES',
    show: ({ image_size_bytes }: Template) => image_size_bytes,
    align: 'right' as const,
  },
  { title: 'SHA-256', show: ({ image_sha256 }: Template) => image_sha256?.slice(0, 16) ?? null },
]

async function findTemplate(client: Client, name: string): Promise<Template> {
  return findNamed('template', await client.ask(Type.Array(Template), routes.templates), name)
}

interface NewTemplate extends AddOptions {
  readonly name: string
  readonly image: string
}

async function add(context: Context, wanted: NewTemplate): Promise<void> {
  const { size, sha256 } = await inspectImage(wanted.image)
  await requireGzip(wanted.image)
  const { url, token } = findCredentials(context)
  const { signal } = context
  const client = createClient({ base: url, token, signal, timeoutMs: uploadTimeoutMs })
  const templates = await client.ask(Type.Array(Template), routes.templates)
  const body: TemplateCreate = {
    name: wanted.name,
    node_archs: [...wanted.arch],
    ...(wanted.description === undefined ? {} : { description: wanted.description }),
    ...(wanted.group === undefined
      ? {}
      : { group: { id: findNamed('group', await listGroups(client), wanted.group).id } }),
  }
  const { id } =
    templates.find(({ name }) => name === wanted.name) ??
    (await client.ask(Template, routes.templates, { method: 'POST', body }))
  const made = await client.ask(Template, pathOf(routes.templateUploadImage, { id }), {
    method: 'PUT',
    file: { bytes: createReadStream(wanted.image), sizeBytes: size, type: 'application/gzip' },
    headers: { 'x-sha256': sha256 },
  })
  if (wanted.json === true) printJson(context, made)
  else context.out.write(`template ${made.name}: ${size} bytes, SHA-256 ${sha256}\n`)
}

/** Refuse what the server would refuse after the template is made, which would stay without an image. @throws {@link LabError} LAB_CLI_USAGE. */
async function requireGzip(file: string): Promise<void> {
  const start = (await createReadStream(file, { end: 1 }).toArray()) as Buffer[]
  // Source: RFC 1952, section 2.3.1.
  if (Buffer.concat(start).equals(Buffer.of(0x1f, 0x8b))) return
  throw new LabError('LAB_CLI_USAGE', {
    problem: `the image ${file} is no .tar.gz file; tar -czf makes one`,
  })
}

async function inspectImage(file: string): Promise<{ size: number; sha256: string }> {
  try {
    const { size } = await stat(file)
    const hash = createHash('sha256')
    await pipeline(createReadStream(file), hash)
    return { size, sha256: hash.digest('hex') }
  } catch (cause) {
    throw new LabError('LAB_CLI_NO_FILE', { what: 'image', file }, { cause })
  }
}
