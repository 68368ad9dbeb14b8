import { LabError } from '@community-lab/contract'

/** Turn a violation of a unique name into LAB_NAME_TAKEN. */
export async function claimName<T>(kind: string, name: string, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (cause) {
    // 23505: unique_violation.
    if (cause instanceof Error && 'code' in cause && cause.code === '23505')
      throw new LabError('LAB_NAME_TAKEN', { kind, name }, { cause })
    throw cause
  }
}
