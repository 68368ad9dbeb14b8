/** What server and agent both do with the machine that they run on. */
export { stopLeftovers } from './leftover.ts'
export { createLogOutput, type LogOutput, type LogOutputOptions } from './log-output.ts'
export { reportFailure } from './report-failure.ts'
export { startedProcess } from './start-process.ts'
export { chooseDevice, makeInterface, removeInterface, type ChosenDevice } from './tinc-device.ts'
export { ensureTincKey, type TincKey } from './tinc-key.ts'
export { superviseTincd, type SupervisedTincd, type TincdOptions } from './tincd.ts'
export { isHalfWritten, removeHalfWritten, syncFolder, writeWhole } from './whole-file.ts'
