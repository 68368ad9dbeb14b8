import { createHash, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { request, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import type { NodeReport } from '@community-lab/contract'
import pg from 'pg'
import { startPostgres } from './postgres.ts'
import { makeOrdinaryFolder, spawnOrdinary } from './postgres-user.ts'
import { environmentOf, serverSettings } from './server-settings.ts'

/** What a server and its PostgreSQL have used since their start. */
export interface Usage {
  readonly serverCpuS: number
  readonly postgresCpuS: number
  readonly residentMiB: number
}

/** A running server as in a testbed, with enrolled nodes. */
export interface ServerProcess extends AsyncDisposable {
  readonly url: string
  readonly certificateSha256: string
  readonly socketPath: string
  /** The token of an operator. */
  readonly operator: string
  readonly database: pg.Client
  readUsage(): Promise<Usage>
  /** Return the server's resident memory, in MiB. */
  readResidentMiB(): Promise<number>
  /** Reset the peak of the server's resident memory. */
  forgetPeak(): Promise<void>
  /** Return the peak of the server's resident memory since the last reset, in MiB. */
  readPeakMiB(): Promise<number>
  /** Change a node as an operator does. */
  patchNode(id: number, body: object): Promise<void>
}

/** The program with which a testbed starts the server. The global set-up has built it. */
const program = 'server/bin/community-lab-server'

/** Return the secret of a node's token. */
export function nodeSecret(nodeId: number | ''): string {
  return `cln_simulated-node-of-the-benchmark-${nodeId}`
}

/** The report of a node without slivers. */
export const nodeReport: NodeReport = {
  state: 'production',
  soft_version: 'bench',
  arch: 'x86_64',
  boot_sn: 0,
  public_prefix: null,
  capabilities: { runtime: 'crun', limits: true, userns: true, lacks: [] },
  resources: (['memory', 'disk', 'cpu', 'processes'] as const).map((name) => {
    return { name, total: 4_000, max_req: 2_000, dflt_req: 100 }
  }),
  errors: [],
  slivers: [],
}

/** Start PostgreSQL and the server with so many nodes. `more` are further settings of the server. */
export async function startServer(
  size: number,
  more: Readonly<Record<string, string>> = {},
): Promise<ServerProcess> {
  await using stack = new AsyncDisposableStack()
  const postgres = stack.use(await startPostgres())
  const dir = await makeOrdinaryFolder()
  stack.defer(() => rm(dir, { recursive: true, force: true }))
  const settings = serverSettings(dir)
  const started = await spawnOrdinary(program, [], {
    PATH: process.env['PATH'],
    // For example --cpu-prof, to profile the server.
    NODE_OPTIONS: process.env['BENCH_SERVER_NODE_OPTIONS'],
    DATABASE_URL: postgres.url,
    ...environmentOf({ ...settings, LOG_LEVEL: 'info', ...more }),
  })
  const { child } = started
  const { stdout, stderr, pid } = child
  if (stdout === null || stderr === null || pid === undefined)
    throw new Error('the server has no pipes')
  stack.defer(async () => {
    child.kill('SIGTERM')
    await started[Symbol.asyncDispose]()
  })
  stderr.pipe(process.stderr)
  const port = await readPort(stdout)
  const operator = (await readFile(settings.BOOTSTRAP_TOKEN_FILE, 'utf8')).trim()
  const certificate = new X509Certificate(await readFile(join(settings.DATA, 'tls', 'cert.pem')))
  const database = new pg.Client({ connectionString: postgres.url })
  await database.connect()
  stack.defer(() => database.end())
  await addNodes(database, size)
  const postmaster = await findPostmaster(database)
  const held = stack.move()
  return {
    url: `https://[::1]:${port}`,
    certificateSha256: createHash('sha256').update(certificate.raw).digest('hex'),
    socketPath: settings.SOCKET,
    operator,
    database,
    async readUsage() {
      return {
        serverCpuS: await readCpuSeconds(pid, ownTimes),
        postgresCpuS: await readFamilyCpuSeconds(postmaster),
        residentMiB: await readMiB(pid, 'VmRSS'),
      }
    },
    readResidentMiB: () => readMiB(pid, 'VmRSS'),
    // Source: proc(5), /proc/pid/clear_refs: 5 resets the peak.
    forgetPeak: () => writeFile(`/proc/${pid}/clear_refs`, '5'),
    readPeakMiB: () => readMiB(pid, 'VmHWM'),
    patchNode: (id, body) => patch(settings.SOCKET, { token: operator, id, body }),
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}

/** Read an entry of a process's status, in MiB. Source: proc(5): VmRSS is the resident memory, VmHWM its peak. */
async function readMiB(pid: number, entry: 'VmRSS' | 'VmHWM'): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(new RegExp(`^${entry}:\\s+(\\d+) kB$`, 'mu').exec(status)?.[1] ?? 0) / 1024
}

async function readPort(output: NodeJS.ReadableStream): Promise<number> {
  const port = Promise.withResolvers<number>()
  createInterface({ input: output }).on('line', (line) => {
    const entry = JSON.parse(line) as { level: number; msg: string; port: number }
    if (entry.msg === 'ready') port.resolve(entry.port)
    if (entry.level > 40) console.error(line)
  })
  return port.promise
}

/** Insert nodes in the state after their first report, with the tokens of {@link nodeSecret}. */
async function addNodes(database: pg.Client, size: number): Promise<void> {
  const { slivers: _none, ...known } = nodeReport
  await database.query(`insert into groups (name, description) values ('bench', '')`)
  await database.query(
    `insert into nodes (name, description, group_id, arch, properties, set_state, state, report)
     select 'n' || id, '', (select id from groups where name = 'bench'), 'x86_64', '{}', 'production', 'production', $2
     from generate_series(1, $1::integer) as id order by id`,
    [size, JSON.stringify(known)],
  )
  await database.query(
    `insert into tokens (name, role, node_id, secret_sha256)
     select 'node', 'node', id, sha256(convert_to($1 || id, 'UTF8')) from nodes`,
    [nodeSecret('')],
  )
}

/** Find the parent of all processes of PostgreSQL. */
async function findPostmaster(database: pg.Client): Promise<number> {
  const { rows } = await database.query<{ pid: number }>('select pg_backend_pid() as pid')
  const fields = await readStat(rows[0]?.pid ?? 0)
  return Number(fields[1])
}

/** Read the fields of a process's /proc/…/stat from its state on; none when the process has ended. Source: proc(5). */
async function readStat(pid: number): Promise<readonly string[]> {
  const line = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  return line.slice(line.lastIndexOf(')') + 2).split(' ')
}

/** Add up fields with processor times of a process, in seconds. Source: proc(5), USER_HZ is 100. */
async function readCpuSeconds(pid: number, fieldNrs: readonly number[]): Promise<number> {
  const fields = await readStat(pid)
  return fieldNrs.reduce((sum, nr) => sum + Number(fields[nr] ?? 0) / 100, 0)
}

const ownTimes = [11, 12]
const endedChildrenTimes = [13, 14]

/** Return the processor seconds of a process and of all its children, whether they have ended or not. */
async function readFamilyCpuSeconds(pid: number): Promise<number> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')
  const times = children
    .split(' ')
    .filter((child) => child !== '')
    .map((child) => readCpuSeconds(Number(child), ownTimes))
  times.push(readCpuSeconds(pid, [...ownTimes, ...endedChildrenTimes]))
  return (await Promise.all(times)).reduce((sum, seconds) => sum + seconds, 0)
}

async function patch(
  socketPath: string,
  { token, id, body }: { readonly token: string; readonly id: number; readonly body: object },
): Promise<void> {
  const path = `/api/nodes/${id}/`
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  const call = request({ socketPath, method: 'PATCH', path, headers })
  call.end(JSON.stringify(body))
  const [response] = (await once(call, 'response')) as [IncomingMessage]
  const answer = await text(response)
  if (response.statusCode !== 200)
    throw new Error(`PATCH ${path}: ${response.statusCode} ${answer}`)
}
