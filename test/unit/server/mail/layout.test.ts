import fc from 'fast-check'
import { createTransport } from 'nodemailer'
import PostalMime from 'postal-mime'
import { expect, it } from 'vitest'
import { layOut, oneLine } from '../../../../server/src/mail/layout.ts'
import { compose } from '../../../../server/src/mail/transport.ts'

const writer = createTransport({ streamTransport: true, buffer: true })
const headers = [
  'auto-submitted',
  'content-type',
  'date',
  'from',
  'list-unsubscribe',
  'list-unsubscribe-post',
  'message-id',
  'mime-version',
  'subject',
  'to',
]
const lines = fc.string({
  unit: fc.constantFrom(
    'a',
    '\r',
    '\n',
    '\r\n',
    ': ',
    'Bcc',
    '<',
    '>',
    '"',
    ',',
    '@',
    'ü',
    '\u2028',
    '\0',
  ),
})

it('no text of a mail becomes a header, a recipient or HTML', async () => {
  await fc.assert(
    fc.asyncProperty(lines, lines, async (name, text) => {
      const { message, envelope } = await writer.sendMail(
        compose(
          { name: oneLine(name), address: 'testbed@lab.example' },
          {
            recipient: 'ada@lab.example',
            messageId: '<1@lab.example>',
            subject: `Hello ${name}`,
            unsubscribeUrl: 'https://lab.example/unsubscribe/1/all/x',
            ...layOut([
              text,
              { list: [text] },
              { command: text },
              { href: `https://lab.example/${text}` },
            ]),
          },
        ),
      )
      const parsed = await PostalMime.parse(message as Buffer)
      expect(parsed.headers.map(({ key }) => key).sort()).toEqual(headers)
      expect(envelope).toEqual({ from: 'testbed@lab.example', to: ['ada@lab.example'] })
      const tags = [...(parsed.html ?? '').matchAll(/<\/?(\w+)/gu)].map(([, tag]) => tag)
      expect(new Set(tags)).toEqual(
        new Set(['html', 'head', 'meta', 'body', 'p', 'ul', 'li', 'pre', 'a']),
      )
    }),
    { numRuns: 100 },
  )
})

it('text and HTML of a mail say the same', () => {
  const { text, html } = layOut([
    'Hello <ada>,',
    { list: ['one', 'two'] },
    { href: 'https://x/?a&b' },
  ])
  expect(text).toBe('Hello <ada>,\n\n- one\n- two\n\nhttps://x/?a&b\n')
  expect(html).toContain('<p>Hello &lt;ada&gt;,</p>')
  expect(html).toContain('<a href="https://x/?a&amp;b">https://x/?a&amp;b</a>')
})
