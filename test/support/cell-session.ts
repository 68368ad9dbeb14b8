import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Compiler } from '../../kernel/src/jupyter/compile/compiler.ts'
import type { Completeness, Completion } from '../../kernel/src/jupyter/compile/compilation.ts'
import { Runner } from '../../kernel/src/jupyter/runner.ts'

/** The outcome of a cell. */
export interface CellOutcome {
  /** The output of both streams. */
  readonly printed: string
  /** Its result as text; null when it has none. */
  readonly result: string | null
  /** The errors of TypeScript, one per line; null when the cell ran. */
  readonly complaint: string | null
  /** Its error, as name and message; null when it had none. */
  readonly error: string | null
  /** The stack of the error, or what was printed instead. */
  readonly stack: string
  /** The warnings about earlier cells that do not fit any more. */
  readonly misfits: readonly string[]
  /** What may be a mistake of the cell. */
  readonly notices: readonly string[]
}

/** A notebook without Jupyter: the kernel's compiler and runner, in a temporary folder. */
export class CellSession implements AsyncDisposable {
  readonly folder: string
  readonly compiler: Compiler
  readonly runner: Runner
  #printed = ''
  #result: string | null = null
  #count = 0

  private constructor(folder: string) {
    this.folder = folder
    const fallbackFile = fileURLToPath(new URL('../../kernel/src/jupyter/main.ts', import.meta.url))
    this.compiler = new Compiler({ folder, fallbackFile })
    this.runner = new Runner({
      folder,
      logFolder: join(folder, 'logs'),
      onLost: () => this.compiler.reset(),
      onEvent: (event) => {
        if (event.is === 'stream') this.#printed += event.text
        if (event.is === 'input') this.runner.answer({ refused: 'nobody can be asked' })
        if (event.is === 'result') this.#result = String(event.data['text/plain'])
      },
    })
  }

  /** What the latest cell has printed so far. */
  get printed(): string {
    return this.#printed
  }

  /** Write files below the notebook's folder. Each replaces an older one atomically. */
  async write(files: Readonly<Record<string, string>>): Promise<void> {
    await writeFiles(this.folder, files)
  }

  /** Start a session in a folder with these files. */
  static async start(files: Readonly<Record<string, string>> = {}): Promise<CellSession> {
    const folder = await mkdtemp(join(tmpdir(), 'cl-cells-'))
    await writeFiles(folder, files)
    return new CellSession(folder)
  }

  /** Run a cell. */
  async run(code: string): Promise<CellOutcome> {
    this.#printed = ''
    this.#result = null
    this.#count += 1
    const number = this.#count
    const name = `cell-${number}.ts`
    const nothing = {
      printed: '',
      result: null,
      complaint: null,
      error: null,
      stack: '',
      misfits: [],
      notices: [],
    }
    const compilation = await this.compiler.compile({ number, name, code })
    if (!compilation.ok) {
      const lines = compilation.complaints.map(
        (each) => `${each.file ?? name}:${each.line}:${each.column} - ${each.message}`,
      )
      return { ...nothing, complaint: lines.join('\n') }
    }
    const { failure, reached } = await this.runner.run(compilation.cell, {
      number,
      name,
      canAsk: false,
    })
    const misfits = await this.compiler.accept(number, failure === null ? Infinity : reached)
    return {
      ...nothing,
      printed: this.#printed,
      result: this.#result,
      error: failure === null ? null : `${failure.name}: ${failure.message}`,
      stack: failure?.text ?? '',
      misfits,
      notices: compilation.notices,
    }
  }

  /** Run a cell that must succeed. Returns its output without the last newline. */
  async print(code: string): Promise<string> {
    const { printed, complaint, error, stack } = await this.run(code)
    if (complaint !== null || error !== null)
      throw new Error(complaint ?? `${error ?? ''}\n${stack}`)
    return printed.replace(/\n$/u, '')
  }

  /** Forget the declarations of earlier cells. */
  forget(): void {
    this.compiler.reset()
  }

  complete(code: string, cursor = code.length): Promise<Completion> {
    return this.compiler.complete(code, cursor)
  }

  inspect(code: string, cursor = code.length): Promise<string | null> {
    return this.compiler.inspect(code, cursor)
  }

  isComplete(code: string): Promise<Completeness> {
    return this.compiler.isComplete(code)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.runner.stop(), this.compiler.close()])
    await rm(this.folder, { recursive: true, force: true })
  }
}

async function writeFiles(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    const path = join(folder, name)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(`${path}.new`, text)
    await rename(`${path}.new`, path)
  }
}
