/** What kernel and command line do with files of the machine that they run on. */
export { packData, type PackedData, type SliceData } from './data.ts'
export { joinParts } from './join-parts.ts'
export { localPath } from './local-path.ts'
export { packFiles, type Files, type PackOptions } from './pack.ts'
