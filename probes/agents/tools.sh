# The first half of the shell agent: which tools the image has, and a listener and an attempt with each of them.
# The second half, shell.sh, follows it in the same text; words and conventions are said there.

# --- which tools this image has ---------------------------------------------------------------------------------------

have() { command -v "$1" >/dev/null 2>&1; }

choose_tools() {
    client=none server=none dialect='' udp_client=none udp_server=none
    if have nc; then
        case $(nc --help 2>&1 </dev/null) in
        *BusyBox*'-e PROG'*'UDP mode'*) dialect=nc-busybox udp_client=nc ;;
        *BusyBox*'-e PROG'*) dialect=nc-busybox ;;
        *recvlimit*) dialect=nc-openbsd ;;
        esac
    fi
    if ! have dd; then # it reads one datagram whole; a shell reads letter by letter, which loses the rest
        udp_client=none
    elif [ -n "${BASH_VERSION:-}" ]; then
        udp_client=bash
    elif [ "$udp_client" = none ] && have socat; then
        udp_client=socat
    fi
    # Only these answer every peer and stand all the time: a listener that has to be started again may be missed.
    if have udpsvd; then udp_server=udpsvd; elif have socat; then udp_server=socat; fi
    if [ -n "${BASH_VERSION:-}" ]; then
        client=bash
    elif [ -n "$dialect" ]; then
        client=$dialect
    elif have socat; then
        client=socat
    fi
    if have tcpsvd; then
        server=tcpsvd
    elif have socat; then
        server=socat
    elif [ "$dialect" = nc-busybox ]; then
        server=nc
    fi
}

# --- listeners --------------------------------------------------------------------------------------------------------

has_sctp() { # the attempt makes a kernel that has the module load it
    have socat || return 1
    [ -e /proc/net/sctp ] || socat -u /dev/null SCTP4-CONNECT:127.0.0.1:1 >/dev/null 2>&1
    [ -e /proc/net/sctp ]
}

listen() { # listen ADDRESS PORT PROTOCOL: becomes the listener. A full backlog drops SYNs, which would look like a policy.
    kind=TCP like=$server wide=',max-children=32,backlog=1024'
    case $3 in
    udp) kind=UDP like=$udp_server wide= ;;
    sctp) kind=SCTP like=socat wide=,max-children=32 ;;
    esac
    case $like in
    udpsvd) exec udpsvd -c 64 "$1" "$2" echo "netaudit $nonce $2" ;;
    tcpsvd) exec tcpsvd -E -c 64 -b 1024 "$1" "$2" echo "netaudit $nonce $2" ;;
    socat)
        # For datagrams "listen" would close the port for a moment with each peer, and lose what others sent meanwhile.
        manner=LISTEN hello="EXEC:echo netaudit $nonce $2,nofork"
        [ "$3" != udp ] || manner=RECVFROM hello="EXEC:'sh -c \"read -r _; echo netaudit $nonce $2\"'"
        case $1 in
        ::) from="${kind}6-$manner:$2,ipv6only=$v6only" ;;
        *) from="${kind}4-$manner:$2" ;;
        esac
        exec socat "$from,reuseaddr,fork$wide" "$hello"
        ;;
    # Without -v/-u/-z this nc takes its backlog from the number of times that -l is given.
    nc) exec nc "-$many" -p "$2" "$1" -e echo "netaudit $nonce $2" ;;
    esac
}

# --- probe: the client ------------------------------------------------------------------------------------------------

# What a client that can start a program does once it is connected: a first line says so.
# shellcheck disable=SC2016 # for the shell that the client starts
hear='echo + >&4; IFS= read -r -n 256 said; printf "%s\n" "$said" >&4'

# The same for datagrams: dd takes one answer, and as long as it waits, another question goes out from time to time.
prepare() {
    again='sleep 1'
    case $pause in *0.1) again='sleep 0.3' ;; usleep*) again='usleep 300000' ;; esac
    speak="read -r me _ </proc/self/stat; while kill -0 \$me; do echo; $again; done 2>/dev/null &"
    speak="$speak exec dd bs=256 count=1 2>/dev/null >&4"
}

connect() { # becomes one attempt: a first line on fd 4 once it is connected, then what the listener said, bounded
    exec </dev/null >/dev/null 2>&1 5>&- 6<&- 7<&- 8<&- 9>&-
    kind=TCP more='; exec head -c 256 >&4' until=-W1
    case $protocol in
    # Nothing is sent and nothing read: the listener is a stranger's.
    handshake) hear='echo + >&4' more='' until=-z ;;
    sctp) client=socat kind=SCTP ;;
    udp) client=udp-$udp_client ;;
    esac
    case $client in
    udp-nc) exec nc -u "$ip" "$port" -e sh -c "$speak" ;;
    udp-socat)
        case $ip in *:*) peer=UDP6:[$ip]:$port ;; *) peer=UDP4:$ip:$port ;; esac
        exec socat "$peer" "EXEC:'sh -c \"$speak\"',nofork"
        ;;
    udp-bash)
        # shellcheck disable=SC3025 # only under bash
        exec 3<>"/dev/udp/$ip/$port" || exit 1
        exec <&3 >&3
        eval "$speak"
        ;;
    nc-busybox) exec nc "$ip" "$port" -e sh -c "$hear" ;;
    # Its first line is its own message, and one packet of at most 16 kB is read.
    nc-openbsd) exec nc -n -d -v "$until" "$ip" "$port" >&4 2>&4 ;;
    socat)
        case $ip in *:*) peer=${kind}6:[$ip]:$port ;; *) peer=${kind}4:$ip:$port ;; esac
        exec socat "$peer" "EXEC:'sh -c \"echo + >&4$more\"',nofork"
        ;;
    bash)
        # shellcheck disable=SC3025 # only under bash
        exec 3<>"/dev/tcp/$ip/$port" || exit 1
        exec <&3
        eval "$hear"
        ;;
    *) exit 127 ;;
    esac
}
