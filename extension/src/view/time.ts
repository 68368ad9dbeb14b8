const format = new Intl.DateTimeFormat(undefined, {
  year: 'numeric',
  month: 'short',
  day: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  timeZoneName: 'short',
})

/** Write a time (RFC 3339) in the user's locale, with its zone. A text that is not a time is returned unchanged. */
export function formatTime(text: string): string {
  const time = Date.parse(text)
  return Number.isNaN(time) ? text : format.format(time)
}
