import { Health, LabError, routes, type Node } from '@community-lab/contract'
import type { Command } from 'commander'
import type { Context } from '../context.ts'
import { findCredentials } from '../credentials.ts'
import { createClient } from '../http/client.ts'
import { printJson, tint, type PrintOptions } from '../output/print.ts'
import { maybeTestbedStatus } from '../testbed/control.ts'
import { listNodes } from './lists.ts'
import { leaf } from './option.ts'

/** `community-lab status`: whether the testbed answers and is healthy, in a few lines. */
export function addStatus(program: Command, context: Context): void {
  leaf(program, 'status', 'whether the testbed is there and well').action(
    async (options: PrintOptions) => {
      const virtual = await maybeTestbedStatus(context)
      const { url, token } = findCredentials(context)
      const client = createClient({ base: url, token, signal: context.signal })
      // A degraded server answers with 503 and a health document.
      const health = await client.ask(Health, routes.health, { accept: [503] })
      const nodes = await listNodes(client)
      if (options.json === true)
        printJson(context, { url, health, nodes: countStates(nodes), virtual })
      else {
        const tone = health.status === 'ok' ? 'green' : 'red'
        context.out.write(`server ${url}: ${tint(context.out, tone, health.status)}\n`)
        for (const [name, part] of Object.entries(health.parts))
          if (!part.ok) context.out.write(`  ${name}: ${part.detail ?? 'not well'}\n`)
        context.out.write(`nodes: ${describeStates(nodes)}\n`)
        if (virtual !== null) context.out.write(`virtual testbed: ${virtual.state}\n`)
      }
      if (health.status !== 'ok')
        throw new LabError('LAB_SERVER_UNAVAILABLE', { what: unwell(health) })
    },
  )
}

function unwell({ parts }: Health): string {
  const names = Object.entries(parts).filter(([, { ok }]) => !ok)
  return `${names.map(([name]) => name).join(', ')} not well`
}

function countStates(nodes: readonly Node[]): Readonly<Record<string, number>> {
  const groups = Object.groupBy(nodes, ({ state }) => state)
  return Object.fromEntries(Object.entries(groups).map(([state, all]) => [state, all.length]))
}

/** `4 production, 1 offline` */
function describeStates(nodes: readonly Node[]): string {
  const parts = Object.entries(countStates(nodes)).map(([state, count]) => `${count} ${state}`)
  return parts.join(', ') || 'none yet'
}
