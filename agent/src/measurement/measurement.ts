export {
  createSliverStreams,
  defaultCatcherBytes,
  type SliverStreams,
  type SliverStreamsOptions,
} from './catcher/sliver-streams.ts'
export { isAside } from './catcher/stream-folder.ts'
export {
  createCollectors,
  type Collectors,
  type CollectorsOptions,
} from './collectors/collectors.ts'
export { createLineChecks, type LineChecks } from './domain/line-checks.ts'
export type { MeasuredSliver } from './collectors/sliver-health.ts'
export type { Sample } from './sample.ts'
export { defaultSpoolBytes, openSpool, type SpoolOptions } from './spool/file-spool.ts'
export type { AppendOptions, Spool } from './spool/spool.ts'
export type { Poll } from './uplink/poll.ts'
export { createUplink, type Uplink, type UplinkOptions } from './uplink/uplink.ts'
