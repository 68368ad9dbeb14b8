import { expect, test } from 'vitest'
import { foldersOf } from '../../../../server/vct/src/pod/folders.ts'

test('everything of a home is in it, the sockets too', () => {
  const folders = foldersOf('/home/ada/lab', 1000)
  expect(folders.serverSocket).toBe('/home/ada/lab/run/server.sock')
  expect(folders.vctSocket).toBe('/home/ada/lab/run/vct.sock')
  expect(folders.log('n1')).toBe('/home/ada/lab/logs/n1.log')
  expect(folders.nodeData('n1')).toBe('/home/ada/lab/vct/nodes/n1')
})

test('sockets of a home with a long name are elsewhere, for their names may have 107 bytes only', () => {
  const long = `/home/${'x'.repeat(90)}`
  const folders = foldersOf(long, 1000)
  expect(folders.run).toBe(`/tmp/community-lab-1000-${folders.hash}`)
  expect(folders.log('n1')).toContain(long)
})

test('homes are told apart, and a home is always the same', () => {
  expect(foldersOf('/a', 0).hash).toMatch(/^[0-9a-f]{16}$/u)
  expect(foldersOf('/a', 0).hash).toBe(foldersOf('/a', 1000).hash)
  expect(foldersOf('/a', 0).hash).not.toBe(foldersOf('/b', 0).hash)
})
