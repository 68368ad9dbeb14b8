import { gzipSync, zstdCompressSync } from 'node:zlib'
import { archiveHeadBytes, archiveKindOf } from '@community-lab/contract'
import { expect, it } from 'vitest'

it('tells the kind of an archive by its first bytes', () => {
  const tar = Buffer.alloc(512)
  tar.write('ustar', 257)
  expect(archiveKindOf(gzipSync('x'))).toBe('gzip')
  expect(archiveKindOf(zstdCompressSync('x'))).toBe('zstd')
  expect(archiveKindOf(tar.subarray(0, archiveHeadBytes))).toBe('tar')
  expect(archiveKindOf(tar.subarray(0, archiveHeadBytes - 1))).toBe(null)
  expect(archiveKindOf(Buffer.from('plain text'))).toBe(null)
  expect(archiveKindOf(new Uint8Array())).toBe(null)
})
