import ssh2 from 'ssh2'
import { expect, it } from 'vitest'
import { makeKey } from '../../../../kernel/src/credentials/ssh-key.ts'

it('makes only keys that can be read', () => {
  // ssh2 makes one unreadable key in 200, so 1,500 keys include some in 99.9 % of all runs.
  for (let count = 0; count < 1_500; count++) {
    const key = ssh2.utils.parseKey(makeKey('a comment'))
    expect(key, 'malformed').not.toBeInstanceOf(Error)
  }
})
