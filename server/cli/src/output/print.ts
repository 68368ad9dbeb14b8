import process from 'node:process'
import { styleText } from 'node:util'
import type { Context, TextSink } from '../context.ts'
import { formatTable, type Column } from './table.ts'

/** The format of a command's result. */
export interface PrintOptions {
  /** Print JSON, one document per line, instead of text. */
  readonly json?: boolean
}

/** Print a list as JSON or in columns. `none` is printed when the list is empty. */
export function printRows<Row>(
  context: Context,
  rows: readonly Row[],
  options: PrintOptions & { readonly columns: readonly Column<Row>[]; readonly none: string },
): void {
  if (options.json === true) {
    printJson(context, rows)
    return
  }
  const [titles, ...lines] = formatTable(rows, options.columns)
  if (titles === undefined) {
    context.out.write(`${options.none}\n`)
    return
  }
  context.out.write(`${emphasize(context.out, titles)}\n${lines.join('\n')}\n`)
}

/** Print a document as JSON on one line. All output with `--json` is one document per line. */
export function printJson(context: Context, document: unknown): void {
  context.out.write(`${JSON.stringify(document)}\n`)
}

/** Write a text in bold on a terminal. With NO_COLOR it stays plain. */
export function emphasize(sink: TextSink, text: string): string {
  return colours(sink) ? styleText('bold', text, { validateStream: false }) : text
}

/** Colour a text on a terminal: green means good, red means bad, yellow asks for attention. With NO_COLOR it stays plain. */
export function tint(sink: TextSink, colour: 'green' | 'red' | 'yellow', text: string): string {
  return colours(sink) ? styleText(colour, text, { validateStream: false }) : text
}

function colours(sink: TextSink): boolean {
  return sink.isTTY === true && (process.env['NO_COLOR'] ?? '') === ''
}
