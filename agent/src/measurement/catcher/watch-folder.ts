import { watch, type FSWatcher } from 'node:fs'

/** Reports changes in a folder until it is closed. */
export interface FolderWatch {
  close(): void
}

/** The interval at which a folder that cannot be watched is reported as changed, in milliseconds. */
const pollMs = 1_000

/**
 * Call the function when a file in a folder may have changed. The host may have no inotify instance or watch left, because others use them. Then the function
 * is called once a second until the folder can be watched. It gets the name of the file, or null when that is not known.
 */
export function watchFolder(dir: string, onChange: (name: string | null) => void): FolderWatch {
  let watcher: FSWatcher | null = null
  let timer: NodeJS.Timeout | null = null

  function begin(): void {
    try {
      watcher = watch(dir, (_, name) => onChange(name)).on('error', poll)
    } catch {
      // No inotify watch is left, or the folder is gone. Both are handled by polling.
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
