/** The first process of a container. */
interface FirstProcess {
  readonly pid: number
  readonly startTicks: number
  readonly bootId: string
}

/** What is known of a sliver and of the container that it was last noted to have been given. */
export interface ProtectedSliver {
  readonly stage: string
  readonly process: FirstProcess | null
  readonly protection?: { readonly sha256: string; readonly process: FirstProcess }
}

/**
 * Tell whether a sliver runs in a container that is protected in another way than this agent protects its own, or in one of which that is not known.
 *
 * @param sha256 - identifies the way in which this agent does it.
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
