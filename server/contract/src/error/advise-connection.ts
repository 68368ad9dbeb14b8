/** Say what to do about a server that cannot be reached. */
export function adviseConnection({
  url,
  reason,
}: {
  readonly url: string
  /** What Node.js says of it. */
  readonly reason: string
}): string {
  // Source: the descriptions of OpenSSL's X509_V_ERR_…, and Node.js's of ERR_TLS_CERT_ALTNAME_INVALID.
  if (/self-signed certificate|unable to (?:get|verify) .*certificate/iu.test(reason))
    return 'nobody whom Node.js trusts vouches for its certificate; if you do, set NODE_EXTRA_CA_CERTS to the file of its certificate before the program starts'
  if (/certificate's altnames/iu.test(reason))
    return 'use the name that its certificate has, or tell its operators'
  if (/certificate/iu.test(reason)) return 'its certificate is not valid: tell its operators'
  return isOfThisMachine(url)
    ? 'is the testbed running? `npx community-lab vct status` tells'
    : 'check the address and your connection, or ask the operators of the testbed'
}

/** Tell whether a URL leads to this machine: a loopback address or a Unix socket. The virtual testbed has such ones. */
function isOfThisMachine(url: string): boolean {
  if (url.startsWith('unix:')) return true
  const host = /^\w+:\/\/(?:[^/@]*@)?(\[[^\]]*\]|[^/:?#]*)/u.exec(url)?.[1] ?? ''
  return /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/iu.test(host)
}
