import { expect, it } from 'vitest'
import { siteOf } from '../../../../server/src/confine/site.ts'

const proxied = {
  host: '127.0.0.1:8888',
  'x-forwarded-proto': 'https, http',
  'x-forwarded-host': 'hub.example:8443',
  'x-forwarded-prefix': '/user/ada/communitylab/',
}

it('is what the client itself used', () => {
  const headers = { host: '[fd65:fc41:c50f::2]:8443' }
  expect(siteOf({ headers, isLocal: false, isTls: true }, null)).toBe(
    'https://[fd65:fc41:c50f::2]:8443',
  )
})

it('is what a proxy at the Unix socket says, with its path', () => {
  expect(siteOf({ headers: proxied, isLocal: true, isTls: false }, null)).toBe(
    'https://hub.example:8443/user/ada/communitylab',
  )
  const jupyter = { host: '127.0.0.1:8888', 'x-forwarded-prefix': '/communitylab' }
  expect(siteOf({ headers: jupyter, isLocal: true, isTls: false }, 'https://lab.example')).toBe(
    'http://127.0.0.1:8888/communitylab',
  )
})

it('is never what a client of the network claims', () => {
  expect(siteOf({ headers: proxied, isLocal: false, isTls: true }, null)).toBe(
    'https://127.0.0.1:8888',
  )
})

it('is the configured URL where no proxy says otherwise', () => {
  const headers = { host: 'localhost' }
  expect(siteOf({ headers, isLocal: true, isTls: false }, 'https://lab.example/testbed')).toBe(
    'https://lab.example/testbed',
  )
})

it('contains nothing that could end a URI, a header or a list of links', () => {
  const headers = {
    host: 'a.example>; rel="x", <b',
    'x-forwarded-host': 'evil.example/?',
    'x-forwarded-prefix': '/a>,"',
    'x-forwarded-proto': 'javascript',
  }
  expect(siteOf({ headers, isLocal: true, isTls: false }, null)).toBe('http://localhost')
})

it('is no longer than a name may be: each URI of a list repeats it', () => {
  const siteAt = (host: string) => siteOf({ headers: { host }, isLocal: false, isTls: false }, null)
  expect(siteAt(`${'a'.repeat(253)}:8080`)).toBe(`http://${'a'.repeat(253)}:8080`)
  expect(siteAt('a'.repeat(254))).toBe('http://localhost')
})
