import { once } from 'node:events'
import { readFile, rm } from 'node:fs/promises'
import { request, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { makeOrdinaryFolder, spawnOrdinary } from '../support/postgres-user.ts'
import { startPostgres } from '../support/postgres.ts'
import { nodeSecret, SimulatedNode } from './simulated-node.ts'
import { printTable } from './table.ts'

const sizes = [1_000, 10_000]
/** Nodes that connect at the same time. */
const connecting = 50
/** How long the steady state is measured, in milliseconds. */
const windowMs = 60_000
const hints = 200

/** What was measured of a server with so many nodes. */
interface Figures {
  /** Of one core, 0 to 1: the server and its PostgreSQL. */
  readonly serverShare: number
  readonly postgresShare: number
  readonly residentMiB: number
  readonly hintMs: readonly number[]
  readonly acknowledged: number
}

/**
 * A real server with 1,000 and 10,000 simulated nodes, each with a TLS connection of its own, that poll their target every 60 s and send their health
 * every 10 s: what share of a core and how much memory it takes, and how long after a change the node has its hint.
 */
export async function measureNodes(rounds: number): Promise<void> {
  const rows: string[][] = []
  for (const size of sizes)
    for (let round = 0; round < rounds; round++) {
      const { serverShare, postgresShare, residentMiB, hintMs, acknowledged } = await measure(size)
      const sorted = [...hintMs].sort((one, other) => one - other)
      rows.push([
        String(size),
        `${(serverShare * 100).toFixed(1)} %`,
        `${(postgresShare * 100).toFixed(1)} %`,
        `${residentMiB.toFixed(0)} MiB`,
        `${(sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN).toFixed(0)} ms`,
        `${Math.round(acknowledged / (windowMs / 1000))}/s`,
      ])
    }
  printTable(
    ['nodes', 'server, of a core', 'PostgreSQL', 'server, resident', 'p99 of a hint', 'samples'],
    rows,
  )
}

async function measure(size: number): Promise<Figures> {
  await using stack = new AsyncDisposableStack()
  const postgres = stack.use(await startPostgres())
  const dir = await makeOrdinaryFolder()
  stack.defer(() => rm(dir, { recursive: true, force: true }))
  const settings = {
    DATA: join(dir, 'data'),
    SOCKET: join(dir, 'server.sock'),
    LISTEN: '[::1]:0',
    COMMUNITY_URL: 'https://[2001:db8::1]:8443',
    TINC_ADDRESS: '2001:db8::1',
    GATEWAY_SOCKET: join(dir, 'gateway.sock'),
    BOOTSTRAP_TOKEN_FILE: join(dir, 'token'),
    LOG_LEVEL: 'info',
  }
  const env = Object.entries(settings).map(([name, value]) => [
    `COMMUNITY_LAB_SERVER_${name}`,
    value,
  ])
  const started = await spawnOrdinary('server/src/main.ts', [], {
    PATH: process.env['PATH'],
    DATABASE_URL: postgres.url,
    ...(Object.fromEntries(env) as Record<string, string>),
  })
  const { child } = started
  if (child.stdout === null || child.stderr === null || child.pid === undefined)
    throw new Error('the server has no pipes')
  stack.defer(async () => {
    child.kill('SIGKILL')
    await started[Symbol.asyncDispose]()
  })
  child.stderr.pipe(process.stderr)
  const port = await readPort(child.stdout)
  const operator = (await readFile(settings.BOOTSTRAP_TOKEN_FILE, 'utf8')).trim()
  const database = new pg.Client({ connectionString: postgres.url })
  await database.connect()
  stack.defer(() => database.end())
  await addNodes(database, size)

  const nodes: SimulatedNode[] = []
  stack.defer(() => nodes.forEach((node) => node.leave()))
  for (let id = 1; id <= size; id += connecting)
    nodes.push(
      ...(await Promise.all(
        Array.from({ length: Math.min(connecting, size - id + 1) }, (_, index) =>
          SimulatedNode.connect(port, id + index),
        ),
      )),
    )
  // Each at its own time, as nodes have it.
  for (const node of nodes) node.begin()
  await delay(15_000)
  const pids = { server: child.pid, postgres: await backendPids(database) }
  const before = {
    server: await cpuSeconds([pids.server]),
    postgres: await cpuSeconds(pids.postgres),
  }
  const acknowledgedBefore = countAcknowledged(nodes)
  const hintMs: number[] = []
  const beganMs = performance.now()
  for (let hint = 0; hint < hints; hint++) {
    const node = nodes[Math.floor((hint * size) / hints)]
    if (node === undefined) continue
    const hinted = node.hinted()
    const askedMs = performance.now()
    const body = { set_state: hint % 2 === 0 ? 'safe' : 'production' }
    await ask(settings.SOCKET, operator, { method: 'PATCH', path: `/api/nodes/${node.id}`, body })
    await hinted
    hintMs.push(performance.now() - askedMs)
    await delay(Math.max(0, beganMs + ((hint + 1) * windowMs) / hints - performance.now()))
  }
  const seconds = (performance.now() - beganMs) / 1000
  const after = {
    server: await cpuSeconds([pids.server]),
    postgres: await cpuSeconds(pids.postgres),
  }
  const status = await readFile(`/proc/${pids.server}/status`, 'utf8')
  return {
    serverShare: (after.server - before.server) / seconds,
    postgresShare: (after.postgres - before.postgres) / seconds,
    residentMiB: Number(/^VmRSS:\s+(\d+) kB$/mu.exec(status)?.[1] ?? 0) / 1024,
    hintMs,
    acknowledged: countAcknowledged(nodes) - acknowledgedBefore,
  }
}

function countAcknowledged(nodes: readonly SimulatedNode[]): number {
  return nodes.reduce((sum, { acknowledged }) => sum + acknowledged, 0)
}

async function readPort(output: NodeJS.ReadableStream): Promise<number> {
  const port = Promise.withResolvers<number>()
  createInterface({ input: output }).on('line', (line) => {
    const entry = JSON.parse(line) as { msg: string; port: number }
    if (entry.msg === 'ready') port.resolve(entry.port)
  })
  return port.promise
}

/** Nodes as they are after their enrolment, with the tokens that {@link nodeSecret} makes. */
async function addNodes(database: pg.Client, size: number): Promise<void> {
  await database.query(`insert into groups (name, description) values ('bench', '')`)
  await database.query(
    `insert into nodes (name, description, group_id, arch, properties, set_state, state)
     select 'n' || id, '', (select id from groups where name = 'bench'), 'x86_64', '{}', 'production', 'production'
     from generate_series(1, $1::integer) as id order by id`,
    [size],
  )
  await database.query(
    `insert into tokens (name, role, node_id, secret_sha256)
     select 'node', 'node', id, sha256(convert_to($1 || id, 'UTF8')) from nodes`,
    [nodeSecret('')],
  )
}

async function backendPids(database: pg.Client): Promise<number[]> {
  const { rows } = await database.query<{ pid: number }>('select pid from pg_stat_activity')
  return rows.map(({ pid }) => pid)
}

/** Processor seconds of processes; 0 for one that has ended. Source: proc(5), USER_HZ is 100. */
async function cpuSeconds(pids: readonly number[]): Promise<number> {
  const texts = await Promise.all(
    pids.map((pid) => readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')),
  )
  return texts.reduce((sum, text) => {
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return sum + (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) / 100
  }, 0)
}

async function ask(
  socketPath: string,
  token: string,
  { method, path, body }: { readonly method: string; readonly path: string; readonly body: object },
): Promise<void> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  const call = request({ socketPath, method, path, headers })
  call.end(JSON.stringify(body))
  const [response] = (await once(call, 'response')) as [IncomingMessage]
  const answer = await text(response)
  if (response.statusCode !== 200)
    throw new Error(`${method} ${path}: ${response.statusCode} ${answer}`)
}
