import { LabError } from '@community-lab/contract'
import Type from 'typebox'
import { Value } from 'typebox/value'
import { cutCommands, cutInterface, restoreCommands } from './commands.ts'
import { runScript } from './namespace.ts'

/** The interfaces of one namespace that are to drop all packets that they receive. */
export interface WantedCuts {
  /** Null is the pod's own namespace, which is the server's. */
  readonly namespace: string | null
  readonly wanted: readonly string[]
}

/** The needed part of the output of `nft -j list chains netdev`. */
const Chains = Type.Object({
  nftables: Type.Array(
    Type.Object({
      chain: Type.Optional(
        Type.Object({
          table: Type.String(),
          hook: Type.Optional(Type.String()),
          policy: Type.Optional(Type.String()),
        }),
      ),
    }),
  ),
})

/**
 * Cut exactly these interfaces, whatever was cut before, and read the result back. Without that, a link that was not cut would make a measurement wrong without
 * notice.
 *
 * @throws {@link LabError} LAB_VCT_COMMAND_FAILED; LAB_VCT_CUT_MISMATCH when the result differs.
 */
export async function applyCuts({ namespace, wanted }: WantedCuts): Promise<void> {
  const before = await readCuts(namespace)
  const commands = [
    ...wanted.filter((name) => !before.includes(name)).flatMap(cutCommands),
    ...before.filter((name) => !wanted.includes(name)).flatMap(restoreCommands),
  ]
  if (commands.length === 0) return
  await runScript({ namespace, commands })
  const after = await readCuts(namespace)
  if (wanted.length === after.length && wanted.every((name) => after.includes(name))) return
  const node = namespace ?? 'the server'
  throw new LabError('LAB_VCT_CUT_MISMATCH', { node, asked: wanted, found: after })
}

/** Read which interfaces of a namespace the kernel has cut. */
async function readCuts(namespace: string | null): Promise<readonly string[]> {
  const json = await runScript({ namespace, commands: [['nft', '-j', 'list', 'chains', 'netdev']] })
  return parseCuts(json)
}

/** Return the cut interfaces from the output of `nft -j list chains netdev`. */
export function parseCuts(json: string): readonly string[] {
  const document: unknown = json.trim() === '' ? { nftables: [] } : JSON.parse(json)
  if (!Value.Check(Chains, document)) return []
  return document.nftables.flatMap(({ chain }) => {
    const name = chain === undefined ? null : cutInterface(chain.table)
    return name !== null && chain?.hook === 'ingress' && chain.policy === 'drop' ? [name] : []
  })
}
