import type { Incident, Sliver } from '@community-lab/contract'
import type { Registry, TincHost } from '../../../../server/src/registry/registry.ts'

/** A registry held in memory, as far as the management network and the tunnel ask of it. */
export interface HandMadeRegistry extends Registry {
  /** Replace the tinc hosts, and tell of it. */
  setHosts(hosts: readonly TincHost[]): void
  setSliver(sliver: Sliver, groupId: number): void
  readonly incidents: readonly Incident[]
  /** The next incident that fits, or one there was. */
  incident(fits: (incident: Incident) => boolean): Promise<Incident>
}

/** Make an empty one. */
export function createRegistry(): HandMadeRegistry {
  let hosts: readonly TincHost[] = []
  const slivers = new Map<string, { sliver: Sliver; groupId: number }>()
  const incidents: Incident[] = []
  const changed = new Set<(names: readonly string[]) => void>()
  const reported = new Set<() => void>()
  return {
    incidents,
    setHosts(next) {
      const before = new Map(hosts.map((host) => [host.name, host.pubkey]))
      const now = new Map(next.map((host) => [host.name, host.pubkey]))
      const names = [...before.keys(), ...now.keys()]
      const differ = names.filter((name) => before.get(name) !== now.get(name))
      hosts = next
      for (const listener of changed) listener([...new Set(differ)])
    },
    setSliver(sliver, groupId) {
      slivers.set(sliver.id, { sliver, groupId })
    },
    incident: (fits) =>
      new Promise((resolve) => {
        const look = (): void => {
          const found = incidents.find(fits)
          if (found === undefined) return
          reported.delete(look)
          resolve(found)
        }
        reported.add(look)
        look()
      }),
    node: () => Promise.resolve(null),
    sliver: (id) => Promise.resolve(slivers.get(id)?.sliver ?? null),
    groupContact: () => Promise.resolve(null),
    sliceGroup: (sliceId) =>
      Promise.resolve(
        [...slivers.values()].find(({ sliver }) => sliver.slice.id === sliceId)?.groupId ?? null,
      ),
    tincHosts: (wanted) =>
      Promise.resolve(
        wanted === undefined ? hosts : hosts.filter(({ name }) => wanted.includes(name)),
      ),
    onTargetChanged: () => () => undefined,
    onTincHostsChanged(listener) {
      changed.add(listener)
      return () => void changed.delete(listener)
    },
    poll: () => Promise.resolve({ target: true, report: false }),
    target: () => Promise.resolve(null),
    takeReport: () => Promise.resolve(''),
    noteContact: () => Promise.resolve(),
    reportIncident(incident) {
      incidents.push(incident)
      for (const look of reported) look()
      return Promise.resolve()
    },
  }
}
