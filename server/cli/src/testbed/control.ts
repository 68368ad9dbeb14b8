import { LabError, VctStatus } from '@community-lab/contract'
import { filesOf, type Context } from '../context.ts'
import { findCredentials, readCredentials } from '../credentials.ts'
import { createClient, type Client } from '../http/client.ts'

/** An action is answered when it is completed. Starting a node includes its agent. */
const timeoutMs = 120_000

/**
 * Create a client of the running virtual testbed's control socket.
 *
 * @throws {@link LabError} LAB_VCT_NOT_RUNNING when the credentials name no such testbed.
 */
export function connectControl(context: Context): Pick<Client, 'ask' | 'do'> {
  const socket = socketOf(context)
  if (socket === null) throw new LabError('LAB_VCT_NOT_RUNNING', { home: context.home })
  const client = createClient({ base: `unix:${socket}`, signal: context.signal, timeoutMs })
  const explain = (error: unknown): never => {
    if (LabError.is(error, 'LAB_CONNECTION_FAILED'))
      throw new LabError('LAB_VCT_NOT_RUNNING', { home: context.home }, { cause: error })
    throw error
  }
  return {
    ask: (schema, path, options) => client.ask(schema, path, options).catch(explain),
    do: (path, options) => client.do(path, options).catch(explain),
  }
}

/** Return the state of this home's virtual testbed; null when none runs. */
export async function maybeTestbedStatus(context: Context): Promise<VctStatus | null> {
  const own = readCredentials(filesOf(context.home).credentials)
  if (own?.vct_socket === undefined) return null
  const client = createClient({ base: `unix:${own.vct_socket}`, signal: context.signal })
  try {
    return await client.ask(VctStatus, '/status')
  } catch (error) {
    // The credentials stay after the end of their testbed.
    if (LabError.is(error, 'LAB_CONNECTION_FAILED')) return null
    throw error
  }
}

function socketOf(context: Context): string | null {
  try {
    return findCredentials(context).vct_socket ?? null
  } catch (error) {
    // There are no credentials before the first testbed.
    if (LabError.is(error, 'LAB_CREDENTIALS_MISSING')) return null
    throw error
  }
}
