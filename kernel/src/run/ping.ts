/**
 * The line of shell that sets `$ping` to the path of iputils' ping, or exits with 127. It must be a path: for the word `ping`, busybox's shell runs its own
 * ping, which reports neither lost probes nor routers.
 */
export const findPing =
  'ping=; for p in /usr/bin/ping /bin/ping /usr/sbin/ping /usr/local/bin/ping; do case "$($p -V 2>/dev/null)" in *iputils*) ping=$p; break;; esac; done; ' +
  '[ -n "$ping" ] || { echo "this template has no ping of iputils" >&2; exit 127; }'
