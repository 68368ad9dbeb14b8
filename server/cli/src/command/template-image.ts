import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { basename } from 'node:path'
import {
  archiveHeadBytes,
  archiveKindOf,
  LabError,
  path,
  routes,
  Template,
  templateName,
  uploadPartTimeoutMs,
  type Arch,
  type TemplateCreate,
  type TemplateVersion,
} from '@community-lab/contract'
import { hashFile } from '@community-lab/contract/host'
import Type from 'typebox'
import type { Context } from '../context.ts'
import { findCredentials } from '../credentials.ts'
import { createClient, type Client } from '../http/client.ts'
import { uploadFile } from '../http/upload.ts'
import { printJson, type PrintOptions } from '../output/print.ts'
import { showTransfer } from '../output/transfer.ts'
import { listGroups } from './lists.ts'
import { findNamed } from './name.ts'

/** Options of an upload to a template. */
export interface AddOptions extends PrintOptions {
  readonly arch: readonly Arch[]
  readonly description?: string
  readonly group?: string
}

/** A template with the image of its new version. */
export interface NewTemplate extends AddOptions {
  readonly name: string
  /** A file, `.tar.gz`. */
  readonly image: string
}

/** Upload an image as a new version of a template, which is made when it is not there. An upload that was not finished goes on. */
export async function addImage(context: Context, wanted: NewTemplate): Promise<void> {
  const { sizeBytes, sha256 } = await inspectImage(wanted.image)
  await requireGzip(wanted.image)
  const { url, token } = findCredentials(context)
  const { signal } = context
  const client = createClient({ base: url, token, signal, timeoutMs: uploadPartTimeoutMs })
  const { id, uri } = await ensureTemplate(client, wanted)
  await sendImage(context, client, { file: wanted.image, sizeBytes, sha256, id, uri })
  const made = await client.ask(Template, uri)
  if (wanted.json === true) {
    printJson(context, made)
    return
  }
  const { name, version: usual = null, versions = [] } = made
  const version = versions.find((each) => each.image_sha256 === sha256)?.version ?? null
  const shown = templateName(name, version)
  context.out.write(`template ${shown}: ${sizeBytes} bytes, SHA-256 ${sha256}\n`)
  const advice = adviceOn({ name, usual, versions }, version)
  if (advice !== null) context.out.write(`${advice}\n`)
}

/** Say what becomes of an image when slices that name no version do not get it; null: they get it. */
function adviceOn(
  {
    name,
    usual,
    versions,
  }: Pick<Template, 'name'> & {
    readonly usual: number | null
    readonly versions: readonly TemplateVersion[]
  },
  version: number | null,
): string | null {
  if (version === usual) return null
  const got = `slices get ${templateName(name, usual)} unless they name ${templateName(name, version)}`
  const added = versions.find((each) => each.version === version)
  // A public version of an older number stays behind the newest one.
  return added?.is_public === true ? got : `${got}; an operator can publish it`
}

interface SendOptions {
  readonly file: string
  readonly sizeBytes: number
  readonly sha256: string
  /** The template's id and path. */
  readonly id: number
  readonly uri: string
}

async function sendImage(
  { err, signal }: Context,
  client: Client,
  { id, uri, ...image }: SendOptions,
): Promise<void> {
  const what = `uploading ${basename(image.file)}`
  using transfer = showTransfer(err, { what, sizeBytes: image.sizeBytes })
  await uploadFile(client, path(routes.templateUploads, { id }), {
    ...image,
    isThere: async () => {
      const { versions = [] } = await client.ask(Template, uri)
      return versions.some((each) => each.image_sha256 === image.sha256)
    },
    onProgress: (sentBytes, trouble) => transfer.show(sentBytes, trouble),
    signal,
  })
}

async function ensureTemplate(client: Client, wanted: NewTemplate): Promise<Template> {
  const templates = await client.ask(Type.Array(Template), routes.templates)
  const body: TemplateCreate = {
    name: wanted.name,
    node_archs: [...wanted.arch],
    ...(wanted.description === undefined ? {} : { description: wanted.description }),
    ...(wanted.group === undefined
      ? {}
      : { group: { id: findNamed('group', await listGroups(client), wanted.group).id } }),
  }
  return (
    templates.find(({ name }) => name === wanted.name) ??
    (await client.ask(Template, routes.templates, { method: 'POST', body }))
  )
}

/** Refuse what the server would refuse after the template is made, which would stay without an image. @throws {@link LabError} LAB_CLI_USAGE. */
async function requireGzip(file: string): Promise<void> {
  const start = (await createReadStream(file, { end: archiveHeadBytes - 1 }).toArray()) as Buffer[]
  if (archiveKindOf(Buffer.concat(start)) === 'gzip') return
  throw new LabError('LAB_CLI_USAGE', {
    problem: `the image ${file} is no .tar.gz file; tar -czf makes one`,
  })
}

async function inspectImage(file: string): Promise<{ sizeBytes: number; sha256: string }> {
  const found = await stat(file).catch((cause: unknown) => {
    throw new LabError('LAB_CLI_NO_FILE', { what: 'image', file }, { cause })
  })
  if (!found.isFile())
    throw new LabError('LAB_CLI_USAGE', {
      problem: `the image ${file} is no file; tar -czf makes one of a folder`,
    })
  return { sizeBytes: found.size, sha256: await hashFile(file) }
}
