# Ends whatever runs in this container: every process that was given the same nonce as this one, and no other. Where a pod
# shares its processes among its containers, the workload's stand beside ours.
for place in /proc/[0-9]*; do
    number=${place#/proc/}
    [ "$number" != $$ ] || continue
    case $(tr '\0' '\n' <"$place/environ") in *"NETAUDIT_NONCE=$NETAUDIT_NONCE"*) kill -TERM "$number" ;; esac
done 2>/dev/null
