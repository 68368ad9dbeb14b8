import {
  findCredentials,
  settingsFolder,
  takeCredentials,
  type Credentials,
  type CredentialsOptions,
} from './credentials/credentials.ts'
import { ensureSshKey } from './credentials/ssh-key.ts'
import { Lab } from './lab.ts'
import { openSession } from './session.ts'

/**
 * Connect to a testbed. Its address and your token come from the options, from COMMUNITY_LAB_URL and COMMUNITY_LAB_TOKEN, from the file
 * COMMUNITY_LAB_CREDENTIALS, from `$COMMUNITY_LAB_HOME/credentials.json` (set by `npm start`), from `.community-lab/credentials.json` in this folder or one above it, or from
 * `$XDG_CONFIG_HOME/community-lab/credentials.json`. Nothing is sent yet. An SSH key for your slivers is made at the first use and kept beside the
 * credentials file.
 *
 * @throws {@link LabError} LAB_CREDENTIALS_MISSING, LAB_CREDENTIALS_INVALID, LAB_SSH_KEY_UNUSABLE.
 */
export function connect(options: CredentialsOptions | Credentials = {}): Lab {
  const credentials = isCredentials(options) ? takeCredentials(options) : findCredentials(options)
  const key = ensureSshKey(credentials.folder ?? settingsFolder())
  return new Lab(openSession(credentials, key), key)
}

function isCredentials(options: CredentialsOptions | Credentials): options is Credentials {
  const { url, token } = options
  return url !== undefined && token !== undefined && !('credentialsFile' in options)
}
