import { expect, test } from 'vitest'
import { settingsFor } from '../../../../server/vct/src/pod/configuration.ts'

const env = {
  COMMUNITY_LAB_SERVER_LOG_LEVEL: 'debug',
  COMMUNITY_LAB_SERVER_DATA: '/elsewhere',
  COMMUNITY_LAB_AGENT_POLL_S: '1',
  COMMUNITY_LAB_AGENT_CGROUP: 'mine',
  COMMUNITY_LAB_AGENT_HINTS: undefined,
  COMMUNITY_LAB_HOME: '/home/ada',
  PATH: '/bin',
}

test('each program gets the settings that are for it', () => {
  expect(settingsFor('SERVER', env)).toEqual({ COMMUNITY_LAB_SERVER_LOG_LEVEL: 'debug' })
  expect(settingsFor('AGENT', env)).toEqual({ COMMUNITY_LAB_AGENT_POLL_S: '1' })
})
