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
 * Seconds between hellos. A neighbour that is silent is given up after two or three of them, so a cut is routed around within about two seconds.
 * Source: runtime measurements; babeld's default of 4 s takes 20 s to converge.
 */
const helloIntervalS = 0.3
/** Seconds between updates. A new sequence number travels a link with each, so this bounds how long a route that was not feasible stays unused. */
const updateIntervalS = 2 * helloIntervalS

/** A babeld to run: its configuration and its interfaces. */
export interface Router {
  readonly configuration: string
  readonly interfaces: readonly string[]
}

/** The router of a node: it announces the node's address and its slivers' prefix. */
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

/** The server's router: it announces the server alone. */
export function serverRouter(topology: Topology): Router {
  return {
    interfaces: topology.uplinks.map(radioName),
    configuration: render([
      ...onlyFrom(topology.uplinks),
      `redistribute local ip ${serverCommunityAddress}/128`,
      // The server announces nothing else, so nobody's packets are routed through it.
      `out ip ${serverCommunityAddress}/128 allow`,
      'out deny',
    ]),
  }
}

/**
 * Take routes from these neighbours and nobody else. That also keeps babeld from remembering requests for a new sequence number: one that was
 * lost on its way, because its destination was cut off just then, would silence every later one for 65 s (`request_redundant` and `REQUEST_TIMEOUT`
 * of babeld's resend.c, up to 1.14: a forwarded request counts as being resent, and is not), and a node that is back stayed without routes as long.
 */
function onlyFrom(hosts: readonly number[]): readonly string[] {
  return [...hosts.map((host) => `in neigh ${linkAddress(host)} allow`), 'in deny']
}

/** babeld's arguments, in the foreground. */
export function babeldArguments(
  router: Router,
  files: { readonly configuration: string; readonly state: string },
): readonly string[] {
  return [
    ...['-c', files.configuration, '-S', files.state],
    // No pid file: one of a killed babeld would stand in the way of the next.
    ...['-I', ''],
    // No smoothing of metrics: with it, a better route is taken half a minute after a cut has ended. These links never flap.
    ...['-M', '0'],
    ...router.interfaces,
  ]
}

function render(announced: readonly string[]): string {
  const lines = [
    'random-id true',
    `default type wired hello-interval ${helloIntervalS} update-interval ${updateIntervalS}`,
    ...announced,
    'redistribute local deny',
    'redistribute deny',
  ]
  return `${lines.join('\n')}\n`
}
