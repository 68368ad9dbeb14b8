/**
 * The line of shell that sets `$ping` to iputils' ping, or ends with 127. A path is needed: busybox's shell runs its own ping for the bare word, and
 * that one neither tells of lost probes nor of routers.
 */
export const findPing =
  'ping=; for p in /usr/bin/ping /bin/ping /usr/sbin/ping /usr/local/bin/ping; do case "$($p -V 2>/dev/null)" in *iputils*) ping=$p; break;; esac; done; ' +
  '[ -n "$ping" ] || { echo "this template has no ping of iputils" >&2; exit 127; }'
