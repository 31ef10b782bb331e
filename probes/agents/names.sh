# What looks names up in a probe pod whose image has only a shell, one after the other: DNS apart from connecting. The
# caller's lines are `netaudit/1 BATCH WINDOW COUNT SECONDS`, then `ID NAME a|aaaa SECONDS`, then `end COUNT`; what is said
# back is a batch as shell.sh says it, whose text is the addresses, or a word for why there are none.
#
# A name is NAME.NAMESPACE of a Service: the pod's own resolv.conf says which domain follows. No text from the network is
# ever evaluated or used as a shell word.

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

domain() { # what follows NAME.NAMESPACE: the word of the search list that begins with svc
    suffix=svc
    while read -r word rest; do
        [ "$word" = search ] || continue
        for word in $rest; do
            case $word in *[!A-Za-z0-9.-]*) ;; svc.*) suffix=$word ;; esac
        done
    done </etc/resolv.conf
}

address() { # whether it may be one, of the family that is asked for
    case $1 in '' | *[!0-9a-fA-F.:]*) return 1 ;; esac
    case $kind$1 in aaaa*.*) return 1 ;; aaaa*:*) ;; aaaa*) return 1 ;; a*:*) return 1 ;; a*.*) ;; *) return 1 ;; esac
}

add() { # add ADDRESS, once
    address "$1" || return 0
    case " $said " in *" $1 "*) ;; *) said="$said${said:+ }$1" ;; esac
}

heard() { # reads what the tool prints; said: addresses, why: the tool's own word for a failure
    said='' why='' named=
    while read -r first second rest; do
        case $tool$first in
        getent*) add "$first" ;;
        nslookupName:) named=1 ;;
        nslookupAddress*)
            [ -z "$named" ] || case $first in *:) add "$second" ;; *) add "${rest%% *}" ;; esac
            ;;
        esac
        case "$first $second $rest" in
        *NXDOMAIN*) why=NXDOMAIN ;;
        *SERVFAIL*) why=SERVFAIL ;;
        *REFUSED*) why=REFUSED ;;
        *'timed out'* | *'no servers'*) why=TIMEOUT ;;
        esac
    done
    echo "$said"
    echo "why $why"
}

ask() { # ask NAME SECONDS: what the tool prints, and how it ended as a last line of its own
    # busybox of before 2018 takes its time limit another way, and then has its own, of some seconds.
    before=
    if timeout 1 sh -c : 2>/dev/null; then before="timeout $2"; fi
    family=ahostsv4
    [ "$kind" = a ] || family=ahostsv6
    case $tool in
    nslookup) set -- nslookup "-type=$kind" "$1" ;;
    getent) set -- getent "$family" "$1" ;;
    esac
    # shellcheck disable=SC2086 # two words, or none
    $before "$@" </dev/null 2>&1
    echo "rc $?"
}

lookup() {
    now && began=$now
    printed=$(ask "$name.$suffix." "$seconds")
    now && ms=$(((now - began) * 10))
    rc=${printed##*rc } fired=0
    found=$(printf '%s\n' "$printed" | heard)
    said=${found%%
*} why=${found##*
why }
    case $rc in 124 | 137 | 143) why=TIMEOUT ;; esac
    [ "$tool" != none ] || why='' rc=127
    if [ -n "$said" ]; then rc=0; elif [ "$why" = TIMEOUT ]; then rc=1 fired=1; elif [ "$rc" = 0 ]; then rc=1; fi
    [ -n "$said" ] || said=$why
    [ ${#said} -le 256 ] || said=$(printf '%.256s' "$said")
}

answer() { # as shell.sh's attempt says it, for what has no connections
    sum=$(((id % 9973 * 31 + rc + 256) % 9973))
    sum=$((((sum * 31 + 3 * fired + 2) % 9973 * 31 + ms + 1) % 9973))
    printf '{"i":%s,"rc":%s,"to":%s,"ms":%s,"d":"%s","s":%s}\n' \
        "$id" "$rc" "$fired" "$ms" "$said" "$(((sum * 31 + ${#said}) % 9973))"
}

complain() { # complain WHY: WHY is always our own text
    printf '{"error":"%s"}\n' "$1"
}

tool=none
if have nslookup; then tool=nslookup; elif have getent; then tool=getent; fi
domain
read -r magic batch _ count _
case $batch in '' | *[!A-Za-z0-9._-]*) magic= ;; esac
if [ "$magic" != netaudit/1 ] || ! number "$count" 0 999; then
    complain 'the header is malformed'
    exit 2
fi
printf '{"netaudit":1,"agent":"shell","run":"%s","batch":"%s","nonce":"%s","client":"%s","server":"none","n":%s}\n' \
    "$run" "$batch" "$nonce" "$tool" "$count"
done=0
while read -r id name kind seconds extra && [ "$id" != end ]; do
    case $name in '' | -* | .* | *[!a-z0-9.-]*) extra=odd ;; esac
    case $kind in a | aaaa) ;; *) extra=odd ;; esac
    if [ -n "$extra" ] || ! number "$id" 0 999999999 || ! number "$seconds" 1 60; then
        complain 'a line is malformed'
        continue
    fi
    lookup
    answer
    done=$((done + 1))
done
printf '{"end":%s,"batch":"%s"}\n' "$done" "$batch"
# The caller leaves first: an exec that ends by itself may lose what was not read yet.
read -r _
exit 0
