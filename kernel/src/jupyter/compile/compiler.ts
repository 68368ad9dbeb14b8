import { createRequire } from 'node:module'
import type * as TslabConverter from 'tslab/dist/converter.js'
import type * as TslabInspect from 'tslab/dist/inspect.js'
import type * as TslabMetadata from 'tslab/dist/metadata.js'
import { toCodePointOffset, toUtf16Offset } from '../text-position.ts'
import type { LineMap } from './line-map.ts'
import { prepareTypeScript } from './typescript.ts'

type QuickInfo = ReturnType<TslabConverter.Converter['inspect']>

/** A cell as JavaScript, ready to run. */
export interface CompiledCell {
  /** Body of `(exports, require) => …`; empty when the cell declares types alone. */
  readonly code: string
  /** The export that holds the value of the last expression. */
  readonly resultName: string | null
  readonly lineMap: LineMap
  /** The notebook's own `.ts` files that it imports and that changed since: path without extension's meaning, CommonJS. */
  readonly files: readonly { readonly path: string; readonly code: string }[]
}

/** Something TypeScript has to say about a cell; line and column are 1-based. */
export interface Complaint {
  /** The file it is in; null for the cell itself. */
  readonly file: string | null
  readonly line: number
  readonly column: number
  /** What is wrong, with TypeScript's code; what explains it stands indented in lines below. */
  readonly message: string
}

/** Either a cell that may run or what is wrong with it. */
export type Compilation =
  | { readonly ok: true; readonly cell: CompiledCell; readonly declarations: string }
  | { readonly ok: false; readonly complaints: readonly Complaint[] }

/** What completion found; cursor positions are counted in code points, as Jupyter does. */
export interface Completion {
  readonly start: number
  readonly end: number
  readonly matches: readonly string[]
}

/** Turns cells into JavaScript and answers questions about unfinished ones. It knows what earlier cells declared. */
export interface Compiler {
  compile(source: string): Compilation
  /** Make what a cell declared known to later ones. */
  accept(declarations: string): void
  /** Forget all declarations: the process that held their values is gone. */
  reset(): void
  complete(source: string, cursor: number): Completion
  /** What is at the cursor, as text; null when there is nothing to say. */
  inspect(source: string, cursor: number): string | null
  /** Whether a cell is complete, and if not the indentation of its next line. */
  isComplete(source: string): { readonly complete: boolean; readonly indent: string }
  close(): void
}

/** Create the compiler for the current folder. It takes half a second and some 150 MB. */
export function createCompiler(fallbackFile: string): Compiler {
  const typescript = prepareTypeScript(fallbackFile)
  const require = createRequire(import.meta.url)
  const tslab = require('tslab/dist/converter.js') as typeof TslabConverter
  const { printQuickInfo } = require('tslab/dist/inspect.js') as typeof TslabInspect
  const { getCodeMetadata } = require('tslab/dist/metadata.js') as typeof TslabMetadata
  // "Browser" only means that the types of the DOM are there: figures are elements.
  const converter = tslab.createConverter({ isBrowser: true })
  let declarations = ''
  return {
    compile(source) {
      const metadata = getCodeMetadata(source)
      if (metadata.module !== undefined)
        return answer(converter.addModule(metadata.module, source, metadata), declarations)
      const made = converter.convert(declarations, source)
      if (made.diagnostics.length > 0) return answer(made.diagnostics, declarations)
      return {
        ok: true,
        declarations: made.declOutput ?? '',
        cell: {
          code: made.output ?? '',
          resultName: made.lastExpressionVar ?? null,
          lineMap: typescript.lastLineMap(),
          files: (made.sideOutputs ?? []).map(({ path, data }) => ({ path, code: data })),
        },
      }
    },
    accept(accepted) {
      declarations = accepted
    },
    reset() {
      declarations = ''
    },
    complete(source, cursor) {
      const found = converter.complete(declarations, source, toUtf16Offset(source, cursor))
      return {
        start: toCodePointOffset(source, found.start),
        end: toCodePointOffset(source, found.end),
        matches: found.candidates,
      }
    },
    inspect(source, cursor) {
      const offset = toUtf16Offset(source, cursor)
      // With the cursor just behind a name, the name is what is meant.
      for (const at of [offset, offset - 1].filter((value) => value >= 0)) {
        // tslab's types leave out that there may be none.
        const info = converter.inspect(declarations, source, at) as QuickInfo | undefined
        if (info !== undefined) return printQuickInfo(info)
      }
      return null
    },
    isComplete(source) {
      const found = tslab.isCompleteCode(source)
      // tslab takes a template that was begun for an error, which more of it would mend.
      const complete = found.completed && !typescript.isUnended(source)
      return { complete, indent: found.indent ?? '' }
    },
    close: () => converter.close(),
  }
}

function answer(
  diagnostics: readonly TslabConverter.Diagnostic[],
  declarations: string,
): Compilation {
  if (diagnostics.length === 0)
    return {
      ok: true,
      declarations,
      cell: { code: '', resultName: null, lineMap: [], files: [] },
    }
  return { ok: false, complaints: chains(diagnostics).map(toComplaint) }
}

type Chain = [TslabConverter.Diagnostic, ...TslabConverter.Diagnostic[]]

/** Diagnostics as TypeScript made them: tslab cuts one that is explained in steps into one for each step, which share the very object of their place. */
function chains(diagnostics: readonly TslabConverter.Diagnostic[]): Chain[] {
  const made: Chain[] = []
  for (const diagnostic of diagnostics) {
    const last = made.at(-1)
    if (last?.[0].start === diagnostic.start) last.push(diagnostic)
    else made.push([diagnostic])
  }
  return made
}

function toComplaint(chain: Chain): Complaint {
  const [{ fileName, start }] = chain
  return {
    file: fileName ?? null,
    line: start.line + 1,
    column: start.character + 1,
    message: chain.map(({ messageText, code }) => `${messageText} (TS${code})`).join('\n  '),
  }
}
