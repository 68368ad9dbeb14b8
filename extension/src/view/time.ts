const format = new Intl.DateTimeFormat(undefined, {
  year: 'numeric',
  month: 'short',
  day: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  timeZoneName: 'short',
})

/** A time (RFC 3339) as its reader writes it, with its zone. What is no time is shown as it is. */
export function formatTime(text: string): string {
  const time = Date.parse(text)
  return Number.isNaN(time) ? text : format.format(time)
}
