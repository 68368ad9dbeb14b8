/** Write a time as text, to the minute and with its zone. */
export function formatTime(time: Date): string {
  if (Number.isNaN(time.getTime())) return 'at a time that is not known'
  return `${time.toISOString().slice(0, 16).replace('T', ' ')} UTC`
}
