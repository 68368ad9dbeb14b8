import type { FastifyInstance } from 'fastify'

/** The page that links in mails lead to, and its script. Both are relative to the server's URL, which may have a path. */
const page = '/set-password'
const script = '/set-password.js'

/**
 * The page on which a user sets a password by a one-time secret. The secret is in the fragment of its address, which a browser sends to nobody; the script takes
 * it out of the address at once.
 */
export function passwordPageRoutes(app: FastifyInstance): void {
  for (const [url, type, text] of [
    [page, 'text/html; charset=utf-8', html],
    [script, 'text/javascript; charset=utf-8', javascript],
  ] as const)
    app.get(
      url,
      { config: { right: 'read the testbed' }, schema: { hide: true } },
      (_request, reply) => reply.type(type).header('cache-control', 'no-cache').send(text),
    )
}

const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Set a password – Community-Lab</title>
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
<h1>Set a password</h1>
<form id="form">
<label>New password <input type="password" name="password" autocomplete="new-password" required></label>
<label>The same again <input type="password" name="again" autocomplete="new-password" required></label>
<label><input type="checkbox" name="end"> End also the tokens that I have made</label>
<button>Set it</button>
</form>
<p id="said" role="status"></p>
</main>
<script src="set-password.js"></script>
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
  if (password.value !== again.value) {
    said.textContent = 'The two passwords are not the same.'
    return
  }
  button.disabled = true
  try {
    const answer = await fetch('api/users/ctl/redeem-invitation/', {
      method: 'POST',
      credentials: 'omit',
      headers: { 'content-type': 'application/json', accept: 'application/problem+json, application/json' },
      body: JSON.stringify({ secret, password: password.value, end_tokens: end.checked }),
    })
    const { name, detail } = await answer.json()
    form.hidden = answer.ok
    said.textContent = answer.ok
      ? 'User ' + name + ' has this password now. Log-ins of before have ended.'
      : 'It was not set: ' + detail
  } catch {
    said.textContent = 'The server does not answer. Try again.'
  } finally {
    button.disabled = false
  }
})
`
