import { code } from './define.ts'

/** Codes of the virtual testbed. */
export const vctCodes = {
  LAB_VCT_USAGE: code<{ problem: string }>(
    0,
    false,
    (d) => `${d.problem}; \`npx community-lab vct --help\` tells what there is`,
  ),
  LAB_VCT_RUNNING: code<{ home: string; pid: number; url: string }>(
    0,
    false,
    (d) =>
      `a virtual testbed of ${d.home} runs already (process ${d.pid}); use it at ${d.url}, or stop it with \`npx community-lab vct down\``,
  ),
  LAB_VCT_NOT_RUNNING: code<{ home: string }>(
    0,
    false,
    (d) =>
      `no virtual testbed of ${d.home} runs; start one with \`npm start\` or \`npx community-lab vct up\``,
  ),
  LAB_VCT_UNKNOWN: code<{ kind: 'node' | 'link'; name: string; known: readonly string[] }>(
    404,
    false,
    (d) =>
      `this virtual testbed has no ${d.kind} ${JSON.stringify(d.name)}; it has ${d.known.join(', ')}`,
  ),
  LAB_VCT_NO_NAMESPACES: code<{ reason: string }>(
    0,
    false,
    (d) =>
      `this host does not let the virtual testbed make its namespaces (${d.reason}); run as root, or allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1, or kernel.apparmor_restrict_unprivileged_userns=0)`,
  ),
  LAB_VCT_COMMAND_MISSING: code<{ command: string; debianPackage: string }>(
    0,
    false,
    (d) =>
      `the command ${d.command}, which the virtual testbed needs, is not installed; install Debian's package ${d.debianPackage}`,
  ),
  LAB_VCT_NO_TEMPLATE: code<{ file: string }>(
    0,
    false,
    (d) => `there is no sliver template at ${d.file}; \`npm run setup\` builds it`,
  ),
  LAB_VCT_COMMAND_FAILED: code<{ what: string; command: string; reason: string }>(
    0,
    false,
    (d) => `${d.what} failed at \`${d.command}\`: ${d.reason}`,
  ),
  LAB_VCT_SHAPING_MISMATCH: code<{ interface: string; node: string; asked: string; found: string }>(
    0,
    false,
    (d) =>
      `interface ${d.interface} of ${d.node} was to be shaped to ${d.asked}, but the kernel has ${d.found}; measurements over it would mislead, so the testbed does not start`,
  ),
  LAB_VCT_CUT_MISMATCH: code<{ node: string; asked: readonly string[]; found: readonly string[] }>(
    500,
    false,
    (d) =>
      `the links of ${d.node} that let nothing in were to be [${d.asked.join(', ')}], but the kernel has [${d.found.join(', ')}]; measurements over them would mislead, so ask again, or start the testbed again`,
  ),
  LAB_VCT_PROCESS_ENDED: code<{ process: string; reason: string; log: string; lastLine: string }>(
    0,
    false,
    (d) =>
      `${d.process} ended during start-up (${d.reason})${d.lastLine === '' ? '' : `: ${d.lastLine}`}; its log is ${d.log}`,
  ),
  LAB_VCT_POD_ENDED: code<{ reason: string; log: string }>(
    0,
    false,
    (d) => `the virtual testbed ended by itself (${d.reason}); its log is ${d.log}`,
  ),
  LAB_VCT_STOPPING: code<{ home: string }>(
    409,
    false,
    (d) => `the virtual testbed of ${d.home} is being stopped; start it again for more`,
  ),
  LAB_VCT_NODE_OFF: code<{ node: string; action: string }>(
    409,
    false,
    (d) =>
      `node ${d.node} is powered off, so ${d.action} makes no sense; start it first with \`npx community-lab vct node ${d.node} start\``,
  ),
} as const
