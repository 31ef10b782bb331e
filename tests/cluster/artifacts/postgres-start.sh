#!/bin/sh
# Starts PostgreSQL as its own user, after making an empty database cluster that trusts whoever connects.
set -eu
: "${PGDATA:=/var/lib/postgresql/data}" "${POSTGRES_USER:=postgres}" "${POSTGRES_DB:=$POSTGRES_USER}"
export PGDATA
PATH=$(echo /usr/lib/postgresql/*/bin):$PATH

if [ "$(id -u)" = 0 ]; then
    install -d -m 700 -o postgres -g postgres "$PGDATA"
    exec setpriv --reuid=postgres --regid=postgres --init-groups --reset-env env \
        PGDATA="$PGDATA" POSTGRES_USER="$POSTGRES_USER" POSTGRES_DB="$POSTGRES_DB" "$0" "$@"
fi

if [ ! -s "$PGDATA/PG_VERSION" ]; then
    # Nobody needs these data after a power cut.
    initdb --no-sync --auth=trust --username="$POSTGRES_USER" --encoding=UTF8 --locale=C.UTF-8
    echo 'host all all all trust' >>"$PGDATA/pg_hba.conf"
    if [ "$POSTGRES_DB" != postgres ]; then
        echo "CREATE DATABASE \"$POSTGRES_DB\"" | postgres --single -j postgres >/dev/null
    fi
fi
exec postgres -c listen_addresses='*' -c unix_socket_directories=/tmp -c fsync=off "$@"
