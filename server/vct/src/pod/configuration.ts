import Type, { type Static } from 'typebox'
import { ErrorLine, StepLine } from '../progress.ts'

/** The configuration of the pod's supervisor, as JSON in its first argument. */
export const PodConfiguration = Type.Object({
  home: Type.String(),
  app: Type.String({ description: 'the folder with server/, agent/ and node_modules/' }),
  nodes: Type.Integer({ minimum: 1 }),
  url: Type.String({ description: 'of the server, as seen outside the pod' }),
  template: Type.String(),
  uid: Type.Integer({ description: 'of the user outside, from which its folders follow' }),
  node: Type.String({ description: 'the Node.js binary' }),
  mode: Type.Enum(['root', 'rootless'] as const),
  hasManyUids: Type.Boolean(),
  cgroup: Type.Union([Type.String(), Type.Null()]),
  lends: Type.String({ description: "what each node lends of the host, as the agent's setting" }),
  lacks: Type.Array(Type.String()),
  serverEnv: Type.Record(Type.String(), Type.String()),
  agentEnv: Type.Record(Type.String(), Type.String()),
})
export type PodConfiguration = Static<typeof PodConfiguration>

/** A line of the supervisor's output. Each line is one JSON document. */
export const PodLine = Type.Union([
  StepLine,
  ErrorLine,
  Type.Object({ pod: Type.Enum(['running', 'stopped'] as const) }),
])
export type PodLine = Static<typeof PodLine>

/** The line on standard input that makes the supervisor end properly. At the end of the input it ends at once. */
export const stopLine = 'stop'

/** The settings that the testbed sets itself. */
const ownSettings = new Set(
  ['DATA', 'SOCKET', 'LISTEN', 'COMMUNITY_URL', 'TINC_ADDRESS', 'TINC_PORT', 'MGMT_PREFIX']
    .concat(['GATEWAY_SOCKET', 'BOOTSTRAP_TOKEN_FILE', 'ENROLLMENT_TOKEN', 'PUBLIC_PREFIX'])
    .concat(['CGROUP', 'REBOOT_COMMAND', 'NR_ON_HOST']),
)

/** Return the settings in an environment that are meant for one of the testbed's programs. Settings that the testbed sets itself are left out. */
export function settingsFor(
  program: 'SERVER' | 'AGENT',
  env: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const prefix = `COMMUNITY_LAB_${program}_`
  const settings: Record<string, string> = {}
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined || !name.startsWith(prefix)) continue
    if (!ownSettings.has(name.slice(prefix.length))) settings[name] = value
  }
  return settings
}
