#!/bin/sh
# Starts one Redis (`node`) or one Sentinel (`sentinel`) of docker-compose.ha.yml. Environment:
#   SELF       host:port of this process, as the others reach it
#   FIRST      host:port of the node that is the master when all start for the first time
#   SENTINELS  host:port of each Sentinel, separated by spaces
#   DIRECTORY  keeps the data, and the configuration, which Sentinel changes
#   TLS        a directory with ca.pem, and with redis.pem and redis.key, a certificate for SELF's host
#   USERS      the file with Redis's users (a node)
#   REDIS_REPLICATION_PASSWORD, REDIS_WATCH_PASSWORD   of the users `replica` and `sentinel`
#   REDIS_SENTINEL_PASSWORD                            of the Sentinels themselves
set -eu
host=${SELF%:*}
port=${SELF##*:}
configuration=$DIRECTORY/$1.conf

ask() { # what the first Sentinel that answers says
  for one in $SENTINELS; do
    said=$(REDISCLI_AUTH=$REDIS_SENTINEL_PASSWORD timeout 3 redis-cli --tls --cacert "$TLS/ca.pem" --raw \
      -h "${one%:*}" -p "${one##*:}" sentinel "$@" 2> /dev/null < /dev/null) || continue
    case $said in *ERR* | *NOAUTH* | *WRONGPASS* | "") ;; *) printf '%s\n' "$said" && return ;; esac
  done
}

common() {
  printf '%s\n' "port 0" "tls-port $port" "dir $DIRECTORY" \
    "tls-cert-file $TLS/redis.pem" "tls-key-file $TLS/redis.key" "tls-ca-cert-file $TLS/ca.pem" \
    "tls-auth-clients no" "tls-replication yes"
}

node() { # the master that the Sentinels name, or the first node's, is followed
  common
  printf '%s\n' "aclfile $USERS" "masteruser replica" "masterauth $REDIS_REPLICATION_PASSWORD" \
    "replica-announce-ip $host" "replica-announce-port $port" \
    "appendonly yes" "appendfsync always" 'save ""' "maxmemory 2gb" "maxmemory-policy noeviction" \
    "min-replicas-to-write 1" "min-replicas-max-lag 5" "repl-diskless-sync-delay 0" "shutdown-timeout 5"
  [ "$1" = "$SELF" ] || printf 'replicaof %s %s\n' "${1%:*}" "${1##*:}"
}

sentinel() {
  common
  printf '%s\n' "requirepass $REDIS_SENTINEL_PASSWORD" \
    "sentinel resolve-hostnames yes" "sentinel announce-hostnames yes" \
    "sentinel announce-ip $host" "sentinel announce-port $port" \
    "sentinel monitor main ${FIRST%:*} ${FIRST##*:} 2" \
    "sentinel auth-user main sentinel" "sentinel auth-pass main $REDIS_WATCH_PASSWORD" \
    "sentinel down-after-milliseconds main 3000" "sentinel failover-timeout main 10000" \
    "sentinel parallel-syncs main 1"
}

if [ "$1" = sentinel ]; then
  [ -e "$configuration" ] || sentinel > "$configuration"
  exec redis-server "$configuration" --sentinel
fi

# shellcheck disable=SC2046 # host and port are a line each
master=$(set -- $(ask get-master-addr-by-name main) && [ $# = 2 ] && printf '%s:%s' "$1" "$2") || master=
if [ "$master" = "$SELF" ] && [ ! -e "$DIRECTORY/appendonlydir" ] && [ ! -e "$DIRECTORY/appendonly.aof" ]; then
  replicas=$(ask master main | sed -n '/^num-slaves$/{n;p;}')
  if [ "${replicas:-0}" -gt 0 ]; then # they would copy its emptiness
    echo "This node was the master and its disk is empty. It waits until the Sentinels have elected another." >&2
    sleep 1
    exit 1
  fi
fi
if [ -n "$master" ] || [ ! -e "$configuration" ]; then
  node "${master:-$FIRST}" > "$configuration"
fi
exec redis-server "$configuration"
