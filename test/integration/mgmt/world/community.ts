import { randomBytes } from 'node:crypto'
import { sh, succeeds } from './shell.ts'

/** A community network of network namespaces on one bridge; host n is `fd77::<n>`. */
export interface Community extends AsyncDisposable {
  /** Make a namespace attached to it; returns its name. */
  attach(n: number): Promise<string>
  /** Take a namespace's link down, or up again. */
  setLink(n: number, state: 'up' | 'down'): Promise<void>
}

/** Make a community network of its own for one test file. Needs root. */
export async function createCommunity(): Promise<Community> {
  const tag = `cl${randomBytes(3).toString('hex')}`
  const bridge = `${tag}b`
  const names = [bridge]
  await sh(`ip netns add ${bridge}`)
  await sh(`ip -n ${bridge} link add br0 type bridge mcast_snooping 0`)
  await sh(`ip -n ${bridge} link set br0 up`)
  return {
    async attach(n) {
      const name = `${tag}-${n}`
      await sh(`ip netns add ${name}`)
      names.push(name)
      await sh(`ip -n ${name} link set lo up`)
      await sh(`ip -n ${name} link add cn0 type veth peer name p${n} netns ${bridge}`)
      await sh(`ip -n ${bridge} link set p${n} master br0 up`)
      await sh(`ip -n ${name} link set cn0 up`)
      await sh(`ip -n ${name} addr add fd77::${n.toString(16)}/64 dev cn0 nodad`)
      return name
    },
    async setLink(n, state) {
      await sh(`ip -n ${bridge} link set p${n} ${state}`)
    },
    async [Symbol.asyncDispose]() {
      for (const name of names.reverse()) {
        for (const pid of (await sh(`ip netns pids ${name}`).catch(() => '')).split('\n')) {
          if (pid !== '') await succeeds(`kill -9 ${pid}`)
        }
        await succeeds(`ip netns del ${name}`)
      }
    },
  }
}
