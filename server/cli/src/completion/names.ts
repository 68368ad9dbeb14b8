import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { NamedKind } from './command-tree.ts'
import type { Proposal } from './propose.ts'

/** Options of {@link readNames}. */
export interface NamesOptions {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  /** The whole program, which finds the credentials and asks the server: an executable, and its first arguments. */
  readonly program: readonly [string, ...string[]]
  readonly nowMs: number
}

/** The longest time for asking the server, in milliseconds: somebody has pressed Tab, and waits. */
const askMs = 1_500
/** Names are not asked for again for so long, in milliseconds. */
const keptMs = 20_000
/** Where the server is away, names are proposed that are at most so old, in milliseconds. */
const staleMs = 24 * 3_600_000

interface Kept {
  readonly askedMs: number
  readonly readMs: number
  readonly names: readonly Proposal[]
}

/** Read the names of the objects of a kind; those of before where the server is away or slow, and none where it was never heard of. Never rejects. */
export async function readNames(
  kind: NamedKind,
  options: NamesOptions,
): Promise<readonly Proposal[]> {
  const { nowMs } = options
  const file = fileOf(kind, options)
  const kept = maybeKept(file)
  if (kept !== null && Math.abs(nowMs - kept.askedMs) < keptMs) return kept.names
  const asked = await maybeAsk(kind, options)
  const old = kept !== null && nowMs - kept.readMs < staleMs ? kept.names : []
  const names = asked ?? old
  const readMs = asked === null ? (kept?.readMs ?? 0) : nowMs
  keep(file, { askedMs: nowMs, readMs, names })
  return names
}

/** Names are kept for what chooses the credentials: the settings and the folder. */
function fileOf(kind: NamedKind, { env, cwd, program }: NamesOptions): string {
  const names = ['HOME', 'XDG_CONFIG_HOME', 'COMMUNITY_LAB_HOME', 'COMMUNITY_LAB_CREDENTIALS']
  const settings = [...names, 'COMMUNITY_LAB_URL', 'COMMUNITY_LAB_TOKEN'].map((name) => env[name])
  const key = JSON.stringify([kind, cwd, program, settings])
  const hash = createHash('sha256').update(key).digest('hex').slice(0, 24)
  const cache = env['XDG_CACHE_HOME']
  const base =
    cache === undefined || cache === '' ? join(env['HOME'] ?? homedir(), '.cache') : cache
  return join(base, 'community-lab', `names-${hash}.json`)
}

function maybeKept(file: string): Kept | null {
  try {
    const kept = JSON.parse(readFileSync(file, 'utf8')) as Kept
    return Array.isArray(kept.names) ? kept : null
  } catch {
    // Nothing was kept, or not whole.
    return null
  }
}

function keep(file: string, kept: Kept): void {
  try {
    mkdirSync(join(file, '..'), { recursive: true, mode: 0o700 })
    writeFileSync(`${file}.new`, JSON.stringify(kept), { mode: 0o600 })
    renameSync(`${file}.new`, file)
  } catch {
    // A home that cannot be written: the names are asked for each time.
  }
}

function maybeAsk(
  kind: NamedKind,
  { env, cwd, program }: NamesOptions,
): Promise<readonly Proposal[] | null> {
  const [executable, ...args] = program
  const limits = { timeout: askMs, killSignal: 'SIGKILL', maxBuffer: 8 * 1024 * 1024 } as const
  return new Promise((resolve) => {
    execFile(
      executable,
      [...args, '__names', kind],
      { env: { ...env }, cwd, ...limits },
      (error, printed) => resolve(error === null ? maybeNames(printed) : null),
    )
  })
}

function maybeNames(printed: string): readonly Proposal[] | null {
  try {
    return JSON.parse(printed) as readonly Proposal[]
  } catch {
    return null
  }
}
