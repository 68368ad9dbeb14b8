import { checkOptions, fileWord, localFile, words } from './argument.ts'
import {
  findCredentials,
  settingsFolder,
  takeCredentials,
  type ConnectOptions,
  type Credentials,
} from './credentials/credentials.ts'
import { ensureSshKey } from './credentials/ssh-key.ts'
import { Lab } from './lab.ts'
import { openSession } from './session.ts'

const connectKinds = {
  url: words,
  token: words,
  credentialsFile: localFile,
  as: fileWord,
  vct_socket: localFile,
  // The content of a credentials file may be given. Its name and password are for other programs.
  username: words,
  password: words,
}

/**
 * Connect to a testbed. Its address and your token come from the first of these that has them:
 *
 * - the options
 * - COMMUNITY_LAB_URL and COMMUNITY_LAB_TOKEN
 * - the file COMMUNITY_LAB_CREDENTIALS
 * - `$COMMUNITY_LAB_HOME/credentials.json`, which `npm start` sets
 * - `.community-lab/credentials.json` in the current folder or in one above it
 * - `$XDG_CONFIG_HOME/community-lab/credentials.json`
 *
 * With `as`, the person of that name: `credentials-NAME.json` is searched in the same folders, first beside COMMUNITY_LAB_CREDENTIALS. A virtual testbed has `owner`,
 * `student` and `operator`.
 *
 * This call sends nothing yet. The first use of a sliver makes an SSH key, which is kept beside the credentials file.
 *
 * @throws {@link LabError} LAB_ARGUMENT_INVALID, LAB_CREDENTIALS_MISSING, LAB_CREDENTIALS_INVALID, LAB_SSH_KEY_UNUSABLE.
 */
export function connect(options: ConnectOptions | Credentials = {}): Lab {
  checkOptions('connect', options, connectKinds)
  const credentials = isCredentials(options) ? takeCredentials(options) : findCredentials(options)
  const key = ensureSshKey(credentials.folder ?? settingsFolder())
  return new Lab(openSession(credentials, key), key)
}

function isCredentials(options: ConnectOptions | Credentials): options is Credentials {
  const { url, token } = options
  const isNamed = 'credentialsFile' in options || 'as' in options
  return url !== undefined && token !== undefined && !isNamed
}
