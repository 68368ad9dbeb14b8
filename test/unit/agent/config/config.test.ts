import { LabError } from '@community-lab/contract'
import { expect, it } from 'vitest'
import { readAgentConfiguration } from '../../../../agent/src/config.ts'

const data = { COMMUNITY_LAB_AGENT_DATA: '/var/lib/community-lab' }

function refusal(env: Record<string, string>): LabError {
  try {
    readAgentConfiguration(env)
  } catch (error) {
    if (LabError.is(error)) return error
    throw error
  }
  throw new Error('it was not refused')
}

it('needs a data folder alone', () => {
  expect(readAgentConfiguration(data)).toEqual({
    dataDir: '/var/lib/community-lab',
    enrollmentToken: null,
    publicPrefix: null,
    tincDevice: 'auto',
    runtime: 'auto',
    cgroupParent: 'community-lab',
    lends: {},
    lendsMbps: null,
    lendsSlivers: null,
    lendsInterfaces: null,
    lendsHours: null,
    nrOnHost: null,
    rebootCommand: null,
    pollS: 60,
    healthIntervalS: 10,
    babelSocket: null,
    clockFile: null,
    hints: true,
    logLevel: 'info',
  })
  expect(refusal({}).code).toBe('LAB_CONFIG_MISSING')
})

it('reads every setting, and ignores what is not its own', () => {
  const configuration = readAgentConfiguration({
    PATH: '/bin',
    COMMUNITY_LAB_SERVER_DATA: '/elsewhere',
    COMMUNITY_LAB_AGENT_DATA: '/data/n1/',
    COMMUNITY_LAB_AGENT_ENROLLMENT_TOKEN: ' token ',
    COMMUNITY_LAB_AGENT_PUBLIC_PREFIX: 'fd77:0:0:A::/64',
    COMMUNITY_LAB_AGENT_TINC_DEVICE: 'raw_socket',
    COMMUNITY_LAB_AGENT_RUNTIME: 'runc',
    COMMUNITY_LAB_AGENT_CGROUP: 'community-lab/n1',
    COMMUNITY_LAB_AGENT_LENDS: 'memory=2048, cpu=150',
    COMMUNITY_LAB_AGENT_LENDS_MBPS: '12.5',
    COMMUNITY_LAB_AGENT_LENDS_SLIVERS: '4',
    COMMUNITY_LAB_AGENT_LENDS_INTERFACES: 'none',
    COMMUNITY_LAB_AGENT_LENDS_HOURS: 'mon-fri 22:00-06:00; sat,sun 00:00-24:00',
    COMMUNITY_LAB_AGENT_NR_ON_HOST: '3',
    COMMUNITY_LAB_AGENT_REBOOT_COMMAND: 'systemctl reboot',
    COMMUNITY_LAB_AGENT_POLL_S: '0.5',
    COMMUNITY_LAB_AGENT_HEALTH_INTERVAL_S: '1',
    COMMUNITY_LAB_AGENT_BABEL_SOCKET: '/run/babeld.sock',
    COMMUNITY_LAB_AGENT_CLOCK_FILE: '/clocks/n1.json',
    COMMUNITY_LAB_AGENT_HINTS: 'off',
    COMMUNITY_LAB_AGENT_LOG_LEVEL: 'debug',
  })
  expect(configuration).toEqual({
    dataDir: '/data/n1',
    enrollmentToken: 'token',
    publicPrefix: 'fd77:0:0:a::/64',
    tincDevice: 'raw_socket',
    runtime: 'runc',
    cgroupParent: 'community-lab/n1',
    lends: { memory: 2048, cpu: 150 },
    lendsMbps: 12.5,
    lendsSlivers: 4,
    lendsInterfaces: [],
    lendsHours: ['mon-fri 22:00-06:00', 'sat,sun 00:00-24:00'],
    nrOnHost: 3,
    rebootCommand: 'systemctl reboot',
    pollS: 0.5,
    healthIntervalS: 1,
    babelSocket: '/run/babeld.sock',
    clockFile: '/clocks/n1.json',
    hints: false,
    logLevel: 'debug',
  })
})

it('refuses a setting that it does not know, and names the one that was meant', () => {
  const error = refusal({ ...data, COMMUNITY_LAB_AGENT_POL_S: '5' })
  expect(error.code).toBe('LAB_CONFIG_UNKNOWN_VARIABLE')
  expect(error.message).toContain('COMMUNITY_LAB_AGENT_POLL_S')
})

for (const [setting, found] of [
  ['DATA', 'relative/folder'],
  ['PUBLIC_PREFIX', 'fd77::1/64'],
  ['PUBLIC_PREFIX', 'fd77::/48'],
  ['PUBLIC_PREFIX', '10.0.0.0/64'],
  ['LENDS', 'memory=2048,gpu=1'],
  ['LENDS', 'memory=-1'],
  ['LENDS_MBPS', '0.5'],
  ['LENDS_MBPS', '10mbit'],
  ['LENDS_SLIVERS', '126'],
  ['LENDS_INTERFACES', 'public6,wifi'],
  ['LENDS_HOURS', 'at night'],
  ['LENDS_HOURS', '22:00-06:00; sun 00:00-00:00'],
  ['TINC_DEVICE', 'tap'],
  ['RUNTIME', 'docker'],
  ['CGROUP', '../escape'],
  ['CGROUP', '/absolute'],
  ['POLL_S', '0'],
  ['POLL_S', '1e3'],
  ['POLL_S', '86401'],
  ['HEALTH_INTERVAL_S', '10s'],
  ['BABEL_SOCKET', '33123'],
  ['HINTS', 'yes'],
  ['LOG_LEVEL', 'loud'],
] as const)
  it(`refuses ${found} as ${setting}`, () => {
    const error = refusal({ ...data, [`COMMUNITY_LAB_AGENT_${setting}`]: found })
    expect(error.code).toBe('LAB_CONFIG_INVALID')
    expect(error.message).toContain(`COMMUNITY_LAB_AGENT_${setting}`)
  })
