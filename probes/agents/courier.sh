# What runs in a probe pod that nobody may exec into, whose image has only a shell: it starts the agent's listeners, and
# hands the agent each batch of work that appears in a file of the pod's own annotations. What the agent says of it goes
# to the container's stdout, which is the pod's log. One batch at a time: records bear no batch, so that only their order
# says whose they are.
#
# Reads NETAUDIT_AGENT, the agent's text. In a batch: fd 4 the work, 5 a pipe that is open at both ends, so that the
# agent never finds its stdin closed.

set -f
work=/netaudit/work

agent() { # agent HALF: one half of the agent, as an exec would start it
    exec sh -c 'eval "$NETAUDIT_AGENT"' netaudit "$1"
}

hand_over() { # stdin: a pipe; fd 4: the work without its first line
    exec 5<>/proc/self/fd/0 </dev/null
    { printf '%s\n' "$header"; cat <&4; } >&5 &
    (agent probe) <&5 4<&-
}

pause=1
sleep 0.1 2>/dev/null && pause=0.2
trap 'exit 0' TERM INT HUP
(agent serve) </dev/null &
server=$!
last=
while kill -0 "$server" 2>/dev/null; do
    header=
    if [ -r "$work" ]; then
        exec 4<"$work"
        read -r header <&4
        if [ -n "$header" ] && [ "$header" != "$last" ]; then
            last=$header
            echo # whatever the batch before left half said
            : | hand_over &
            wait $!
        fi
        exec 4<&-
    fi
    sleep "$pause"
done
