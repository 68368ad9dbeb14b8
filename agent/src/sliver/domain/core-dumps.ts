/**
 * The core dump limit in bytes. With 1, the kernel neither makes a dump nor starts a crash handler of the host. With 0, it makes no dump but starts the handler
 * in `core_pattern`: outside the sliver's limits, once for each program that crashes. Source: core(5), "Piping core dumps to a program"; Linux, fs/coredump.c.
 */
export type CoreLimit = 0 | 1

/** Choose the core dump limit by the text of `/proc/self/limits`: an unprivileged process cannot give a higher limit than its own. */
export function chooseCoreLimit(limitsText: string): CoreLimit {
  const [, hard = '0'] = /^Max core file size\s+\S+\s+(\S+)/mu.exec(limitsText) ?? []
  return hard === '0' ? 0 : 1
}

/**
 * Describe what a node lacks if slivers can start the host's crash handler, or reach one that listens on a socket; null when they cannot. Linux sends whole dumps
 * to a socket whatever the limit is (seen on 6.18 with limits of 0 and 1). Source: Linux >= 6.16, fs/coredump.c: a pattern of `@` or `@@` and a path.
 */
export function describeCrashHandler(corePattern: string, limit: CoreLimit): string | null {
  const [, kind, handler = ''] = /^(\||@@?(?=\/))(.*)/u.exec(corePattern) ?? []
  if (kind === undefined || (kind === '|' && limit === 1)) return null
  if (kind === '|')
    return `it starts its crash handler for each program that crashes in a sliver (${handler.trim()}): start the agent with a limit of core dumps above 0 (\`ulimit -H -c\`, systemd's LimitCORE=), so that slivers can be given one with which the kernel starts none`
  return `each program that crashes in a sliver sends its memory to the crash handler that listens on ${handler.trim()}, whatever limit of core dumps slivers have: set kernel.core_pattern to a file, or to a program (\`|\`)`
}
