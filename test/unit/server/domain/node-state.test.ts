import { nodeSetStates } from '@community-lab/contract'
import { expect, it } from 'vitest'
import { checkNodeSetState } from '../../../../server/src/domain/node-state.ts'

// Source: CONFINE registry, node state rules: debug is the server's alone, production from safe, failure is left to safe.
const allowed = new Set([
  'safe production',
  'safe failure',
  'production safe',
  'production failure',
  'failure safe',
])

it.each(nodeSetStates.flatMap((from) => nodeSetStates.map((to) => [from, to] as const)))(
  'a node goes by hand from %s to %s only where CONFINE lets it',
  (from, to) => {
    const check = (): void => checkNodeSetState('n1', from, to)
    if (from === to || allowed.has(`${from} ${to}`)) expect(check).not.toThrow()
    else expect(check).toThrow(new RegExp(`^node n1 cannot go from ${from} to ${to}: `, 'u'))
  },
)
