import { layOut, oneLine, type Block, type LaidOut } from './layout.ts'

/** The subject and the text of a mail. */
export interface Message extends LaidOut {
  readonly subject: string
}

/** What a mail with a one-time link says. */
export interface LinkFacts {
  /** The URL of the server, for people. */
  readonly site: string
  readonly user: string
  readonly secret: string
  readonly expiresOn: Date
}

/** The link to the page that sets a password. The secret is in its fragment, which browsers do not send: it is in no log of a server or proxy. */
export function passwordLink(site: string, secret: string): string {
  return `${site}/set-password#${secret}`
}

/** The mail by which an operator invites a user. */
export function invitationMail(facts: LinkFacts): Message {
  return linkMail('Your account in the testbed', facts, [
    `an operator of the testbed at ${facts.site} invites you. Your user name is ${facts.user}.`,
    'To begin, set a password on this page:',
  ])
}

/** The mail to who has forgotten the password. */
export function resetMail(facts: LinkFacts): Message {
  return linkMail('Set a new password', facts, [
    `somebody, probably you, has asked the testbed at ${facts.site} for a new password of user ${facts.user}. If it was not you, there is nothing to do: your password stays as it is.`,
    'To set a new password, open this page:',
  ])
}

function linkMail(
  subject: string,
  { site, user, secret, expiresOn }: LinkFacts,
  begin: readonly string[],
): Message {
  const [first = '', ...others] = begin
  const blocks: readonly Block[] = [
    `Hello ${user},`,
    first,
    ...others,
    { href: passwordLink(site, secret) },
    'Without a browser, run this command, and give the part after the # as the invitation:',
    { command: `community-lab user redeem --url ${site}` },
    `The link works once, until ${timeOf(expiresOn)}. Do not pass it on: who has it can log in as you.`,
  ]
  return { subject: `Community-Lab: ${subject}`, ...layOut(blocks) }
}

/** The mail by which an e-mail address becomes a user's. */
export function addressMail({ site, user, secret, expiresOn }: LinkFacts): Message {
  const blocks: readonly Block[] = [
    `Hello ${user},`,
    `you have given this address as yours to the testbed at ${site}. It becomes yours there when you open this page. If it was not you, there is nothing to do.`,
    { href: `${site}/confirm-email#${secret}` },
    'Without a browser, run this command, and give the part after the # as the secret:',
    { command: `community-lab user confirm-email --url ${site}` },
    `The link works once, until ${timeOf(expiresOn)}.`,
  ]
  return { subject: 'Community-Lab: confirm your e-mail address', ...layOut(blocks) }
}

/** The mail to an address that somebody gives as theirs although it is another user's. */
export function takenAddressMail({
  site,
  user,
  owner,
}: LinkFacts & { readonly owner: string }): Message {
  const blocks = [
    `Hello ${owner},`,
    `user ${user} of the testbed at ${site} has given this address as theirs. It is yours, and stays so: there is nothing to do. If you have both names, take the address from ${owner} first.`,
  ]
  return { subject: 'Community-Lab: this e-mail address is yours already', ...layOut(blocks) }
}

/** The mail that tells a user of a change of how they log in, so that a change by somebody else does not go unseen. */
export function noticeMail({
  site,
  user,
  what,
  on,
}: {
  readonly site: string
  readonly user: string
  readonly what: string
  readonly on: Date
}): Message {
  const blocks = [
    `Hello ${user},`,
    `${what} of user ${user} at ${site} was changed on ${timeOf(on)}.`,
    'If it was not you, tell an operator of the testbed at once.',
  ]
  return { subject: 'Community-Lab: how you log in was changed', ...layOut(blocks) }
}

/** The mail by which an operator tries whether mail works. */
export function testMail({ site, user }: Pick<LinkFacts, 'site' | 'user'>): Message {
  const blocks = [
    `Hello ${user},`,
    `the testbed at ${site} can send e-mail: you have asked it to try.`,
  ]
  return { subject: 'Community-Lab: a test', ...layOut(blocks) }
}

/** A point in time with its zone: `2026-05-04 12:00 UTC`. */
export function timeOf(date: Date): string {
  return `${date.toISOString().slice(0, 16).replace('T', ' ')} UTC`
}

/** What a digest tells. */
export interface DigestFacts {
  readonly site: string
  readonly user: string
  readonly sections: readonly {
    readonly title: string
    readonly lines: readonly string[]
    /** Where mails of this kind end. */
    readonly unsubscribeUrl: string
  }[]
}

/** The mail that tells a user once a day what is new. */
export function digestMail({ site, user, sections }: DigestFacts): Message {
  const blocks: readonly Block[] = [
    `Hello ${user},`,
    `this is new in the testbed at ${site}:`,
    ...sections.flatMap(({ title, lines }): Block[] => [`${title}:`, { list: lines }]),
    'You are told once, not each day while it is still so. To get no more of these mails, open a link, without logging in:',
    ...sections.flatMap(({ title, unsubscribeUrl: href }): Block[] => [`${title}:`, { href }]),
    'To see and change what you are told:',
    { command: 'community-lab user notifications' },
  ]
  const titles = sections.map(({ title, lines }) => `${title.toLowerCase()} (${lines.length})`)
  return { subject: oneLine(`Community-Lab: ${titles.join(', ')}`), ...layOut(blocks) }
}
