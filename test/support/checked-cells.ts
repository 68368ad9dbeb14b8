import { Checker } from '../../kernel/src/jupyter/compile/checker.ts'

/** The cells of one notebook, which are checked and not run. */
export class CheckedCells {
  readonly checker: Checker
  #number = 0

  constructor(folder: string) {
    this.checker = new Checker(folder, import.meta.filename)
  }

  /** Check a cell. Returns its first diagnostic, or otherwise what is reported about earlier cells. */
  run(code: string): string {
    this.#number += 1
    const number = this.#number
    const compiled = this.checker.compile({ number, name: `cell-${number}.ts`, code })
    if (!compiled.ok) return compiled.complaints[0]?.message ?? ''
    return this.checker.accept(number, Number.MAX_SAFE_INTEGER).join('\n')
  }

  /** Inspect the end of a text, as Markdown. */
  inspect(code: string): string {
    return this.checker.inspect(code, code.length) ?? ''
  }

  /** The number of files in TypeScript's program: those of libraries and of cells. */
  get fileCount(): number {
    return this.checker.program.getSourceFiles().length
  }

  /** Start again with an empty notebook. */
  clear(): void {
    this.checker.reset()
    this.#number = 0
    this.run(
      'type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false',
    )
  }
}
