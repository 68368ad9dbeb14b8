import { join } from 'node:path'

/** Return the settings of a test's server, which has its files in a folder and listens on the loopback interface. */
export function serverSettings(dir: string) {
  return {
    DATA: join(dir, 'data'),
    SOCKET: join(dir, 'server.sock'),
    LISTEN: '[::1]:0',
    COMMUNITY_URL: 'https://[2001:db8::1]:8443',
    TINC_ADDRESS: '2001:db8::1',
    GATEWAY_SOCKET: join(dir, 'gateway.sock'),
    BOOTSTRAP_TOKEN_FILE: join(dir, 'token'),
  }
}

/** Return the environment variables of settings. */
export function environmentOf(settings: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(settings).map(([name, value]) => [`COMMUNITY_LAB_SERVER_${name}`, value]),
  )
}
