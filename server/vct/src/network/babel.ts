import {
  communityAddress,
  interfacesOf,
  linkAddress,
  neighboursOf,
  publicPrefix,
  radioName,
  serverCommunityAddress,
  type Topology,
} from './topology.ts'

/**
 * Seconds between hellos. A neighbour counts as lost after two or three missing ones, so routes avoid a cut within about two seconds.
 *
 * Source: runtime measurements; babeld's default of 4 s takes 20 s to converge.
 */
const helloIntervalS = 0.3
/** Seconds between updates. Each update carries a new sequence number over one link, so this limits how long a route that was not feasible stays unused. */
const updateIntervalS = 2 * helloIntervalS

/** A babeld to run: its configuration and its interfaces. */
export interface Router {
  readonly configuration: string
  readonly interfaces: readonly string[]
}

/** Return the router of a node. It announces the node's address and its slivers' prefix. */
export function nodeRouter(topology: Topology, n: number): Router {
  return {
    interfaces: interfacesOf(topology, n),
    configuration: render([
      ...onlyFrom(neighboursOf(topology, n)),
      `redistribute local ip ${communityAddress(n)}/128`,
      `redistribute ip ${publicPrefix(n)} eq 64`,
    ]),
  }
}

/** Return the server's router. It announces only the server. */
export function serverRouter(topology: Topology): Router {
  return {
    interfaces: topology.uplinks.map(radioName),
    configuration: render([
      ...onlyFrom(topology.uplinks),
      `redistribute local ip ${serverCommunityAddress}/128`,
      // The server announces nothing else, so no packets of others are routed through it.
      `out ip ${serverCommunityAddress}/128 allow`,
      'out deny',
    ]),
  }
}

/**
 * Accept routes from these neighbours only. This also keeps babeld from remembering requests for a new sequence number. When such a request was lost, because
 * its destination was cut off at that moment, it would suppress every later one for 65 s, and a node that is back would have no routes for as long
 * (`request_redundant` and `REQUEST_TIMEOUT` of babeld's resend.c, up to 1.14: a forwarded request counts as one that is sent again, but is not).
 */
function onlyFrom(hosts: readonly number[]): readonly string[] {
  return [...hosts.map((host) => `in neigh ${linkAddress(host)} allow`), 'in deny']
}

/** Return babeld's arguments, to run in the foreground. */
export function babeldArguments(
  router: Router,
  files: { readonly configuration: string; readonly state: string },
): readonly string[] {
  return [
    ...['-c', files.configuration, '-S', files.state],
    // No pid file, because that of a killed babeld would stop the next one.
    ...['-I', ''],
    // No smoothing of metrics. With it, a better route is used only half a minute after a cut has ended. These links never flap.
    ...['-M', '0'],
    ...router.interfaces,
  ]
}

function render(announced: readonly string[]): string {
  const lines = [
    'random-id true',
    // The timestamps tell both ends of a link their round trip. It does not change the cost of the link.
    `default type wired hello-interval ${helloIntervalS} update-interval ${updateIntervalS} enable-timestamps true`,
    ...announced,
    'redistribute local deny',
    'redistribute deny',
  ]
  return `${lines.join('\n')}\n`
}
