import path from 'node:path'
import { takeCredentials } from '../../../../kernel/src/credentials/credentials.ts'
import { ensureSshKey } from '../../../../kernel/src/credentials/ssh-key.ts'
import { Lab } from '../../../../kernel/src/lab.ts'
import { openSession } from '../../../../kernel/src/session.ts'
import type { World } from './testbed.ts'

/**
 * Connect to a world's server, with the key that is kept in its folder. The server takes the token `right` alone. With a control socket it is taken for a virtual
 * testbed.
 */
export function openLab(
  { dir, url }: Pick<World, 'dir' | 'url'>,
  token = 'right',
  controlSocket?: string,
): Lab {
  const key = ensureSshKey(path.join(dir, 'keys'))
  const socket = controlSocket === undefined ? {} : { vct_socket: controlSocket }
  return new Lab(openSession(takeCredentials({ url, token, ...socket }), key), key)
}
