#!/bin/sh
# Started as root, Baram runs as the user baram and keeps the four capabilities with which it runs user code as baram-task:
# [workers] run_as_user. Root itself runs nothing but this file. Started as another user, there is no isolation.
keep="+setuid,+setgid,+kill,+chown"
drop() { /usr/bin/setpriv --reuid=10001 --regid=10001 --clear-groups --inh-caps=-all,$keep --ambient-caps=-all,$keep "$@"; }

if [ "$(id -u)" = 0 ]; then
  # Without SETPCAP the bounding set stays as the container's is.
  for bounding in "--bounding-set=-all,$keep" ""; do
    if drop $bounding true 2> /dev/null; then
      export HOME=/var/lib/baram BARAM__WORKERS__RUN_AS_USER="${BARAM__WORKERS__RUN_AS_USER:-baram-task}"
      exec /usr/bin/setpriv --reuid=10001 --regid=10001 --clear-groups --inh-caps=-all,$keep --ambient-caps=-all,$keep \
        $bounding -- /usr/bin/tini -- baram "$@"
    fi
  done
  echo "baram: this container's root may not change users (SETUID, SETGID, KILL, CHOWN), so tasks run as root." >&2
else
  case "$1" in
    standalone | scheduler | dag-processor | triggerer | worker)
      echo "baram: this container does not start as root, so tasks run as Baram's own user and can read its files." >&2 ;;
  esac
fi
exec /usr/bin/tini -- baram "$@"
