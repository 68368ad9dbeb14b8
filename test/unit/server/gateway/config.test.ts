import { expect, it } from 'vitest'
import { readGatewayConfiguration } from '../../../../server/src/gateway/config.ts'

const needed = {
  COMMUNITY_LAB_GATEWAY_SOCKET: '/run/gateway.sock',
  COMMUNITY_LAB_GATEWAY_TINC_DIR: '/var/lib/community-lab/tinc',
}

it('takes a setting without a value as one that is not set, as server and agent do', () => {
  const empty = {
    COMMUNITY_LAB_GATEWAY_TINC_DEVICE: '',
    COMMUNITY_LAB_GATEWAY_OWNER_UID: '',
    COMMUNITY_LAB_GATEWAY_RUN_DIR: '',
  }
  expect(readGatewayConfiguration({ ...needed, ...empty })).toEqual(
    readGatewayConfiguration(needed),
  )
})

it('names a setting that is missing, and one that it does not know', () => {
  expect(() => readGatewayConfiguration({ ...needed, COMMUNITY_LAB_GATEWAY_SOCKET: '' })).toThrow(
    'COMMUNITY_LAB_GATEWAY_SOCKET is not set',
  )
  expect(() => readGatewayConfiguration({ ...needed, COMMUNITY_LAB_GATEWAY_OWNER: '1' })).toThrow(
    expect.objectContaining({ code: 'LAB_CONFIG_UNKNOWN_VARIABLE' }),
  )
})
