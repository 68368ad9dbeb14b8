import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { ordinaryPlace, ownPlace } from '../../../support/place.ts'

/** A community network alone, in a pod. */
export interface TestMesh extends AsyncDisposable {
  readonly shaping: string
  /** The folder of its routers. */
  readonly dir: string
  /** Run a command on `n1` … or `server`. Rejects with what it said when it fails. */
  run(where: string, argv: readonly string[]): Promise<string>
  setLink(a: number, b: number, state: 'up' | 'cut'): Promise<void>
  setNode(n: number, state: 'up' | 'cut'): Promise<void>
}

interface Answer {
  readonly ok: boolean
  readonly output: string
  readonly shaping?: string
}

/** Start a community network of so many nodes, as whoever runs the tests or as an ordinary user. */
export async function startMesh(count: number, as: 'me' | 'ordinary user'): Promise<TestMesh> {
  const place = as === 'me' ? ownPlace() : await ordinaryPlace()
  const dir = await mkdtemp(place.homePrefix)
  await place.own(dir)
  const launcher = join(place.checkout, 'test/integration/vct/world/mesh-launcher.ts')
  const node = join(place.checkout, 'node_modules/.bin/node')
  const [program = '', ...args] = place.wrap([node, launcher, `${count}`, dir])
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] })
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString()
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const next = async (): Promise<Answer> => {
    const line = await lines.next()
    if (line.done === true) throw new Error(`the network ended: ${said}`)
    return JSON.parse(line.value) as Answer
  }
  // One question at a time: answers come in order.
  let queue: Promise<unknown> = Promise.resolve()
  const ask = (question: object): Promise<string> => {
    const answered = queue.then(async () => {
      child.stdin.write(`${JSON.stringify(question)}\n`)
      const { ok, output } = await next()
      if (!ok) throw new Error(output)
      return output
    })
    queue = answered.catch(() => undefined)
    return answered
  }
  const { shaping = '' } = await next()
  return {
    shaping,
    dir,
    run: (where, argv) => ask({ run: where, argv }),
    async setLink(a, b, state) {
      await ask({ link: [a, b], state })
    },
    async setNode(n, state) {
      await ask({ node: n, state })
    },
    async [Symbol.asyncDispose]() {
      const ended = once(child, 'close')
      child.stdin.end()
      await ended
      await place.remove(dir)
    },
  }
}
