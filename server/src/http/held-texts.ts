import type { ServerResponse } from 'node:http'
import { endWhenStalled } from './streams.ts'

/** The long texts that are in memory until their readers have taken them. */
export interface HeldTexts {
  /**
   * Hold a text for the reader of a response, who has to take some of it each minute. Returns false when so many bytes are held already that there is no room: then the
   * list has to be read while it is sent.
   */
  hold(response: ServerResponse, bytes: number): boolean
}

/** Texts up to this length are not counted, in bytes. The system's own buffer of a connection takes most of them. */
const shortBytes = 64 * 1024

/** Bound the bytes of texts that slow readers leave in memory. */
export function createHeldTexts(mostBytes: number): HeldTexts {
  let heldBytes = 0
  return {
    hold(response, bytes) {
      // Whoever has gone already takes nothing, and would never end what is counted.
      if (bytes <= shortBytes || response.closed) return true
      if (heldBytes + bytes > mostBytes) return false
      heldBytes += bytes
      response.once('close', () => {
        heldBytes -= bytes
      })
      endWhenStalled(response)
      return true
    },
  }
}
