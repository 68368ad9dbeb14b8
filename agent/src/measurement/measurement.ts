export { createCatchers, type Catchers, type CatchersOptions } from './catcher/catchers.ts'
export {
  createCollectors,
  type Collectors,
  type CollectorsOptions,
} from './collectors/collectors.ts'
export type { MeasuredSliver } from './collectors/sliver-health.ts'
export type { Sample } from './sample.ts'
export { openSpool, type SpoolOptions } from './spool/file-spool.ts'
export type { AppendOptions, Spool } from './spool/spool.ts'
export { createUplink, type Uplink, type UplinkOptions } from './uplink/uplink.ts'
