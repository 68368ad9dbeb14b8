import type { Shape } from '@community-lab/contract'

/** Lists of shapes by their JSON: most frames have the same ones. */
export interface ShapeLists {
  /** Read a list. The same text gives the same list, unless others came between. Null when it is none. */
  read(text: string): readonly Shape[] | null
}

/** The most lists, and characters of their JSON, that are kept. A sliver that writes other fields in each line makes lists of half a MiB. */
const mostLists = 256
const mostCharacters = 1024 * 1024

/** Make an empty cache of lists. */
export function createShapeLists(): ShapeLists {
  const lists = new Map<string, readonly Shape[]>()
  let characters = 0
  return {
    read(text) {
      const known = lists.get(text)
      if (known !== undefined) return known
      const shapes = parse(text)
      // The CRC of the frame was right, so this agent has written them, or an older one.
      if (!Array.isArray(shapes)) return null
      if (lists.size >= mostLists || characters + text.length > mostCharacters) {
        lists.clear()
        characters = 0
      }
      lists.set(text, shapes as readonly Shape[])
      characters += text.length
      return shapes as readonly Shape[]
    },
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The caller treats it as damaged.
    return null
  }
}
