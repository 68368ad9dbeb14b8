import { LabError } from '@community-lab/contract'

/** Options of {@link createGather}. */
export interface GatherOptions<K, V> {
  /** Read what is there of these keys, each named once. */
  readonly read: (keys: readonly K[]) => Promise<ReadonlyMap<K, V>>
  /** So many keys are read at once. */
  readonly maxKeys: number
  /** How long a reading may take, in milliseconds; default 20 s. Who waits for it then hears that the database is away, and the next reading begins. */
  readonly withinMs?: number
}

interface Waiting<K, V> {
  readonly key: K
  resolve(value: V | undefined): void
  reject(error: unknown): void
}

/**
 * Make a reading by key that all who ask at the same time share. While one reading is under way, further keys wait for the next one, so that however many ask
 * there is one query at a time, and each answer is of a query that began after it was asked for. Undefined: there is no such key.
 */
export function createGather<K, V>(
  options: GatherOptions<K, V>,
): (key: K) => Promise<V | undefined> {
  const { read, maxKeys, withinMs = 20_000 } = options
  let waiting: Waiting<K, V>[] = []
  let isReading = false

  async function readTogether(some: readonly Waiting<K, V>[]): Promise<void> {
    try {
      const found = await inTime(read([...new Set(some.map(({ key }) => key))]), withinMs)
      for (const { key, resolve } of some) resolve(found.get(key))
    } catch (error) {
      for (const { reject } of some) reject(error)
    }
  }

  async function readWaiting(): Promise<void> {
    while (waiting.length > 0) {
      const some = waiting.slice(0, maxKeys)
      waiting = waiting.slice(maxKeys)
      await readTogether(some)
    }
    isReading = false
  }

  return (key) =>
    new Promise((resolve, reject) => {
      waiting.push({ key, resolve, reject })
      if (isReading) return
      isReading = true
      // What else is asked for in this turn of the event loop joins the first reading.
      setImmediate(() => void readWaiting())
    })
}

/** A query on a connection that was cut without a word has no answer for a quarter of an hour. Nobody else waits for that. */
async function inTime<T>(reading: Promise<T>, withinMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    const tell = (): void =>
      reject(new LabError('LAB_SERVER_UNAVAILABLE', { what: 'its database does not answer' }))
    timer = setTimeout(tell, withinMs)
  })
  try {
    return await Promise.race([reading, late])
  } finally {
    clearTimeout(timer)
  }
}
