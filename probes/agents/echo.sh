# What sends ICMP echo requests from a probe pod whose image has only a shell: a diagnostic beside the agent. The caller's
# lines are `netaudit/1 BATCH WINDOW COUNT SECONDS`, then `ID ADDRESS SECONDS`, then `end COUNT`; what is said back is a
# batch as shell.sh says it, whose text is `echo` where the image's ping had an answer.
#
# Some pings need a capability that the pod does not have, and end as if nobody had answered. So each family is tried on
# the pod's own loopback first, which nothing outside can stop: where that fails nothing else is tried.

LC_ALL=C
export LC_ALL
unset NETAUDIT_AGENT ENV BASH_ENV
set -f
nonce=${NETAUDIT_NONCE:-}
run=${NETAUDIT_RUN:-}
case $nonce in '' | *[!a-z0-9]*) nonce=none ;; esac
case $run in '' | *[!A-Za-z0-9._-]*) run=none ;; esac

number() { # number TEXT LOW HIGH: a plain decimal number between the two
    case $1 in '' | *[!0-9]* | 0?* | ??????????*) return 1 ;; esac
    [ "$1" -ge "$2" ] && [ "$1" -le "$3" ]
}

have() { command -v "$1" >/dev/null 2>&1; }

now() { # hundredths of a second since the machine started, without a process
    read -r up _ </proc/uptime || return 1
    now=$((${up%.*} * 100 + 1${up#*.} - 100))
}

knock() { # knock TOOL SECONDS ADDRESS: one request, and the tool's own exit code
    "$1" -c 1 -W "$2" "$3" </dev/null >/dev/null 2>&1
}

able() { # able ADDRESS TOOL...: the first of these tools that has an answer from the pod itself, else why there is none
    own=$1
    shift
    tool=127
    for name; do
        have "$name" || continue
        if knock "$name" 2 "$own"; then
            tool=$name
            return
        fi
        tool=126
    done
}

answer() { # as shell.sh's attempt says it, for what has no connections; one write, so that lines stay whole
    sum=$(((id % 9973 * 31 + rc + 256) % 9973))
    sum=$((((sum * 31 + 3 * fired + 2) % 9973 * 31 + ms + 1) % 9973))
    printf '{"i":%s,"rc":%s,"to":%s,"ms":%s,"d":"%s","s":%s}\n' \
        "$id" "$rc" "$fired" "$ms" "$said" "$(((sum * 31 + ${#said}) % 9973))"
}

attempt() {
    case $ip in *:*) tool=$six ;; *) tool=$four ;; esac
    rc=$tool fired=0 ms=-1 said=
    case $tool in
    126 | 127) ;;
    *)
        now && began=$now
        knock "$tool" "$seconds" "$ip"
        rc=$?
        now && ms=$(((now - began) * 10))
        if [ "$rc" = 0 ]; then said='echo'; fi
        # It says the same of silence and of an error that came back; whoever waited to the end had neither.
        if [ "$rc" = 1 ] && [ "$ms" -ge $((seconds * 1000 - 100)) ]; then fired=1; fi
        ;;
    esac
    answer
}

complain() { # complain WHY: WHY is always our own text
    printf '{"error":"%s"}\n' "$1"
}

fields() { # whether a line is exactly ID ADDRESS SECONDS; no name passes, so nothing is ever looked up
    [ -z "$extra" ] && number "$id" 0 999999999 && number "$seconds" 1 60 || return 1
    case $ip in *[!0-9a-fA-F:.]* | *:*.*) return 1 ;; *:*:*) ;; *:*) return 1 ;; *[!0-9.]*) return 1 ;; *.*.*.*) ;; *) return 1 ;; esac
}

read -r magic batch window count _
case $batch in '' | *[!A-Za-z0-9._-]*) magic= ;; esac
if [ "$magic" != netaudit/1 ] || ! number "$count" 0 999 || ! number "$window" 1 1024; then
    complain 'the header is malformed'
    exit 2
fi
[ "$window" -le 16 ] || window=16
able 127.0.0.1 ping
four=$tool
able ::1 ping ping6
six=$tool
client=none
case $four$six in *ping*) client=ping ;; esac
printf '{"netaudit":1,"agent":"shell","run":"%s","batch":"%s","nonce":"%s","client":"%s","server":"none","n":%s}\n' \
    "$run" "$batch" "$nonce" "$client" "$count"
done=0
under_way=0
while read -r id ip seconds extra && [ "$id" != end ]; do
    if ! fields; then
        complain 'a line is malformed'
        continue
    fi
    attempt </dev/null &
    done=$((done + 1)) under_way=$((under_way + 1))
    if [ "$under_way" -ge "$window" ]; then
        wait
        under_way=0
    fi
done
wait
printf '{"end":%s,"batch":"%s"}\n' "$done" "$batch"
# The caller leaves first: an exec that ends by itself may lose what was not read yet.
read -r _
exit 0
