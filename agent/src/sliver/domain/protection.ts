/** The first process of a container. */
interface FirstProcess {
  readonly pid: number
  readonly startTicks: number
  readonly bootId: string
}

/** The stage and first process of a sliver, with the last recorded protection of its container. */
export interface ProtectedSliver {
  readonly stage: string
  readonly process: FirstProcess | null
  readonly protection?: { readonly sha256: string; readonly process: FirstProcess }
}

/**
 * Tell whether a sliver runs in a container whose protection is unknown, or differs from that of this agent.
 *
 * @param sha256 - the identity of this agent's protection.
 */
export function hasOtherProtection(
  { stage, process, protection }: ProtectedSliver,
  sha256: string,
): boolean {
  if (stage !== 'started' || process === null) return false
  const noted = protection?.process
  const isNoted =
    noted?.pid === process.pid &&
    noted.startTicks === process.startTicks &&
    noted.bootId === process.bootId
  return !isNoted || protection?.sha256 !== sha256
}
