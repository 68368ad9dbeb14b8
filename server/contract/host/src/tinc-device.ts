import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { open } from 'node:fs/promises'
import { promisify } from 'node:util'
import {
  LabError,
  messageOf,
  rawSocketCommands,
  rawSocketRemovalCommands,
  tincdEnvironment,
  type TincDevice,
  type TincInterfaceOptions,
} from '@community-lab/contract'

/** The device of tincd, and why it is not the usual one. */
export interface ChosenDevice {
  readonly device: TincDevice
  readonly detail: string | null
}

/** Choose the device of tincd: `auto` means tun where one can really be created, otherwise raw_socket. */
export async function chooseDevice(wanted: 'auto' | TincDevice): Promise<ChosenDevice> {
  if (wanted !== 'auto') return { device: wanted, detail: null }
  const name = `clab-${randomBytes(3).toString('hex')}`
  try {
    await (await open('/dev/net/tun', 'r+')).close()
    const changes = ['add', 'del'].map((change) => `ip tuntap ${change} dev ${name} mode tun`)
    await run(['sh', '-c', changes.join(' && ')])
    return { device: 'tun', detail: null }
  } catch (error) {
    // Whatever the reason, tincd can use a veth pair instead, which is a little slower.
    const reason = messageOf(error)
    return { device: 'raw_socket', detail: `no tun device can be made here (${reason})` }
  }
}

/** Create the interface that tincd needs before it starts. tincd creates a tun device itself. */
export async function makeInterface(
  device: TincDevice,
  options: TincInterfaceOptions,
): Promise<void> {
  await removeInterface(device, options.interface)
  if (device === 'raw_socket') for (const argv of rawSocketCommands(options)) await run(argv)
}

/** Remove what {@link makeInterface} created. Does nothing when there is nothing. */
export async function removeInterface(device: TincDevice, name: string): Promise<void> {
  if (device === 'tun') return
  for (const argv of rawSocketRemovalCommands(name)) {
    await run(argv).catch(() => {
      // It was not there.
    })
  }
}

async function run(argv: readonly string[]): Promise<void> {
  const [command = '', ...rest] = argv
  try {
    await promisify(execFile)(command, rest, { env: tincdEnvironment, timeout: 10_000 })
  } catch (cause) {
    const message = cause instanceof Error ? cause.message.trim().replaceAll('\n', ' ') : ''
    throw new LabError('LAB_TINC_FAILED', { what: 'this host', reason: message }, { cause })
  }
}
