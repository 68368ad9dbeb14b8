const output = 'Write console.log(…), or the value alone on the last line of the cell.'
const browser = 'Cells run in Node, not in a browser.'

/** Advice for names that other languages, or browsers, have and cells do not. */
const adviceByName: ReadonlyMap<string, string> = new Map([
  ['print', output],
  ['True', 'It is written true.'],
  ['False', 'It is written false.'],
  ['None', 'It is written null, or undefined.'],
  ['window', browser],
  ['alert', browser],
  ['location', browser],
  ['XMLHttpRequest', browser],
  ['requestAnimationFrame', browser],
])

/** Give advice for a name that is not found; null when there is none. */
export function adviceForName(name: string): string | null {
  return adviceByName.get(name) ?? null
}

/** Give advice for a line with a syntax error if it is an import of Python's; null otherwise. */
export function adviceForImport(line: string): string | null {
  const [, module, as] = /^\s*import\s+([\w.]+)(?:\s+as\s+(\w+))?\s*$/u.exec(line) ?? []
  if (module !== undefined)
    return `Write it like this: import * as ${as ?? module} from '${module}'`
  const [, from, names] = /^\s*from\s+([\w.]+)\s+import\s+(.+)$/u.exec(line) ?? []
  if (from === undefined || names === undefined) return null
  return `Write it like this: import { ${names.trim()} } from '${from}'`
}
