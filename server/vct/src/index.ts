export { createControlClient, type ControlClient } from './control/client.ts'
export { ProgressLine, type ErrorLine, type ReadyLine, type StepLine } from './progress.ts'
