import { code, didYouMean } from './define.ts'

/** Codes of the command line and the set-up. */
export const cliCodes = {
  LAB_SETUP_FAILED: code<{ step: string; problem: string; remedy: string }>(
    0,
    false,
    (d) => `${d.step}: ${d.problem}; ${d.remedy}`,
  ),
  LAB_CLI_NOT_SET_UP: code<{ missing: string }>(
    0,
    false,
    (d) => `this checkout is not set up: ${d.missing} is not there; run \`npm run setup\``,
  ),
  LAB_CLI_USAGE: code<{ problem: string }>(
    0,
    false,
    (d) => `the command line is wrong: ${d.problem}; --help tells what there is`,
  ),
  LAB_CLI_STOPPED: code<{ what: string }>(
    0,
    true,
    (d) => `${d.what} was stopped before its end; give it again`,
  ),
  LAB_CLI_NO_FILE: code<{ what: string; file: string }>(
    0,
    false,
    (d) => `there is no ${d.what} ${d.file}; check its path`,
  ),
  LAB_CLI_TEMPLATE_BUILD: code<{ template: string; reason: string }>(
    0,
    false,
    (d) => `template ${d.template} was not built: ${d.reason}`,
  ),
  LAB_CLI_TESTBED_RUNNING: code<{ home: string; url: string }>(
    0,
    false,
    (d) =>
      `a virtual testbed of ${d.home} runs already, at ${d.url}; use it, or stop it with \`npx community-lab vct down\` (or Ctrl-C where it was started)`,
  ),
  LAB_CLI_JUPYTER_ENDED: code<{ reason: string; log: string; lastLine: string }>(
    0,
    false,
    (d) =>
      `JupyterLab ended by itself (${d.reason})${d.lastLine === '' ? '' : `: ${d.lastLine}`}; its log is ${d.log}`,
  ),
  // The program that executes notebooks (server/cli/jupyter/) uses the next two codes.
  LAB_NOTEBOOK_UNUSABLE: code<{ problem: string }>(0, false, (d) => d.problem),
  LAB_NOTEBOOK_PARAMETER: code<{ name: string; problem: string }>(
    0,
    false,
    (d) => `parameter ${d.name}: ${d.problem}`,
  ),
  LAB_NOTEBOOK_CELL_FAILED: code<{ problem: string }>(0, false, (d) => d.problem),
  LAB_CLI_NO_HUB: code<Record<string, never>>(
    0,
    true,
    () =>
      'the testbed does not say how its management network is reached; try again when its server is ready',
  ),
  LAB_CLI_UNKNOWN_NAME: code<{
    kind: string
    name: string
    suggestion: string | null
    known: readonly string[]
  }>(
    0,
    false,
    (d) =>
      `there is no ${d.kind} ${JSON.stringify(d.name)}${didYouMean(d.suggestion)} (there are: ${d.known.slice(0, 12).join(', ') || 'none'})`,
  ),
} as const
