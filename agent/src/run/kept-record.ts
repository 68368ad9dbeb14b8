import Type, { type Static } from 'typebox'
import type { Format } from '../disk/domain/format.ts'

const schema = Type.Object({
  /** The files in their order. The content of the one at index n is in the file `kept/n` beside this record. */
  files: Type.Array(
    Type.Object({
      path: Type.String(),
      bytes: Type.Union([Type.Integer({ minimum: 0 }), Type.Null()]),
      /** null: it was not kept, and has no content. */
      sha256: Type.Union([Type.String(), Type.Null()]),
      problem: Type.Union([Type.String(), Type.Null()]),
    }),
  ),
})
/** The files that were taken out of a sliver for a run. It is written when all contents are on the disk. */
export type KeptRecord = Static<typeof schema>

/** The format of `kept.json` in the folder of a run. */
export const keptRecordFormat: Format<typeof schema> = {
  what: 'the list of the files of a run',
  version: 1,
  readableFrom: 1,
  schema,
  migrations: [(document) => document],
}
