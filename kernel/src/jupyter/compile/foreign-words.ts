const output = 'Write console.log(…), or the value alone on the last line of the cell.'
const browser = 'Cells run in Node, not in a browser.'
const numberType = 'The type of numbers is number.'
const shell =
  "Cells run no shell commands. Write: import { execSync } from 'node:child_process', and execSync('…', { encoding: 'utf8' })"

/** Advice for names that other languages, or browsers, have and cells do not. */
const adviceByName: ReadonlyMap<string, string> = new Map([
  ['print', output],
  ['$$', output],
  ['display', "Write: import { show } from '@community-lab/kernel', and show(…)"],
  ['Deno', 'Cells run in Node, not in Deno.'],
  ['True', 'It is written true.'],
  ['False', 'It is written false.'],
  ['None', 'It is written null, or undefined.'],
  ['len', 'Write values.length.'],
  ['input', "Write prompt('…'), which asks for a line of text."],
  ['int', numberType],
  ['float', numberType],
  ['str', 'The type of text is string. Write String(value) to make text of a value.'],
  ['bool', 'The type is boolean.'],
  ['window', browser],
  ['alert', browser],
  ['location', browser],
  ['XMLHttpRequest', browser],
  ['requestAnimationFrame', browser],
])

/** Give advice for a name that is not found in a line; null when there is none. */
export function adviceForName(name: string, line: string): string | null {
  if (/^\s*!\s*\w/u.test(line)) return shell
  const [, assigned] = /^\s*([\p{ID_Start}$_][\p{ID_Continue}$]*)\s*=(?![=>])/u.exec(line) ?? []
  return assigned === name ? declared(name) : (adviceByName.get(name) ?? null)
}

/** Give advice for a line in which a member of `globalThis` is not known; null when there is none. */
export function adviceForGlobal(line: string): string | null {
  const [, name] = /\bglobalThis\.([\p{ID_Start}$_][\p{ID_Continue}$]*)/u.exec(line) ?? []
  return name === undefined ? null : declared(name)
}

function declared(name: string): string {
  return `Write let ${name} = …: all later cells see the variables of a cell.`
}

/** Give advice for a line with a syntax error if it is written as in Python, or is an import that begins as a declaration; null otherwise. */
export function adviceForLine(line: string): string | null {
  if (/^\s*#/u.test(line)) return 'A comment begins with //.'
  const [, name, parameters] = /^\s*def\s+(\w+)\s*\(([^)]*)\)/u.exec(line) ?? []
  if (name !== undefined) return `Write it like this: function ${name}(${parameters}) { … }`
  const [, item, items] = /^\s*for\s+(\w+)\s+in\s+([^:]+):/u.exec(line) ?? []
  if (item !== undefined && items !== undefined)
    return `Write it like this: for (const ${item} of ${items.trim()}) { … }`
  const [, word, condition] = /^\s*(if|while)\s+([^(].*?):(?:\s|$)/u.exec(line) ?? []
  if (word !== undefined) return `Write it like this: ${word} (${condition}) { … }`
  return adviceForImport(line)
}

function adviceForImport(line: string): string | null {
  const [, imported, place] =
    /^\s*(?:const|let|var)\s+(.+?)\s+from\s+(["'][^"']+["'])/u.exec(line) ?? []
  if (imported !== undefined && place !== undefined)
    return `Write it like this: import ${imported} from ${place}`
  const [, module, as] = /^\s*import\s+([\w.]+)(?:\s+as\s+(\w+))?\s*$/u.exec(line) ?? []
  if (module !== undefined)
    return `Write it like this: import * as ${as ?? module} from '${module}'`
  const [, from, names] = /^\s*from\s+([\w.]+)\s+import\s+(.+)$/u.exec(line) ?? []
  if (from === undefined || names === undefined) return null
  return `Write it like this: import { ${names.trim()} } from '${from}'`
}
