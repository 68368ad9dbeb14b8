import { LabError, type Arch } from '@community-lab/contract'

/** Options of {@link debianCommand}. */
export interface DebianOptions {
  /** The release, such as `bookworm`. */
  readonly suite: string
  /** Packages besides those that a sliver needs. */
  readonly packages: readonly string[]
  readonly arch: Arch
  /** The URL of a mirror; null: Debian's own. */
  readonly mirror: string | null
  /** A time at snapshot.debian.org, such as `20260101T000000Z`; null: the packages of today. */
  readonly snapshot: string | null
}

/** A command that writes a root file system to its standard output, as a tar archive. */
export interface BuildCommand {
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string>>
}

/** What a sliver needs, which is an SSH server that can start without a key of its own, and what the tutorials use. */
const neededPackages = [
  'dropbear-bin',
  'openssh-sftp-server',
  'iproute2',
  'iputils-ping',
  'fping',
  'iperf3',
  'traceroute',
  'curl',
  'procps',
  'ca-certificates',
]

/** Debian's names of processors. Source: dpkg-architecture, cputable. */
const debianArchs: Partial<Record<Arch, string>> = {
  x86_64: 'amd64',
  i586: 'i386',
  i686: 'i386',
  aarch64: 'arm64',
  armv7l: 'armhf',
  armv6l: 'armel',
  riscv64: 'riscv64',
  ppc64le: 'ppc64el',
  s390x: 's390x',
}

/**
 * The latest time of files in an image without a snapshot, in seconds since the epoch: 2026-01-01. What the build itself writes has this time, so that the same packages
 * give the same image. Source: SOURCE_DATE_EPOCH, https://reproducible-builds.org/specs/source-date-epoch/.
 */
const builtAtS = Date.UTC(2026, 0, 1) / 1000

/** Return the command that builds a small Debian by mmdebstrap. @throws {@link LabError} LAB_CLI_USAGE. */
export function debianCommand(options: DebianOptions): BuildCommand {
  const { suite, packages, arch, mirror, snapshot } = options
  const debianArch = debianArchs[arch]
  if (debianArch === undefined)
    throw new LabError('LAB_CLI_USAGE', { problem: `Debian has no ${arch}` })
  const source =
    snapshot === null
      ? (mirror ?? 'http://deb.debian.org/debian')
      : `http://snapshot.debian.org/archive/debian/${snapshot}/`
  return {
    argv: [
      'mmdebstrap',
      '--variant=minbase',
      `--architectures=${debianArch}`,
      `--include=${[...neededPackages, ...packages].join(',')}`,
      // Nobody reads manuals in a sliver, and nodes have small disks.
      '--dpkgopt=path-exclude=/usr/share/man/*',
      '--dpkgopt=path-exclude=/usr/share/locale/*',
      '--dpkgopt=path-exclude=/usr/share/doc/*',
      '--dpkgopt=path-include=/usr/share/doc/*/copyright',
      // The release files of a snapshot have expired.
      ...(snapshot === null ? [] : ['--aptopt=Acquire::Check-Valid-Until "false"']),
      // Every sliver of it would have the same, and the agent mounts the folder of the key.
      '--customize-hook=rm -f "$1/etc/machine-id" "$1/etc/hostname" "$1/etc/resolv.conf"',
      '--customize-hook=mkdir -p "$1/etc/dropbear" "$1/root/.ssh" "$1/run/community-lab"',
      '--format=tar',
      suite,
      '-',
      source,
    ],
    env: {
      SOURCE_DATE_EPOCH: String(snapshot === null ? builtAtS : snapshotS(snapshot)),
      LC_ALL: 'C.UTF-8',
    },
  }
}

/** Read the time of a snapshot, in seconds since the epoch. @throws {@link LabError} LAB_CLI_USAGE. */
function snapshotS(text: string): number {
  const iso = text.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/u, '$1-$2-$3T$4:$5:$6Z')
  const timeMs = iso === text ? Number.NaN : Date.parse(iso)
  if (Number.isFinite(timeMs)) return timeMs / 1000
  throw new LabError('LAB_CLI_USAGE', {
    problem: `${JSON.stringify(text)} is no time of a snapshot; it has the form 20260101T000000Z`,
  })
}
