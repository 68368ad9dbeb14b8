import { LabError } from '@community-lab/contract'

/** Options of {@link createGather}. */
export interface GatherOptions<K, V> {
  /** Read the values of these keys. Each key is given once. */
  readonly read: (keys: readonly K[]) => Promise<ReadonlyMap<K, V>>
  /** The most keys of one query. */
  readonly maxKeys: number
  /** How long a query may take, in milliseconds; default 20 s. After that it fails as if the database were away, and the next query begins. */
  readonly withinMs?: number
}

interface Waiting<K, V> {
  readonly key: K
  resolve(value: V | undefined): void
  reject(error: unknown): void
}

/**
 * Make a function that reads by key, with one query for all calls at the same time. While a query is under way, further keys wait for the next one. So there is one query at
 * a time, however many calls there are, and each answer is of a query that began after the call. Undefined: there is no such key.
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
      // Other calls in this turn of the event loop join the first query.
      setImmediate(() => void readWaiting())
    })
}

/** If a connection was cut silently, a query on it gets no answer for a quarter of an hour. Other callers must not wait for that. */
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
