import { startManagementNetwork } from '../../../../agent/src/mgmt/network.ts'

/** A node's end of the management network as a process of its own: options as JSON in the first argument, what happens as JSON lines. */
const options = JSON.parse(process.argv[2] ?? '{}') as Omit<
  Parameters<typeof startManagementNetwork>[0],
  'signal' | 'onLine'
>
const ending = new AbortController()
const network = await startManagementNetwork({
  ...options,
  signal: ending.signal,
  onLine: (line) => tell({ log: line }),
})
network.onChange((state) => tell({ state }))
network.onExit((reason) => tell({ exit: reason }))
tell({ started: network.pid, state: network.state, interface: network.interface })
process.once('SIGTERM', () => void network.stop())

function tell(what: object): void {
  process.stdout.write(`${JSON.stringify(what)}\n`)
}
