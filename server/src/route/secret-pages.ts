import type { FastifyInstance } from 'fastify'

/**
 * The pages that links in mails lead to: a user sets a password there, or confirms an e-mail address, by a one-time secret. The secret is in the fragment of the address, which a
 * browser sends to nobody; the script takes it out of the address at once. All paths are relative to the server's URL, which may have a path.
 */
export function secretPageRoutes(app: FastifyInstance): void {
  for (const [url, type, text] of [
    ['/set-password', 'text/html; charset=utf-8', pageOf('Set a password', passwordForm)],
    [
      '/confirm-email',
      'text/html; charset=utf-8',
      pageOf('Confirm your e-mail address', emailForm),
    ],
    ['/one-time-secret.js', 'text/javascript; charset=utf-8', javascript],
  ] as const)
    app.get(
      url,
      { config: { right: 'read the testbed' }, schema: { hide: true } },
      (_request, reply) => reply.type(type).header('cache-control', 'no-cache').send(text),
    )
}

const passwordForm = `<form id="form" action="api/users/ctl/redeem-invitation/">
<label>New password <input type="password" name="password" autocomplete="new-password" required></label>
<label>The same again <input type="password" name="again" autocomplete="new-password" required></label>
<label><input type="checkbox" name="end"> End also the tokens that I have made</label>
<button>Set it</button>
</form>`

const emailForm = `<form id="form" action="api/users/ctl/confirm-email/">
<button>Confirm it</button>
</form>`

const pageOf = (title: string, form: string): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} – Community-Lab</title>
<style>
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 26rem; margin: 3rem auto; padding: 0 1rem; color: #1a1a1a; background: #fff; }
label { display: block; margin: 0 0 1rem; }
input[type=password] { display: block; box-sizing: border-box; width: 100%; padding: .5rem; font: inherit; }
button { padding: .5rem 1rem; font: inherit; }
#said { min-height: 3rem; }
</style>
</head>
<body>
<main>
<h1>${title}</h1>
${form}
<p id="said" role="status"></p>
</main>
<script src="one-time-secret.js"></script>
</body>
</html>
`

const javascript = `'use strict'
const form = document.getElementById('form')
const said = document.getElementById('said')
const button = form.querySelector('button')
const secret = location.hash.slice(1)
history.replaceState(null, '', location.pathname)
if (secret === '') {
  form.hidden = true
  said.textContent = 'This page needs the whole link of the e-mail that you got. Open it again, or ask for another.'
}
form.addEventListener('submit', async (event) => {
  event.preventDefault()
  const { password, again, end } = form.elements
  if (password?.value !== again?.value) {
    said.textContent = 'The two passwords are not the same.'
    return
  }
  button.disabled = true
  try {
    const answer = await fetch(form.action, {
      method: 'POST',
      credentials: 'omit',
      headers: { 'content-type': 'application/json', accept: 'application/problem+json, application/json' },
      body: JSON.stringify({ secret, password: password?.value, end_tokens: end?.checked }),
    })
    const { name, email, detail } = await answer.json()
    form.hidden = answer.ok
    if (!answer.ok) said.textContent = 'It was not done: ' + detail
    else if (email === undefined) said.textContent = 'User ' + name + ' has this password now. Log-ins of before have ended.'
    else said.textContent = email + ' is the address of user ' + name + ' now.'
  } catch {
    said.textContent = 'The server does not answer. Try again.'
  } finally {
    button.disabled = false
  }
})
`
