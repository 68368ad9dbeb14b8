import { mkdir } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import process from 'node:process'
import { join } from 'node:path'
import { nodeRouter, serverRouter } from '../../../../server/vct/src/network/babel.ts'
import { createMesh, probeShaping } from '../../../../server/vct/src/network/mesh.ts'
import { superviseRelay } from '../../../../server/vct/src/network/relay.ts'
import { superviseRouter, waitForRoutes } from '../../../../server/vct/src/network/router.ts'
import { nodeName, planTopology } from '../../../../server/vct/src/network/topology.ts'
import { LogFile } from '../../../../server/vct/src/process/log-file.ts'
import { powerOn } from '../../../../server/vct/src/pod/node-machine.ts'
import { runScript } from '../../../../server/vct/src/network/namespace.ts'

/**
 * The first process of a pod with the community network alone: namespaces, links, shapes, routers. Arguments: number of nodes, a folder.
 * Commands come as lines of JSON, `{"run":"n1","argv":[…]}`, `{"link":[1,2],"state":"cut"}`, `{"node":3,"state":"cut"}`; each is answered by one.
 */
const [count = '', dir = ''] = process.argv.slice(2)
const { signal } = new AbortController()
await runScript(
  {
    namespace: null,
    commands: [
      ['mount', '-t', 'tmpfs', 'tmpfs', '/run'],
      ['mkdir', '/run/netns'],
    ],
  },
  { signal },
)
const topology = planTopology(Number(count))
const mesh = await createMesh(topology, await probeShaping(signal), signal)
const log = (name: string) => new LogFile(join(dir, `${name}.log`))
if (mesh.shaping === 'relay')
  await superviseRelay({ topology, node: process.execPath, log: log('relay') }).start(signal)
const place = join(dir, 'machine')
await mkdir(place)
const routers = [
  superviseRouter({ name: 'server', router: serverRouter(topology), log: log('server'), dir }),
]
for (const n of topology.nodes) {
  const name = nodeName(n)
  const machine = await powerOn({ name, place, signal })
  const inside = (argv: readonly string[]) => machine.inside(argv)
  routers.push(
    superviseRouter({ name, router: nodeRouter(topology, n), log: log(name), dir, inside }),
  )
}
for (const router of routers) await router.start(signal)
await waitForRoutes(topology, signal)
tell({ ready: true, shaping: mesh.shaping })

interface Request {
  readonly run?: string
  readonly argv?: readonly string[]
  readonly link?: readonly [number, number]
  readonly node?: number
  readonly state?: 'up' | 'cut'
}
for await (const line of createInterface({ input: process.stdin })) {
  try {
    tell({ ok: true, output: await answer(JSON.parse(line) as Request) })
  } catch (error) {
    tell({ ok: false, output: String(error) })
  }
}
process.exit(0)

async function answer(request: Request): Promise<string> {
  const state = request.state ?? 'up'
  if (request.run !== undefined) {
    const namespace = request.run === 'server' ? null : request.run
    return runScript({ namespace, commands: [request.argv ?? []] })
  }
  const [a, b] = request.link ?? []
  const link = topology.links.find((one) => one.a === a && one.b === b)
  if (link !== undefined) await mesh.setLink(link, state)
  if (request.node !== undefined) await mesh.setNode(request.node, state)
  return ''
}

function tell(what: object): void {
  process.stdout.write(`${JSON.stringify(what)}\n`)
}
