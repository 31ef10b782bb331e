# What runs in a probe pod whose image has only a shell. POSIX sh, no file is ever written: pipes only.
#
#   serve   answers every connection and datagram on NETAUDIT_PORTS with "netaudit <nonce> <port>", until TERM or the
#           deadline
#   probe   reads one batch of work from stdin, makes the attempts, prints one JSON line for each (see wire.py)
#
# Reads NETAUDIT_NONCE, NETAUDIT_RUN, NETAUDIT_PORTS, NETAUDIT_DEADLINE. It reports what happened and decides nothing:
# what an attempt means is said in outcome.py. No text from the network is ever evaluated or used as a shell word.
# In a batch: fd 4 a lane's own pipe, 5 whose turn it is to take work, 7 the work, 8 the caller's stdin, 9 its stdout.

LC_ALL=C
export LC_ALL
unset NETAUDIT_AGENT ENV BASH_ENV
set -f
role=${1:-}
nonce=${NETAUDIT_NONCE:-}
run=${NETAUDIT_RUN:-}
ports=${NETAUDIT_PORTS:-}
case $nonce in '' | *[!a-z0-9]*) nonce=none ;; esac
case $run in *[!A-Za-z0-9._-]*) run=none ;; esac

number() { # number TEXT LOW HIGH: a plain decimal number between the two
    case $1 in '' | *[!0-9]* | 0?* | ??????????*) return 1 ;; esac
    [ "$1" -ge "$2" ] && [ "$1" -le "$3" ]
}

# --- serve ------------------------------------------------------------------------------------------------------------

serve() {
    deadline=${NETAUDIT_DEADLINE:-}
    number "$deadline" 1 999999 || deadline=900
    any=0.0.0.0 v6only=0
    if [ -e /proc/net/if_inet6 ]; then
        any=::
        read -r v6only </proc/sys/net/ipv6/bindv6only || v6only=0
        [ "$v6only" = 0 ] || any=':: 0.0.0.0'
    fi
    many=llllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll
    case $(nc --help 2>&1 </dev/null) in *-k*) many=lk ;; *) many=$many$many ;; esac
    children=
    trap 'kill $children 2>/dev/null; exit 0' TERM INT HUP
    for word in $(printf '%s' "$ports"); do
        port=${word%/*} protocol=tcp
        case $word in */udp) protocol=udp ;; */sctp) protocol=sctp ;; *) port=$word ;; esac
        number "$port" 1 65535 || continue
        for address in $(printf '%s' "$any"); do
            listen "$address" "$port" "$protocol" </dev/null >/dev/null 2>&1 &
            children="$children $!"
        done
    done
    printf '{"netaudit":1,"agent":"shell","role":"serve","run":"%s","nonce":"%s","server":"%s","address":"%s"}\n' \
        "$run" "$nonce" "$server" "$any"
    sleep "$deadline" &
    children="$children $!"
    wait $!
    # shellcheck disable=SC2086 # a list of process ids
    kill $children 2>/dev/null
}

# --- probe: a lane makes one attempt after the other --------------------------------------------------------------------

now() { # hundredths of a second since the machine started, without a process
    read -r up _ </proc/uptime || return 1
    now=$((${up%.*} * 100 + 1${up#*.} - 100))
}

# Runs at each tick. The time limit starts when the client has been seen asleep, waiting for the network: a client that
# the machine has not let run yet is no evidence of silence. One that never gets there is killed without "to".
tick() {
    { [ -n "$child" ] && now; } || return
    [ -z "$asleep" ] || [ $((now - asleep)) -ge $((limit * 10)) ] || return
    read -r _ _ state _ <"/proc/$child/stat" || return
    if [ "$state" != S ]; then
        [ $((now - started)) -lt $((limit * 30 + 500)) ] || kill -KILL "$child"
    elif [ -z "$asleep" ]; then
        asleep=$now
    else
        fired=1
        kill -KILL "$child"
    fi
}

take() { # reads byte by byte, so only the lane that holds the turn (an empty line on fd 5) may read the work
    trap '' USR1
    read -r _ <&5 || return 1
    read -r id ip port limit protocol <&7
    took=$?
    echo >&5
    return "$took"
}

sanitise() { # every byte outside the plain set becomes _, so that the text is harmless wherever it goes
    [ ${#said} -le 256 ] || said=$(printf '%.256s' "$said")
    case $said in *[!A-Za-z0-9\ ._:-]*) ;; *) return ;; esac
    rest=$said said=
    while [ -n "$rest" ]; do
        char=${rest%"${rest#?}"}
        rest=${rest#?}
        case $char in [!A-Za-z0-9\ ._:-]) char=_ ;; esac
        said=$said$char
    done
}

collect() { # what the client left on fd 4, up to a mark that no listener can know
    printf '\n%s\n' "$mark" >&4
    said='' first='' lines=0
    while IFS= read -r line <&4 && [ "$line" != "$mark" ]; do
        lines=$((lines + 1))
        case $lines in 1) first=$line ;; 2) said=$line ;; esac
    done
    [ "$protocol" != udp ] || said=$first
    sanitise
}

able() { # whether this pod can both send and answer what is asked for
    case $protocol in
    udp) [ "$udp_client" != none ] && [ "$udp_server" != none ] ;;
    sctp) has_sctp ;;
    esac
}

try() {
    asleep='' fired=0 child=''
    now && started=$now
    [ -n "${BASH_VERSION:-}" ] || trap tick USR1
    forking=1
    connect &
    child=$!
    forking=
    [ -z "$ending" ] || leave
    if [ -n "${BASH_VERSION:-}" ]; then
        # A bash that a signal interrupts in "wait" can lose the child's status, so it looks for itself. Fd 6: silence.
        # shellcheck disable=SC3045 # only under bash
        while kill -0 "$child"; do
            read -r -t 0.03 _ <&6
            tick
        done
        wait "$child"
        rc=$?
    else
        while wait "$child"; rc=$?; [ "$rc" -eq "$ticked" ]; do :; done
    fi
    trap '' USR1
    child=
    collect
    [ "$rc" -eq "$killed" ] || fired=0 # it ended by itself just before it was killed
}

attempt() {
    ms=-1 rc=127 fired=0 said='' first='' refusal=''
    now && began=$now
    for turn in 1 2 3 4 5 6 7 8; do
        able && try
        # A listener for datagrams closes its port for a moment with each new peer, so a refusal has to last. Those that
        # follow it may be held back: kernels send only a few a second.
        if [ "$protocol" != udp ] || [ "$fired$said" != 0 ] || [ "$rc" = 0 ] || [ "$rc" -ge 126 ]; then break; fi
        refusal=$rc
        [ "$limit" -le 5 ] || limit=5
        [ "$turn" = 8 ] || $pause 5>&- 7<&- 8<&- 9>&-
    done
    if [ "$fired" = 1 ] && [ -n "$refusal" ] && [ -z "$said" ]; then fired=0 rc=$refusal; fi
    now && ms=$(((now - began) * 10))
    connected=0
    if [ -n "$first" ] && { [ "$fired" = 1 ] || [ "$rc" = 0 ] || [ -n "$said" ]; }; then connected=1; fi
    key=i
    if [ "$id" = self ]; then key=self id=$port; else done=$((done + 1)); fi
    stood="\"c\":$connected,"
    [ "$protocol" != udp ] || stood='' connected=2
    sum=$(((id % 9973 * 31 + rc + 256) % 9973))
    sum=$((((sum * 31 + 3 * fired + connected) % 9973 * 31 + ms + 1) % 9973))
    printf '{"%s":%s,"rc":%s,"to":%s,%s"ms":%s,"d":"%s","s":%s}\n' \
        "$key" "$id" "$rc" "$fired" "$stood" "$ms" "$said" "$(((sum * 31 + ${#said}) % 9973))" >&9
}

leave() { # on TERM, but not before a client that was just started has a name: nobody else would end it
    ending=1
    [ -z "$forking" ] || return 0
    [ -z "$child" ] || kill -KILL "$child"
    exit 1
}

lane() { # stdin: a pipe of its own, opened a second time for writing; stdout: how many attempts it made
    exec 4<>/proc/self/fd/0 </dev/null
    { read -r mark </proc/sys/kernel/random/uuid; } 2>/dev/null || mark=$(od -An -N16 -tx1 /dev/urandom | tr -d ' ')
    [ ${#mark} -ge 32 ] || exit 1
    [ -z "${BASH_VERSION:-}" ] || eval 'exec 6<> <(:)'
    child='' forking='' ending='' done=0
    trap leave TERM
    while take; do attempt; done
    echo "$done"
}

# --- probe: the batch ---------------------------------------------------------------------------------------------------

complain() { # complain WHY: WHY is always our own text
    printf '{"error":"%s"}\n' "$1" >&9
}

ipv4() {
    case $1 in *[!0-9.]* | .* | *. | *..*) return 1 ;; esac
    old=$IFS IFS=.
    # shellcheck disable=SC2086 # splitting is the purpose, and set -f holds
    set -- $1
    IFS=$old
    [ $# -eq 4 ] && number "$1" 0 255 && number "$2" 0 255 && number "$3" 0 255 && number "$4" 0 255
}

ipv6() { # no name can hold a colon, so nothing that passes is ever looked up
    case $1 in
    *[!0-9a-fA-F:]* | *:::* | *::*::* | *[!:][!:][!:][!:][!:]* | :[!:]* | *[!:]: | *:*:*:*:*:*:*:*:*) return 1 ;;
    *::* | *:*:*:*:*:*:*:*) [ ${#1} -le 39 ] ;;
    *) return 1 ;;
    esac
}

address() {
    case $1 in *:*) ipv6 "$1" ;; *) ipv4 "$1" ;; esac
}

fields() { # complains about a work line that is not exactly ID ADDRESS PORT SECONDS [PROTOCOL or handshake]
    why=
    case $limit in ?.? | ??.?) tenths=${limit%.?}${limit#*.} ;; *) tenths=${limit}0 ;; esac
    tenths=${tenths#0}
    if [ -n "$extra" ]; then why='too many fields'
    elif ! number "$id" 0 999999999; then why='the id is no number'
    elif ! address "$ip"; then why='the address is none'
    elif ! number "$port" 1 65535; then why='the port is none'
    elif ! number "$tenths" 1 600; then why='the time limit is not 0.1 to 60'
    else
        case ${protocol:=tcp} in tcp | udp | sctp | handshake) ;; *) why='the protocol is none' ;; esac
    fi
    [ -z "$why" ] || complain "line $lines: $why"
    [ -z "$why" ]
}

feed() { # the caller's lines, checked, to the lanes; then it stays until the caller goes away
    read -r me _ </proc/self/stat
    echo "$me"
    for own in $(printf '%s' "$ports"); do
        number "$own" 1 65535 && echo "self 127.0.0.1 $own 20 tcp" && break
    done
    lines=0 ended=
    while read -r id ip port limit protocol extra <&8; do
        if [ "$id" = end ]; then
            ended=$ip
            break
        fi
        lines=$((lines + 1))
        fields && echo "$id $ip $port $tenths $protocol"
    done
    if [ "$ended" != "$lines" ] || [ "$lines" != "$count" ]; then
        complain "expected $count lines, read $lines"
    fi
    exec >/dev/null
    [ -n "$ended" ] && while read -r _ <&8; do :; done
}

any() { # any PROCESS...: whether one of them is there
    for process; do kill -0 "$process" && return; done
    return 1
}

beat() { # beat FEEDER LANE...: the clock of all lanes; ends them when the caller is gone or the time is over
    feeder=$1
    shift
    now && over=$((now + batch_limit * 100))
    while $pause 8<&- 9>&-; do
        now
        if [ "$now" -ge "$over" ]; then
            complain 'the batch took too long'
            break
        elif ! kill -0 "$feeder"; then
            complain 'stdin was closed'
            break
        fi
        kill -USR1 "$@"
    done
    kill -TERM "$@" # a lane ends its client first
    tries=0
    while [ "$tries" -lt 50 ] && any "$@"; do
        $pause 8<&- 9>&-
        tries=$((tries + 1))
    done
    # One that the machine has not let do so would leave its client to the time limits of TCP, which are minutes.
    kill -STOP "$@"
    for lane; do
        clients=
        read -r clients <"/proc/$lane/task/$lane/children"
        # shellcheck disable=SC2086 # a list of process ids
        kill -KILL $clients "$lane"
    done
}

lanes() { # stdin: the turn, as a pipe; fd 7: the work
    exec 5<>/proc/self/fd/0 </dev/null
    read -r feeder <&7
    trap '' USR1
    workers='' made=0
    while [ "$made" -lt "$window" ] && [ "$made" -lt $((count + 1)) ]; do
        : | lane &
        workers="$workers $!"
        made=$((made + 1))
    done
    # shellcheck disable=SC2086 # a list of process ids
    beat "$feeder" $workers >/dev/null </dev/null &
    clock=$!
    for worker in $workers; do wait "$worker"; done
    kill "$clock" "$feeder" 2>/dev/null
}

tick_by() { # the finest pause that this image can make
    pause='sleep 1'
    if sleep 0.01 2>/dev/null; then
        pause='sleep 0.1'
    elif have usleep; then
        pause='usleep 100000'
    fi
}

signals() { # how a shell of this image shows a child that a signal ended
    ( trap - USR1; read -r me _ </proc/self/stat; kill -USR1 "$me"; read -r _ ) </dev/null 2>/dev/null
    ticked=$?
    ( read -r me _ </proc/self/stat; kill -KILL "$me"; read -r _ ) </dev/null 2>/dev/null
    killed=$?
}

age() { # milliseconds since the pod's first process started; -1 where nothing tells
    age=-1
    read -r stat </proc/1/stat || return 0
    # shellcheck disable=SC2086 # splitting is the purpose, and set -f holds
    set -- ${stat##*) }
    now && number "${20:-}" 1 999999999 && age=$(((now - ${20}) * 10))
}

linger() { # the caller leaves first: an exec that ends by itself may lose what was not read yet
    [ "${NETAUDIT_LINGER:-}" != no ] || return 0
    sleep 3 6>&- 8<&- 9>&- &
    timer=$!
    { read -r _ <&8; kill "$timer"; } &
    wait "$timer"
    kill $! || true
}

probe() {
    # fd 6 keeps stderr open: some runtimes end the whole exec when a command closes any of its streams.
    exec 6>&2 8<&0 9>&1 2>/dev/null </dev/null
    read -r magic batch window count batch_limit extra <&8
    case $batch in '' | *[!A-Za-z0-9._-]*) magic= ;; esac
    : "${batch_limit:=600}"
    if [ "$magic" != netaudit/1 ] || [ -n "$extra" ] || ! number "$window" 1 256 || ! number "$count" 0 999999 ||
        ! number "$batch_limit" 1 86400; then
        complain 'the header is malformed'
        linger
        exit 2
    fi
    choose_tools
    # 64 MiB must do: a bash or a socat is several times as big as the others.
    case $client in bash | socat) [ "$window" -le 24 ] || window=24 ;; esac
    signals
    tick_by
    prepare
    age
    printf '{"netaudit":1,"agent":"shell","run":"%s","batch":"%s","nonce":"%s","client":"%s","server":"%s",%s}\n' \
        "$run" "$batch" "$nonce" "$client" "$server" "\"window\":$window,\"age\":$age,\"n\":$count" >&9
    total=0
    for made in $(feed | { exec 7<&0; echo | lanes; }); do total=$((total + made)); done
    printf '{"end":%s,"batch":"%s"}\n' "$total" "$batch" >&9
    linger
}

case $role in
serve) choose_tools; serve ;;
probe) probe ;;
*) echo 'netaudit agent: serve or probe' >&2; exit 2 ;;
esac
