import type { StepKind, StepOf } from '../plan/step.ts'
import type { Slivers } from '../sliver/slivers.ts'

/** How each kind of step is carried out. Every executor is idempotent and throws a LabError. */
export type Executors = {
  readonly [K in StepKind]: (step: StepOf<K>, signal: AbortSignal) => Promise<void>
}

/** What the executors act on. */
export interface ExecutorParts {
  readonly slivers: Slivers
  /** Note durably that the node acts on this `boot_sn`, then reboot the host or, where it does not do that, have what runs now started again. */
  readonly reboot: (bootSn: number, signal: AbortSignal) => Promise<void>
}

/** Make the table of executors. */
export function createExecutors({ slivers, reboot }: ExecutorParts): Executors {
  return {
    reboot: ({ bootSn }, signal) => reboot(bootSn, signal),
    allocate: ({ target, sliverMacPrefix }) => slivers.allocate(target, sliverMacPrefix),
    deploy: ({ target }, signal) => slivers.deploy(target, signal),
    start: ({ target }, signal) => slivers.start(target, signal),
    authorize: ({ id, sshAuthorizedKeys }, signal) =>
      slivers.authorize(id, sshAuthorizedKeys, signal),
    stop: ({ id }, signal) => slivers.stop(id, signal),
    remove: ({ id }, signal) => slivers.remove(id, signal),
  }
}

/** Carry out one step. */
export async function execute<K extends StepKind>(
  executors: Pick<Executors, K>,
  step: StepOf<K>,
  signal: AbortSignal,
): Promise<void> {
  await executors[step.kind](step, signal)
}
