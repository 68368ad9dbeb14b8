import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import { inspect } from 'node:util'
import { LabError, messageOf } from '@community-lab/contract'
import { localPath } from '@community-lab/contract/files'
import Type, { type Static } from 'typebox'
import { Value } from 'typebox/value'
import { checkArgument, localFile } from '../argument.ts'
import type { Shown } from '../display/table.ts'
import { call } from '../wait/call.ts'
import { orAborted } from '../wait/signal.ts'
import { interruptible, openMemory, runQuery, type MemoryDatabase } from './duckdb.ts'
import { buildQuery } from './query.ts'
import { quoteIdentifier, quoteText } from './sql-quote.ts'
import type { Row, SqlValue } from './value.ts'

/** What this reads of a manifest; it may say more. A file is beside it: its name leads to no other folder. */
const Manifest = Type.Object({
  tables: Type.Array(
    Type.Object({
      name: Type.String({ minLength: 1 }),
      file: Type.String({ pattern: '^[^/\\\\]+\\.parquet$' }),
      rows: Type.Integer({ minimum: 0 }),
      sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
    }),
  ),
})
type Table = Static<typeof Manifest>['tables'][number]

/**
 * Open a dataset of this machine: a folder of Parquet files with a `manifest.json`, as `export` of runs and of `lab.health()` writes it. It needs no testbed. The files are
 * checked by their SHA-256 and stay on disk: a query reads what it needs of them.
 *
 * @throws {@link LabError} LAB_DATASET_INVALID when the folder is no dataset, or a file is not what the manifest says. LAB_ARGUMENT_INVALID.
 */
export async function openDataset(folder: string): Promise<Dataset> {
  checkArgument('the folder of the dataset', folder, localFile)
  const given = localPath(folder)
  const closing = new AbortController()
  return call({ lab: closing.signal }, async (signal) => {
    const { tables } = await readManifest(given)
    for (const table of tables) await checkFile(given, table, signal)
    const memory = await openMemory()
    try {
      for (const table of tables) await memory.connection.run(viewOf(given, table))
    } catch (cause) {
      await memory.close()
      throw new LabError('LAB_DATASET_INVALID', { folder, reason: messageOf(cause) }, { cause })
    }
    return new Dataset({ folder: given, tables, memory, closing })
  })
}

interface OpenedDataset {
  readonly folder: string
  readonly tables: readonly Table[]
  readonly memory: MemoryDatabase
  readonly closing: AbortController
}

/** A dataset of this machine, until it is closed. */
export class Dataset {
  readonly #opened: OpenedDataset
  #last: Promise<unknown> = Promise.resolve()

  /** @internal */
  constructor(opened: OpenedDataset) {
    this.#opened = opened
  }

  /**
   * Run a query (DuckDB) on its tables. See `Run.sql`. Queries run one after another.
   *
   * @throws {@link LabError} LAB_SQL_FAILED, LAB_SQL_INVALID, LAB_SQL_UNREADABLE, LAB_ARGUMENT_INVALID.
   */
  async sql<T extends object = Row>(
    strings: TemplateStringsArray,
    ...values: readonly SqlValue[]
  ): Promise<Shown<T>> {
    const query = buildQuery(strings, values)
    const { memory, tables, closing } = this.#opened
    return call({ lab: closing.signal }, (signal) => {
      const result = this.#last.then(() => {
        signal.throwIfAborted()
        const names = (): string[] => tables.map(({ name }) => name)
        return interruptible(memory.connection, signal, () =>
          runQuery<T>(memory.connection, query, { signal, tables: names }),
        )
      })
      // The caller receives this failure. It does not stop the next query.
      this.#last = result.catch(() => undefined)
      return orAborted(result, signal)
    })
  }

  /** List its tables, with the number of rows of each. */
  tables(): Promise<readonly { readonly name: string; readonly rows: number }[]> {
    return Promise.resolve(this.#opened.tables.map(({ name, rows }) => ({ name, rows })))
  }

  /** Close it, which frees its memory. A later query is refused. */
  async close(): Promise<void> {
    const { closing, memory } = this.#opened
    if (closing.signal.aborted) return
    closing.abort(new DOMException('the dataset was closed', 'AbortError'))
    await this.#last
    await memory.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  [inspect.custom](): string {
    const { folder, tables } = this.#opened
    return [
      `Dataset ${folder}: ${tables.map(({ name, rows }) => `${name} (${rows} rows)`).join(', ')}`,
      `  await dataset.sql\`from ${tables[0]?.name ?? '…'} limit 10\` reads one`,
    ].join('\n')
  }
}

function viewOf(folder: string, { name, file }: Table): string {
  const source = `read_parquet(${quoteText(path.resolve(folder, file))})`
  return `create view ${quoteIdentifier(name)} as from ${source}`
}

async function readManifest(folder: string): Promise<Static<typeof Manifest>> {
  const file = path.join(folder, 'manifest.json')
  try {
    return Value.Parse(Manifest, JSON.parse(await readFile(file, 'utf8')))
  } catch (cause) {
    const reason = `manifest.json cannot be read as that of a dataset: ${messageOf(cause)}`
    throw new LabError('LAB_DATASET_INVALID', { folder, reason }, { cause })
  }
}

async function checkFile(
  folder: string,
  { file, sha256 }: Table,
  signal: AbortSignal,
): Promise<void> {
  const hash = createHash('sha256')
  try {
    await pipeline(createReadStream(path.join(folder, file)), hash, { signal })
  } catch (cause) {
    signal.throwIfAborted()
    throw new LabError('LAB_DATASET_INVALID', { folder, reason: messageOf(cause) }, { cause })
  }
  if (hash.digest('hex') === sha256) return
  const reason = `${file} does not have the SHA-256 that manifest.json says`
  throw new LabError('LAB_DATASET_INVALID', { folder, reason })
}
