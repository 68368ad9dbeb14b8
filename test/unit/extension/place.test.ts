import { expect, it } from 'vitest'
import { placeOf } from '../../../extension/src/model/place.ts'

const own = 'http://127.0.0.1:8888/communitylab'
const tokens = { 'https://a.example/': 'token-a', 'https://b.example': ' token-b ' }

it('is the testbed beside JupyterLab, without a token, unless settings say otherwise', () => {
  expect(placeOf({}, own)).toEqual({ baseUrl: own, token: '' })
  expect(placeOf({ serverUrl: ' ', tokens: { '': 'x' } }, own)).toEqual({ baseUrl: own, token: '' })
})

it('has the token of its own server alone', () => {
  expect(placeOf({ serverUrl: 'https://a.example', tokens }, own).token).toBe('token-a')
  expect(placeOf({ serverUrl: 'https://b.example/', tokens }, own).token).toBe('token-b')
  expect(placeOf({ serverUrl: 'https://c.example', tokens }, own).token).toBe('')
  // Settings of an older version: one token, whichever server is named.
  const old = { serverUrl: 'https://c.example', token: 'token-a' }
  expect(placeOf(old, own).token).toBe('')
})
