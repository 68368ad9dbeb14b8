import type { CoreLimit } from './core-dumps.ts'
import type { IdMapping } from './ids.ts'
import { seccompProfile } from './seccomp/profile.ts'

/** A folder that the bundle's mounts provide, and its path in the container. */
export interface BoundFolder {
  readonly source: string
  readonly destination: string
}

/** The input of a container's configuration. */
export interface ContainerPlan {
  /** The path of its root file system, as the runtime sees it. */
  readonly rootPath: string
  readonly hostname: string
  readonly args: readonly string[]
  readonly ids: readonly IdMapping[]
  /** Folders that are mounted read-only. */
  readonly bound: readonly BoundFolder[]
  /** The path of its cgroup below the root of each hierarchy, for a runtime that always makes cgroups; null: the runtime must make none. */
  readonly cgroupsPath: string | null
  readonly coreLimit: CoreLimit
  /** The processor, as Node.js names it. */
  readonly arch: string
  /** The program that the runtime has compiled from the same seccomp profile earlier, in base64; null: the runtime compiles it. */
  readonly seccompProgram: string | null
}

/** The annotation with which crun gets a compiled profile. Compiling it would take two thirds of the time to create a container. Source: crun(1). */
const seccompProgramAnnotation = 'run.oci.seccomp_bpf_data'

/** These are enough for dropbear, ping and changes of user, but not for changes of interfaces, mounts or devices. */
const capabilities = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FOWNER',
  'CAP_FSETID',
  'CAP_KILL',
  'CAP_NET_BIND_SERVICE',
  'CAP_NET_RAW',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SYS_CHROOT',
]
/** Source: the defaults of Docker and podman. */
const maskedPaths =
  '/proc/acpi /proc/asound /proc/interrupts /proc/kcore /proc/keys /proc/latency_stats /proc/timer_list /proc/timer_stats /proc/sched_debug /proc/scsi /sys/firmware /sys/devices/virtual/powercap'
const readonlyPaths = '/proc/bus /proc/fs /proc/irq /proc/sys /proc/sysrq-trigger'
const openFiles = 4096
/**
 * When the host has no memory left, the kernel ends programs of slivers before those of the owner. Source: proc(5), oom_score_adj; 1000 is the highest value. A
 * program may not lower its own without CAP_SYS_RESOURCE.
 */
const oomScoreAdj = 1000

/** Make the configuration of a container. Source: OCI runtime specification 1.0.2, config.md and config-linux.md. */
export function containerConfiguration(plan: ContainerPlan): object {
  const mappings = plan.ids.map(({ inside, outside, count }) => ({
    containerID: inside,
    hostID: outside,
    size: count,
  }))
  return {
    ociVersion: '1.0.2',
    hostname: plan.hostname,
    root: { path: plan.rootPath, readonly: false },
    process: processConfiguration(plan),
    mounts: [...systemMounts, ...plan.bound.map(bind)],
    ...(plan.seccompProgram === null
      ? {}
      : { annotations: { [seccompProgramAnnotation]: plan.seccompProgram } }),
    linux: {
      namespaces: ['pid', 'mount', 'network', 'uts', 'ipc', 'user'].map((type) => ({ type })),
      uidMappings: mappings,
      gidMappings: mappings,
      ...(plan.cgroupsPath === null ? {} : { cgroupsPath: plan.cgroupsPath }),
      seccomp: seccompProfile(plan.arch, capabilities),
      maskedPaths: maskedPaths.split(' '),
      readonlyPaths: readonlyPaths.split(' '),
    },
  }
}

/** Make the configuration of a process in a container. Source: OCI runtime specification 1.0.2, config.md. */
export function processConfiguration({
  args,
  env = [],
  coreLimit,
}: Pick<ContainerPlan, 'args' | 'coreLimit'> & { readonly env?: readonly string[] }): object {
  return {
    terminal: false,
    cwd: '/',
    user: { uid: 0, gid: 0 },
    args,
    env: [
      'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      'HOME=/root',
      ...env,
    ],
    noNewPrivileges: true,
    oomScoreAdj,
    capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
    rlimits: [
      { type: 'RLIMIT_CORE', soft: coreLimit, hard: coreLimit },
      { type: 'RLIMIT_NOFILE', soft: openFiles, hard: openFiles },
    ],
  }
}

const systemMounts = [
  mount('/proc', 'proc', ['nosuid', 'noexec', 'nodev']),
  mount('/dev', 'tmpfs', ['nosuid', 'strictatime', 'mode=755', 'size=64k']),
  mount('/dev/pts', 'devpts', ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620']),
  mount('/dev/shm', 'tmpfs', ['nosuid', 'noexec', 'nodev', 'mode=1777', 'size=16m']),
  mount('/sys', 'sysfs', ['nosuid', 'noexec', 'nodev', 'ro']),
  mount('/run', 'tmpfs', ['nosuid', 'nodev', 'mode=755', 'size=16m']),
]

function mount(destination: string, type: string, options: readonly string[]) {
  return { destination, type, source: type, options }
}

function bind({ source, destination }: BoundFolder) {
  return {
    destination,
    type: 'bind',
    source,
    options: ['bind', 'ro', 'nosuid', 'nodev', 'noexec'],
  }
}
