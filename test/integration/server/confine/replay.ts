import { path, routes, type TokenCreated, type User } from '@community-lab/contract'
import { bootstrap } from '../../../../server/src/registry/write/tokens.ts'
import { aReport, enroll, image } from '../world/testbed.ts'
import type { World } from '../world/world.ts'
import { compare, keys, type Answer, type Exchange } from './exchange.ts'

/** How the server under test answered a recorded request. */
export interface Outcome {
  readonly exchange: Exchange
  readonly answer: Answer
  readonly differences: readonly string[]
}

/**
 * Send recorded requests to a server in their order, over HTTP, and compare the answers. Objects have other ids here, so each one that is made is remembered
 * by the path that it was recorded with. What is made here and was refused there is removed again. Names have no blanks here: those of the recording get hyphens.
 */
export async function replay(world: World, exchanges: readonly Exchange[]): Promise<Outcome[]> {
  const site = await world.app.listen({ host: '127.0.0.1', port: 0 })
  const { operator, paths } = await seed(world)
  const tokens = new Map([['superuser', await makeToken(world, operator, 'vct', 'operator')]])
  const tokenOf = async (name: string): Promise<string> => {
    const token = tokens.get(name) ?? (await makeToken(world, operator, name, 'researcher'))
    tokens.set(name, token)
    return token
  }
  const etags = new Map<string, string>()
  const goOn = createNodes(world, operator, paths)
  const outcomes: Outcome[] = []
  for (const exchange of exchanges) {
    const { as, request } = exchange
    const authorization =
      as === 'anonymous'
        ? {}
        : { authorization: `Token ${as === 'invalid' ? 'nonsense' : await tokenOf(as)}` }
    const translate = (text: string): string => here(text, { site, paths })
    const known = request.headers?.['If-None-Match']
    const condition = known === undefined ? {} : { 'If-None-Match': etags.get(known) ?? '' }
    const headers = { ...request.headers, ...condition }
    const answer = await send(
      translate(request.path),
      { ...request, headers },
      { authorization, translate },
    )
    etags.set(`{etag of ${exchange.name}}`, answer.headers.get('etag') ?? '')
    remember(exchange, answer, { site, paths })
    if (exchange.response.status >= 400 && answer.status === 201)
      await world.ask(operator, 'DELETE', String(answer.headers.get('location')).replace(site, ''))
    await goOn(exchange.name)
    outcomes.push({ exchange, answer, differences: compare(exchange, answer) })
  }
  return outcomes
}

/** What a node does after an exchange. */
interface NodeTurn {
  readonly after: string
  /** Its recorded path. */
  readonly node: string
  readonly arch: 'x86_64' | 'i686'
  readonly does: readonly ('enrols' | 'goes into production' | 'reports')[]
}

/**
 * When nodes become ready for slivers. CONFINE's nodes leave `debug` when somebody writes down their API or key. Here a node enrols and reports, and slivers are
 * made on nodes in production alone.
 */
const turns: readonly NodeTurn[] = [
  { after: 'nodes patch api', node: '/nodes/1/', arch: 'x86_64', does: ['enrols'] },
  { after: 'nodes to production', node: '/nodes/1/', arch: 'x86_64', does: ['reports'] },
  {
    after: 'nodes create second',
    node: '/nodes/2/',
    arch: 'i686',
    does: ['enrols', 'goes into production', 'reports'],
  },
]

/** Let nodes do what they do after an exchange. */
function createNodes(world: World, operator: string, paths: ReadonlyMap<string, string>) {
  const tokens = new Map<string, string>()
  return async (exchange: string): Promise<void> => {
    for (const { node, arch, does } of turns.filter(({ after }) => after === exchange)) {
      const uri = paths.get(node) ?? ''
      const id = Number(uri.split('/').at(-2))
      if (does.includes('enrols')) tokens.set(node, await enroll(world, operator, id))
      if (does.includes('goes into production'))
        await world.ask(operator, 'PATCH', uri, { body: { set_state: 'production' } })
      const state = path(routes.nodeState, { id })
      if (does.includes('reports'))
        await world.ask(tokens.get(node) ?? '', 'PUT', state, { body: aReport({ arch }) })
    }
  }
}

/** Return the password for a recorded one: it needs more characters here, and may not contain the user's name. */
function longPassword(recorded: string): string {
  return Buffer.from(`a long password: ${recorded}`).toString('base64url')
}

interface Places {
  readonly site: string
  /** Our paths by recorded ones: `/users/2/`. */
  readonly paths: Map<string, string>
}

/** Return a recorded text with the places and ids of the server under test. */
function here(text: string, { site, paths }: Places): string {
  return text
    .replaceAll(
      /\{base\}(\/\w+\/\d+\/)/gu,
      (_, recorded: string) => site + (paths.get(recorded) ?? `/api${recorded}`),
    )
    .replaceAll('{base}', `${site}/api`)
    .replaceAll('{site}', site)
    .replaceAll(/(?<=\/(group|slice)\/id=)\d+/gu, (id, kind: string) => {
      return paths.get(`/${kind}s/${id}/`)?.split('/').at(-2) ?? id
    })
    .replaceAll(/(?<="password":"|password=)\w+/gu, longPassword)
    .replaceAll(/\{pubkey\d\}/gu, (name) => JSON.stringify(keys[name]).slice(1, -1))
}

interface Sending {
  readonly authorization: Readonly<Record<string, string>>
  readonly translate: (text: string) => string
}

async function send(
  url: string,
  { method, headers = {}, body }: Exchange['request'],
  { authorization, translate }: Sending,
): Promise<Answer> {
  const isForm = headers['Content-Type']?.startsWith('multipart') === true
  const { 'Content-Type': type, Accept: accept = 'application/json', ...others } = headers
  const payload = isForm
    ? formOf(body)
    : typeof body === 'string' && type !== undefined
      ? translate(body)
      : body === undefined
        ? null
        : withoutBlanks(translate(JSON.stringify(body)))
  const response = await fetch(url, {
    method,
    redirect: 'manual',
    headers: {
      ...(isForm || body === undefined ? {} : { 'content-type': type ?? 'application/json' }),
      accept,
      ...others,
      ...authorization,
    },
    body: payload,
  })
  const text = await response.text()
  const isJson = response.headers.get('content-type')?.startsWith('application/json') === true
  return {
    status: response.status,
    headers: response.headers,
    body: isJson && text !== '' ? (JSON.parse(text) as unknown) : undefined,
  }
}

function withoutBlanks(json: string): string {
  return json.replaceAll(/(?<="name":"[^"]*) (?=[^"]*")/gu, '-')
}

function formOf(parts: unknown): FormData {
  const form = new FormData()
  for (const { field, filename, content } of parts as readonly Part[])
    if (filename === undefined) form.append(field, content)
    else form.append(field, new Blob([content]), filename)
  return form
}

interface Part {
  readonly field: string
  readonly filename?: string
  readonly content: string
}

/** Remember the path of an object that both servers have made. */
function remember({ response }: Exchange, answer: Answer, { site, paths }: Places): void {
  const recorded = response.headers['Location']?.replace('{base}', '')
  const own = answer.headers.get('location')?.replace(site, '')
  if (
    response.status === 201 &&
    answer.status === 201 &&
    recorded !== undefined &&
    own !== undefined
  )
    paths.set(recorded, own)
}

/** Make what was there when the recording began: a superuser, their group, an island, a template, a server. */
async function seed(world: World) {
  const made = Promise.withResolvers<string>()
  await bootstrap(world.context.registry, (secret) => {
    made.resolve(secret)
    return Promise.resolve()
  })
  const operator = await made.promise
  const paths = new Map<string, string>()
  const user = await world.ask(operator, 'POST', routes.users, { body: { name: 'vct' } })
  const superuser = user.json<User>().uri
  await world.ask(operator, 'PATCH', superuser, { body: { is_superuser: true } })
  paths.set('/users/1/', superuser)
  const vct = await makeToken(world, operator, 'vct', 'operator')
  const make = async (kind: string, body: object): Promise<void> => {
    const { statusCode, headers } = await world.ask(vct, 'POST', `/api/${kind}/`, { body })
    if (statusCode === 201) paths.set(`/${kind}/1/`, String(headers.location))
  }
  const login = { password: longPassword('vct'), email: 'vct@example.org' }
  await world.ask(operator, 'POST', `${superuser}ctl/change-auth/`, {
    body: login,
  })
  await make('groups', { name: 'vct' })
  await make('islands', { name: 'vct', description: 'virtual island' })
  const name = 'debian-squeeze-amd64'
  await make('templates', { name, type: 'debian', node_archs: ['x86_64', 'i686'] })
  const upload = `${paths.get('/templates/1/') ?? ''}ctl/upload-image/`
  const headers = { 'content-type': 'application/gzip' }
  await world.ask(vct, 'PUT', upload, { body: image, headers })
  return { operator, paths }
}

async function makeToken(
  world: World,
  operator: string,
  user: string,
  role: 'operator' | 'researcher',
): Promise<string> {
  const body = { name: 'replay', role, user }
  const made = await world.ask(operator, 'POST', routes.tokens, { body })
  return made.json<TokenCreated>().secret
}
