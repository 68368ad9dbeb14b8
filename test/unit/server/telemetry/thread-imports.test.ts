import { readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { expect, it } from 'vitest'

const telemetry = resolve(import.meta.dirname, '../../../../server/src/telemetry')

/** All files that a file loads of the folder above, itself included. Imports of types load nothing. */
function loadedBy(file: string, known = new Map<string, string>()): ReadonlyMap<string, string> {
  if (known.has(file)) return known
  const source = readFileSync(file, 'utf8')
  known.set(file, source)
  for (const [, name = ''] of source.matchAll(
    /^(?:import|\}|export) (?!type).*?from '(\.[^']+)'/gmu,
  ))
    loadedBy(join(dirname(file), name), known)
  return known
}

it('the thread of the store loads no schemas, which would take 0.3 s of processor time at each start of the server', () => {
  const files = loadedBy(join(telemetry, 'store/worker.ts'))
  expect(files.size).toBeGreaterThan(20)
  const whole = [...files].filter(([, source]) =>
    /^(?:import|\}) (?!type).*from '@community-lab\/contract'/mu.test(source),
  )
  expect(whole.map(([file]) => file.slice(telemetry.length + 1))).toEqual([])
})
