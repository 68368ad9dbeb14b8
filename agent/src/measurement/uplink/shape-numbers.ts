import { maxShapes, maxShapesBytes, type Shape, type ShapeFrame } from '@community-lab/contract'

/** The numbers of shapes on one connection. */
export interface ShapeNumbers {
  /** Return the numbers of shapes, in their order. Each that has none yet is defined. */
  of(shapes: readonly Shape[]): readonly number[]
}

/** The server forgets a shape only when its number is defined again, so there may be as many of before. */
const mostBytes = maxShapesBytes / 2

/** Number the shapes that are sent on a connection, from 0 on. When there are too many, it begins again from 0. `define`: send a definition. */
export function createShapeNumbers(define: (frame: ShapeFrame) => void): ShapeNumbers {
  const numbers = new Map<string, number>()
  /** Lists come again with each block of the same samples. One that its reader has given up is forgotten here, too: there may be any number of lists of the same shapes. */
  let lists = new WeakMap<readonly Shape[], readonly number[]>()
  let bytes = 0

  function numberOf({ source, name, fields }: Shape): number {
    const key = JSON.stringify([source, name, fields])
    const known = numbers.get(key)
    if (known !== undefined) return known
    const number = numbers.size
    numbers.set(key, number)
    bytes += 4 * key.length + 128
    define({ type: 'shape', number, source, name, fields: fields.map(([...field]) => field) })
    return number
  }

  return {
    of(shapes) {
      const known = lists.get(shapes)
      if (known !== undefined) return known
      const more = 4 * JSON.stringify(shapes).length + 128 * shapes.length
      if (numbers.size + shapes.length > maxShapes || bytes + more > mostBytes) {
        numbers.clear()
        lists = new WeakMap()
        bytes = 0
      }
      const own = shapes.map(numberOf)
      lists.set(shapes, own)
      return own
    },
  }
}
