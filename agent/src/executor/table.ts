import type { StepKind, StepOf } from '../plan/step.ts'
import type { Slivers } from '../sliver/slivers.ts'

/** The function that executes each kind of step. Each is idempotent and throws a LabError. */
export type Executors = {
  readonly [K in StepKind]: (step: StepOf<K>, signal: AbortSignal) => Promise<void>
}

/** The objects that the executors use. */
export interface ExecutorParts {
  readonly slivers: Slivers
  /** Record on the disk that the node acts on this `boot_sn`, then reboot the host; or, if the host does not reboot, restart the running slivers. */
  readonly reboot: (bootSn: number, signal: AbortSignal) => Promise<void>
}

/** Make the table of executors. */
export function createExecutors({ slivers, reboot }: ExecutorParts): Executors {
  return {
    reboot: ({ bootSn }, signal) => reboot(bootSn, signal),
    allocate: ({ target, sliverMacPrefix }, signal) =>
      slivers.allocate(target, sliverMacPrefix, signal),
    deploy: ({ target }, signal) => slivers.deploy(target, signal),
    start: ({ target }, signal) => slivers.start(target, signal),
    authorize: ({ id, sshAuthorizedKeys }, signal) =>
      slivers.authorize(id, sshAuthorizedKeys, signal),
    stop: ({ id }, signal) => slivers.stop(id, signal),
    undeploy: ({ id, sliceInstanceSn }, signal) => slivers.undeploy(id, sliceInstanceSn, signal),
    remove: ({ id }, signal) => slivers.remove(id, signal),
  }
}

/** Execute one step. */
export async function execute<K extends StepKind>(
  executors: Pick<Executors, K>,
  step: StepOf<K>,
  signal: AbortSignal,
): Promise<void> {
  await executors[step.kind](step, signal)
}
