import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { inspect } from 'node:util'
import { LabError } from '@community-lab/contract'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { findCredentials, takeCredentials } from '../../../../kernel/src/credentials/credentials.ts'

const secret = 'cl_researcher_secret'
let home: string

beforeEach(() => {
  home = mkdtempSync(path.join(tmpdir(), 'credentials-'))
})
afterEach(() => rmSync(home, { recursive: true }))

const write = (file: string, content: unknown): string => {
  const full = path.join(home, file)
  mkdirSync(path.dirname(full), { recursive: true })
  writeFileSync(full, typeof content === 'string' ? content : JSON.stringify(content))
  return full
}
const find = (options: object = {}, env: Record<string, string> = {}, cwd = home) =>
  findCredentials(options, { env: { HOME: home, ...env }, cwd })
const codeOf = (attempt: () => unknown): string => {
  try {
    attempt()
  } catch (error) {
    if (LabError.is(error)) {
      expect(error.message).not.toContain(secret)
      return error.code
    }
  }
  return 'nothing'
}

it('finds the checkout’s credentials from a subfolder', () => {
  write('.community-lab/credentials.json', { url: 'http://one', token: secret })
  const found = find({}, {}, path.join(home, 'notebooks', 'deep'))
  expect([found.url, found.token]).toEqual(['http://one', secret])
  expect(found.folder).toBe(path.join(home, '.community-lab'))
})

it('prefers options to the environment, and the environment to files', () => {
  write('.community-lab/credentials.json', { url: 'http://file', token: secret })
  const env = { COMMUNITY_LAB_URL: 'http://env', COMMUNITY_LAB_TOKEN: 'env' }
  expect(find({}, env).url).toBe('http://env')
  expect(find({ url: 'http://option/' }, env).url).toBe('http://option')
  expect(find({}, { COMMUNITY_LAB_TOKEN: 'env' })).toMatchObject({ url: 'http://file' })
  expect(find({}, { COMMUNITY_LAB_TOKEN: 'env' }).token).toBe('env')
})

it('finds those of another person beside one’s own, whatever the environment says of one’s own', () => {
  write('.community-lab/credentials.json', { url: 'http://one', token: secret })
  write('.community-lab/credentials-owner.json', { url: 'http://one', token: 'of-the-owner' })
  expect(find({ as: 'owner' }).token).toBe('of-the-owner')
  const env = { COMMUNITY_LAB_URL: 'http://env', COMMUNITY_LAB_TOKEN: 'env' }
  expect(find({ as: 'owner' }, env)).toMatchObject({ url: 'http://one' })
  const own = write('elsewhere/credentials.json', { url: 'http://two', token: secret })
  write('elsewhere/credentials-owner.json', { url: 'http://two', token: 'of-another' })
  expect(find({ as: 'owner' }, { COMMUNITY_LAB_CREDENTIALS: own }).url).toBe('http://two')
  expect(codeOf(() => find({ as: 'nobody' }))).toBe('LAB_CREDENTIALS_MISSING')
})

it('uses only the file that the environment names', () => {
  write('.community-lab/credentials.json', { url: 'http://near', token: secret })
  const file = write('named.json', { url: 'http://named', token: secret, vct_socket: '/s' })
  const found = find({}, { COMMUNITY_LAB_CREDENTIALS: file })
  expect([found.url, found.vct_socket]).toEqual(['http://named', '/s'])
  const missing = { COMMUNITY_LAB_CREDENTIALS: path.join(home, 'none.json') }
  expect(codeOf(() => find({}, missing))).toBe('LAB_CREDENTIALS_INVALID')
})

it('never sends the token of one testbed to another', () => {
  write('.community-lab/credentials.json', { url: 'http://near', token: secret, vct_socket: '/s' })
  const other = 'https://other.example.org'
  expect(codeOf(() => find({ url: other }))).toBe('LAB_CREDENTIALS_MISSING')
  expect(codeOf(() => find({}, { COMMUNITY_LAB_URL: other }))).toBe('LAB_CREDENTIALS_MISSING')
  expect(find({ url: 'http://near/' }).token).toBe(secret)
  const file = write('named.json', { url: 'http://named', token: secret, vct_socket: '/s' })
  const found = find({ url: other, credentialsFile: file })
  expect([found.url, found.token, found.vct_socket]).toEqual([other, secret, undefined])
  expect(find({ credentialsFile: file }, { COMMUNITY_LAB_URL: other }).url).toBe('http://named')
  const env = { COMMUNITY_LAB_URL: other, COMMUNITY_LAB_CREDENTIALS: file }
  expect(codeOf(() => find({}, env))).toBe('LAB_CREDENTIALS_MISSING')
})

it('falls back to the user’s settings', () => {
  write('xdg/community-lab/credentials.json', { url: 'http://xdg', token: secret })
  const env = { XDG_CONFIG_HOME: path.join(home, 'xdg') }
  expect(find({}, env, path.join(home, 'elsewhere')).url).toBe('http://xdg')
})

it('names every place that was searched when there are none', () => {
  const error = (() => {
    try {
      return find()
    } catch (thrown) {
      return thrown
    }
  })()
  expect(LabError.is(error, 'LAB_CREDENTIALS_MISSING')).toBe(true)
  expect(String(error)).toContain(path.join(home, '.config/community-lab/credentials.json'))
})

it('searches a place once, and names it once, when it occurs twice', () => {
  const near = path.join(home, '.community-lab')
  const error = (() => {
    try {
      return find({}, { COMMUNITY_LAB_HOME: near })
    } catch (thrown) {
      return thrown
    }
  })()
  const searched = LabError.is(error, 'LAB_CREDENTIALS_MISSING') ? error.details.searched : []
  expect(searched).toContain(path.join(near, 'credentials.json'))
  expect(new Set(searched).size).toBe(searched.length)
})

it('refuses a damaged file without showing its content', () => {
  for (const content of [
    `{"token": "${secret}"`,
    { token: secret },
    { url: 'ftp://x', token: secret },
  ]) {
    write('.community-lab/credentials.json', content)
    expect(codeOf(() => find())).toBe('LAB_CREDENTIALS_INVALID')
  }
})

it('never prints or copies the token', () => {
  const credentials = takeCredentials({ url: 'http://one', token: secret })
  expect(credentials.token).toBe(secret)
  expect(inspect(credentials)).not.toContain(secret)
  expect(JSON.stringify(credentials)).not.toContain(secret)
  expect(JSON.stringify({ ...credentials })).not.toContain(secret)
})
