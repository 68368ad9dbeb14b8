import {
  LabError,
  type Capabilities,
  type FilesTarget,
  type SliverTarget,
} from '@community-lab/contract'
import type { SliverStage, SliverStatus, UnreadableSliver } from '../../agent/src/plan/observed.ts'
import type { ProgramStart } from '../../agent/src/sliver/program.ts'
import type { FilesUse, Slivers } from '../../agent/src/sliver/slivers.ts'

const stages = ['registered', 'allocated', 'deployed', 'started'] as const

/** The slivers of a node without containers. They are kept in memory, and every step succeeds at once. They pass the contract of `sliver-life.ts`. */
export class FakeSlivers implements Slivers {
  readonly capabilities: Capabilities = { runtime: 'crun', limits: true, userns: true, lacks: [] }
  readonly problems = []
  readonly #slivers = new Map<string, SliverStatus>()
  readonly #listeners = new Set<(id: string) => void>()
  #lastPid = 100

  constructor(slivers: readonly SliverStatus[] = []) {
    for (const one of slivers) this.#slivers.set(one.id, one)
  }

  list(): Promise<readonly SliverStatus[]> {
    return Promise.resolve([...this.#slivers.values()])
  }

  unreadable(): Promise<readonly UnreadableSliver[]> {
    return Promise.resolve([])
  }

  async allocate(target: SliverTarget): Promise<void> {
    if (this.#slivers.has(target.id)) return
    const taken = new Set([...this.#slivers.values()].map(({ nr }) => nr))
    let nr = 1
    while (taken.has(nr)) nr++
    await this.#save({
      id: target.id,
      nr,
      stage: 'allocated',
      sliceInstanceSn: target.slice_instance_sn,
      instanceSn: target.instance_sn,
      configuration: target,
      templateSha256: null,
      sshAuthorizedKeys: target.ssh_authorized_keys,
      interfaces: [],
      sshHostKey: null,
      startedOn: null,
      pid: null,
      cgroups: {},
      hasOtherProtection: false,
      ended: null,
    })
  }

  async deploy(target: SliverTarget): Promise<void> {
    const found = this.#require(target.id, 'allocated')
    if (found.stage !== 'allocated') return
    const templateSha256 = target.template?.image_sha256 ?? null
    await this.#save({
      ...found,
      stage: 'deployed',
      templateSha256,
      sshHostKey: 'ssh-ed25519 AAAA',
    })
  }

  async start(target: SliverTarget): Promise<void> {
    const found = this.#require(target.id, 'deployed')
    if (found.stage === 'started') return
    const startedOn = new Date(0).toISOString()
    await this.#save({ ...found, stage: 'started', startedOn, pid: ++this.#lastPid, ended: null })
  }

  async authorize(id: string, sshAuthorizedKeys: readonly string[]): Promise<void> {
    await this.#save({ ...this.#require(id, 'deployed'), sshAuthorizedKeys })
  }

  async stop(id: string): Promise<void> {
    const found = this.#slivers.get(id)
    if (found !== undefined) await this.#save({ ...afterStop(found), ended: null })
  }

  async undeploy(id: string, sliceInstanceSn: number): Promise<void> {
    const found = this.#slivers.get(id)
    if (found === undefined) return
    const deployed = { templateSha256: null, sshHostKey: null, ended: null } as const
    await this.#save({ ...afterStop(found), ...deployed, stage: 'allocated', sliceInstanceSn })
  }

  remove(id: string): Promise<void> {
    this.#slivers.delete(id)
    return Promise.resolve()
  }

  prepareProgram(id: string): Promise<ProgramStart> {
    const { pid } = this.#require(id, 'started')
    return Promise.resolve({
      ...{ command: ['true'], cgroup: null, procs: [], firstPid: pid ?? 0 },
      endingFile: '/no/such/file',
    })
  }

  async useFiles(_files: FilesTarget, { task }: FilesUse): Promise<void> {
    await task('/dev/null')
  }

  lend(): Promise<void> {
    return Promise.resolve()
  }

  check(): Promise<void> {
    return Promise.resolve()
  }

  onEnded(listener: (id: string) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  /** Let a sliver end by itself. */
  async end(id: string, message: string): Promise<void> {
    await this.#save({ ...afterStop(this.#require(id, 'started')), ended: { member: '', message } })
    for (const listener of this.#listeners) listener(id)
  }

  #save(status: SliverStatus): Promise<void> {
    this.#slivers.set(status.id, status)
    return Promise.resolve()
  }

  #require(id: string, needs: SliverStage): SliverStatus {
    const found = this.#slivers.get(id)
    const stage = found?.stage ?? 'registered'
    if (found !== undefined && stages.indexOf(stage) >= stages.indexOf(needs)) return found
    throw new LabError('LAB_SLIVER_STAGE', { sliver: id, stage, needs })
  }
}

function afterStop(status: SliverStatus): SliverStatus {
  const stage = status.stage === 'started' ? 'deployed' : status.stage
  return { ...status, stage, startedOn: null, pid: null }
}
