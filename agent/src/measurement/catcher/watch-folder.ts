import { watch, type FSWatcher } from 'node:fs'

/** Calls back on changes in a folder until it is closed. */
export interface FolderWatch {
  close(): void
}

/** How often a folder that cannot be watched is taken for changed, in milliseconds. */
const pollMs = 1_000

/**
 * Call back when a file in a folder has perhaps changed. The host may have no inotify instance or watch left, because others use them. Then this calls back
 * once a second until the folder can be watched. It is told the name of the file, null when that is not known.
 */
export function watchFolder(dir: string, onChange: (name: string | null) => void): FolderWatch {
  let watcher: FSWatcher | null = null
  let timer: NodeJS.Timeout | null = null

  function begin(): void {
    try {
      watcher = watch(dir, (_, name) => onChange(name)).on('error', poll)
    } catch {
      // There is none left, or the folder is gone. Either way it is looked at by time.
      poll()
    }
  }

  function poll(): void {
    watcher?.close()
    watcher = null
    timer = setTimeout(() => {
      begin()
      onChange(null)
    }, pollMs)
  }

  begin()
  return {
    close() {
      watcher?.close()
      if (timer !== null) clearTimeout(timer)
    },
  }
}
