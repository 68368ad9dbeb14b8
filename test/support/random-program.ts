/** The parts of a statement: new names, and names that earlier statements declared. */
interface Words {
  /** Two unused names. */
  readonly name: string
  readonly other: string
  /** A variable that may be assigned to, and another or the same one. */
  readonly known: string
  readonly too: string
  /** Return a new numeric expression. */
  value(): string
  /** Return the name of a function, or `trace`. */
  callable(): string
  variables(text: string, ...names: string[]): string
  functions(text: string, ...names: string[]): string
  classes(text: string, ...names: string[]): string
}

/** Statements with declarations that later statements use. */
const declarations: readonly ((words: Words) => string)[] = [
  ({ name, value, variables }) => variables(`let ${name} = ${value()}`, name),
  ({ name, other, value, variables }) =>
    variables(
      `let { a: ${name}, b: [, ...{ 0: ${other} }] } = { a: ${value()}, b: [0, ${value()}] }`,
      name,
      other,
    ),
  ({ name, other, value, variables }) =>
    variables(`var [${name} = ${value()}, ${other}] = [undefined, ${value()}]`, name, other),
  ({ name, known, value, variables }) =>
    variables(`for (var ${name} of [${value()}, 3]) { ${known} += ${name} }`, name),
  ({ name, other, variables }) =>
    variables(
      `for (var ${name} = 0; ${name} < 2; ${name}++) { var ${other} = ${name} }`,
      name,
      other,
    ),
  ({ name, other, value, variables }) =>
    variables(`var ${name} = ${value()}, ${name} = ${name} + 1, ${other} = ${name}`, name, other),
  ({ name, known, functions }) =>
    functions(`function ${name}() { ${known} += 1; return { ${known} }.${known} }`, name),
  ({ name, known, value, functions }) =>
    functions(`const ${name} = (x = ${value()}) => ${known} * 2 + x`, name),
  ({ name, other, known, value, functions }) =>
    functions(
      `const ${other} = []; for (let i = 0; i < 3; i++) { const j = i * ${value()}; ${other}.push(() => (${known} += i) + j) }; const ${name} = () => ${other}.reduce((sum, each) => sum + each(), 0) % 1000`,
      name,
    ),
  ({ name, known, value, functions }) =>
    functions(
      `function* ${name}s(n = ${value()}) { yield ${known}; ${known} += 1; yield n + ${known} }; const ${name} = () => [...${name}s()].length`,
      name,
    ),
  ({ name, known, value, classes }) =>
    classes(
      `class ${name} { static s = ${value()}; x = ${known}; m() { return this.x + ${known} + ${name}.s } }`,
      name,
    ),
  ({ name, other, known, value, classes }) =>
    classes(
      `abstract class ${other} { #p = ${value()}; get p() { return this.#p } set p(to) { ${known} = this.#p = to }; abstract m(): number; static { ${known} += 1 } }; class ${name} extends ${other} { m() { this.p += 1; return this.p + ${known} } }`,
      name,
    ),
]

/** Statements that use declared names or change their values. */
const uses: readonly ((words: Words) => string)[] = [
  ({ known, value }) => `${known} = ${value()}`,
  ({ known, too, value }) => `({ ${known}, a: ${too} = ${value()} } = { ${known} })`,
  ({ known, too, value }) => `[${known}, ${too}] = [${value()}, ${known}]`,
  ({ known, too, value }) =>
    `({ a: [${known} = ${value()}, ...{ length: ${too} }] } = { a: [undefined, 1, ${value()}] })`,
  ({ known, value }) =>
    `{ let ${known} = ${value().replaceAll(known, '5')}; trace(${known}, { ${known} }) }`,
  ({ known, value }) => `${known} = await Promise.resolve(${value()})`,
  ({ known, callable }) =>
    `trace(\`\${${known}++}\`, --${known}, typeof ${known}, ${callable()}.name)`,
  ({ known, too, value }) => `trace(${value()}, { ${known}, of: [${too}] })`,
  ({ known, too, value }) =>
    `${known} ||= ${value()}; ${too} &&= ${value()}; ${too} ??= ${known}; trace(${known} ** 0, ${too})`,
  ({ name, value }) =>
    `enum ${name} { A = 3, B = A * 2, C = ${value()} % 7 + 10 }; trace(${name}.B, ${name}[3], ${name}.C)`,
  ({ name, known, value }) =>
    `namespace ${name} { export let n = ${value()}; export function up() { ${known} += 1; return ++n } }; trace(${name}.up(), ${name}.n)`,
  ({ name, known }) =>
    `async function ${name}() { await null; return ${known} += 2 }; trace(await ${name}(), await (await (async () => ${name})())())`,
  ({ name, known, value }) =>
    `async function* ${name}() { yield ${value()}; yield ${known} }; for await (const each of ${name}()) trace(each); for await (${known} of [${value()}]) trace(${known})`,
  ({ name, known, value }) =>
    `{ using ${name} = { n: ${value()}, [Symbol.dispose]() { ${known} = this.n } }; trace(${name}.n, ${known}) }; trace(${known})`,
  ({ name, known, value }) =>
    `try { if (${known} >= 0) throw await ${value()}; trace('no') } catch (${name}) { trace(${name}); ${known} = ${name} } finally { trace(${known}) }`,
  ({ known, value }) =>
    `trace(await Promise.reject(${value()}).catch((${known}) => ${known} + 1), ${known})`,
  ({ name, known, value }) =>
    `${name}: for (const a of [1, 2, 3]) { for (const b of [1, 2]) { if (a === 2) continue ${name}; ${known} += a * b; if (${known} > ${value()}) break ${name} } }`,
  ({ known, too, value }) =>
    `switch (${known} % 2) { case 0: { const ${too} = ${value()}; trace(${too}); break } default: ${too} = ${value()} }`,
  ({ known, too, value }) =>
    `trace(((parts, ...of) => parts.raw.join() + of)\`a\${${known}}b\${${value()}}\`, ((...${too}) => ${too}.length)(1, ${known}), ${known}?.toFixed?.(0))`,
  ({ known, value }) =>
    `trace({ [${known}]: 1, ${known}, m() { return ${known} }, get g() { return ${value()} } }.m(), (function () { return typeof this })())`,
  ({ known, value }) =>
    `for (${known} of [${value()}, 4]) trace(${known}); for (${known} = 0; ${known} < 3; ${known} += 2);`,
]

/** Write a program from random numbers: TypeScript statements, which use names that earlier ones declared. They call a global `trace`. */
export function writeProgram(numbers: readonly number[], count: number): string[] {
  const variables: string[] = []
  const functions: string[] = []
  const classes: string[] = []
  let at = 0
  let made = 0
  const next = (below: number): number => (numbers[at++ % numbers.length] ?? 0) % below
  const pick = <T>(of: readonly T[]): T | undefined => of[next(of.length)]
  const value = (depth = 0): string => {
    const part = (): string => value(depth + 1)
    switch (next(depth > 2 ? 2 : 6)) {
      case 0:
        return String(next(100))
      case 1:
        return pick(variables) ?? '0'
      case 2:
        return functions.length === 0 ? '1' : `${pick(functions) ?? ''}()`
      case 3:
        return classes.length === 0 ? '2' : `new ${pick(classes) ?? ''}().m()`
      case 4:
        return `(${part()} + ${part()}) % 1000`
      default:
        return `(() => ${part()})()`
    }
  }
  const declare =
    (list: string[]) =>
    (text: string, ...names: string[]): string => {
      list.push(...names)
      return text
    }
  return Array.from({ length: count }, () => {
    const first = variables.length === 0
    const [name, other] = [`v${made++}`, `v${made++}`]
    const write = first ? declarations[0] : pick([...declarations, ...uses])
    return (
      write?.({
        name,
        other,
        known: pick(variables) ?? '',
        too: pick(variables) ?? '',
        value: () => value(),
        callable: () => pick([...functions, 'trace']) ?? 'trace',
        variables: declare(variables),
        functions: declare(functions),
        classes: declare(classes),
      }) ?? ''
    )
  })
}
