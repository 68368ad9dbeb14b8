import { readFile } from 'node:fs/promises'
import { LabError } from '@community-lab/contract'
import Type from 'typebox'
import { Value } from 'typebox/value'

/** The members of a notebook that are needed to find its parameters. */
const Notebook = Type.Object({
  metadata: Type.Object({
    kernelspec: Type.Optional(Type.Object({ language: Type.Optional(Type.String()) })),
  }),
  cells: Type.Array(
    Type.Object({
      cell_type: Type.String(),
      source: Type.Union([Type.String(), Type.Array(Type.String())]),
      metadata: Type.Object({ tags: Type.Optional(Type.Array(Type.String())) }),
    }),
  ),
})

/**
 * Read the cell that declares a notebook's parameters: the first one with the tag `parameters`.
 *
 * @throws {@link LabError} LAB_NOTEBOOK_UNUSABLE when there is none, or the notebook is in another language.
 */
export async function readDeclaringCell(file: string): Promise<string> {
  const document = parseJson(await readFile(file, 'utf8'))
  if (!Value.Check(Notebook, document))
    throw unusable(`${file} is not a notebook that Jupyter takes; open and save it in JupyterLab`)
  const language = document.metadata.kernelspec?.language ?? 'typescript'
  if (!['typescript', 'javascript'].includes(language))
    throw unusable(
      `parameters can be given to notebooks in TypeScript, and ${file} is in ${language}; take --param away`,
    )
  const cell = document.cells.find(
    ({ cell_type: kind, metadata }) => kind === 'code' && metadata.tags?.includes('parameters'),
  )
  if (cell === undefined)
    throw unusable(
      `${file} has no parameters: give the cell that declares them, \`let count = 3\`, the tag \`parameters\``,
    )
  return typeof cell.source === 'string' ? cell.source : cell.source.join('')
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text.replace(/^\uFEFF/u, ''))
  } catch {
    // The text is not JSON. The check of the schema refuses it.
    return undefined
  }
}

function unusable(problem: string): LabError {
  return new LabError('LAB_NOTEBOOK_UNUSABLE', { problem })
}
