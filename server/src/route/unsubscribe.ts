import type { FastifyInstance, FastifyReply } from 'fastify'
import { fullAddressOf } from '../http/asker.ts'
import { kindTitles } from '../domain/notification.ts'
import { readId } from '../http/id.ts'
import type { RegistryStore } from '../registry/store.ts'
import { findSubscription, unsubscribe } from '../registry/write/unsubscribe.ts'

const url = '/unsubscribe/:id/:kind/:proof'

interface Link {
  readonly Params: { readonly id: string; readonly kind: string; readonly proof: string }
}

/**
 * Routes by which notifications end without a log-in. GET changes nothing, because programs that look for malware open links; its page has a button. Mail programs
 * send the POST themselves. Source: RFC 8058, section 3.
 */
export function unsubscribeRoutes(app: FastifyInstance, registry: RegistryStore): void {
  app.register((forms, _options, done) => {
    // The link says which mails end. The body is not read.
    forms.removeAllContentTypeParsers()
    forms.addContentTypeParser(
      '*',
      { parseAs: 'buffer', bodyLimit: 16_384 },
      (_request, _body, parsed) => parsed(null, undefined),
    )
    forms.get<Link>(
      url,
      { config: { right: 'read the testbed' }, schema: { hide: true } },
      async ({ params }, reply) => {
        const { kind } = await findSubscription(registry.db, {
          ...params,
          id: readId(params.id, 'link'),
        })
        const what = kind === 'all' ? 'all notifications' : kindTitles[kind]
        return answer(reply, [
          `End these e-mails: ${what}?`,
          '<form method="post"><button>End them</button></form>',
        ])
      },
    )
    forms.post<Link>(
      url,
      { config: { right: 'unsubscribe', session: false }, schema: { hide: true } },
      async (request, reply) => {
        const { params } = request
        const link = { ...params, id: readId(params.id, 'link') }
        await unsubscribe(registry, link, fullAddressOf(request))
        return answer(reply, [
          'You get no more of these e-mails.',
          'To get them again: community-lab user notifications --on …',
        ])
      },
    )
    done()
  })
}

/** Answer with a page. A form tells its own origin only where the page lets it. */
function answer(reply: FastifyReply, lines: readonly string[]): FastifyReply {
  return reply
    .type('text/html; charset=utf-8')
    .header('referrer-policy', 'same-origin')
    .send(
      `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>E-mails – Community-Lab</title>
</head>
<body>
${lines.map((line) => (line.startsWith('<') ? line : `<p>${line}</p>`)).join('\n')}
</body>
</html>
`,
    )
}
