import { join } from 'node:path'
import type { SliverStatus } from '../../../../../agent/src/plan/observed.ts'
import type { Machine } from './machine.ts'

/** Somebody with an SSH key, on the testbed's server. */
export interface SshUser {
  readonly publicKey: string
  /** Run a script in a sliver over its management interface; its host key must be the published one. Returns what was printed and the exit code. */
  run(sliver: SliverStatus, script: string): Promise<string>
}

/** Make somebody with a key. */
export async function createSshUser(machine: Machine): Promise<SshUser> {
  const key = join(machine.dir, 'user-key')
  const home = join(machine.dir, 'user')
  await machine.sh(
    `mkdir -p ${home}/.ssh && dropbearkey -t ed25519 -f ${key} >/dev/null 2>&1 && chmod 600 ${key}`,
  )
  const publicKey = await machine.sh(`dropbearkey -y -f ${key} | grep ^ssh-ed25519`)
  return {
    publicKey: publicKey.trim(),
    run(sliver, script) {
      const address = managementAddress(sliver)
      const known = `${address} ${sliver.sshHostKey ?? ''}`
      return machine.shOn(
        'server',
        `echo '${known}' > ${home}/.ssh/known_hosts; HOME=${home} dbclient -i ${key} root@${address} '${script}' 2>&1 </dev/null || echo "exit $?"`,
      )
    },
  }
}

/** A sliver's address in the management network. */
export function managementAddress(sliver: SliverStatus): string {
  return addressOf(sliver, 'management')
}

/** A sliver's address in the community network. */
export function publicAddress(sliver: SliverStatus): string {
  return addressOf(sliver, 'public6')
}

function addressOf({ id, interfaces }: SliverStatus, type: string): string {
  const address = interfaces.find((one) => one.type === type)?.ipv6_addr
  if (!address) throw new Error(`${id} has no ${type} address`)
  return address
}
