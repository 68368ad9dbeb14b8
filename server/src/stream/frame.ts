import { AgentFrame, type ServerFrame } from '@community-lab/contract'
import { Compile } from 'typebox/compile'

const validator = Compile(AgentFrame)

/** A frame, read, or why it is none. */
export type FrameReading =
  { readonly frame: AgentFrame } | { readonly frame: null; readonly reason: string }

/** Read what an agent sent. Never throws. */
export function readFrame(text: string): FrameReading {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // The agent is told, and logs what it sent.
    return { frame: null, reason: 'not JSON' }
  }
  if (validator.Check(value)) return { frame: value }
  const [first] = validator.Errors(value)
  return {
    frame: null,
    reason: `${first?.instancePath ?? ''} ${first?.message ?? 'no frame'}`.trim(),
  }
}

/** Write a frame for an agent. */
export function writeFrame(frame: ServerFrame): string {
  return JSON.stringify(frame)
}
