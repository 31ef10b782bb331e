// Answers questions about NetworkPolicies with the engine of cyclonus: a JSON object per line in, one per line out.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	"github.com/mattfenwick/cyclonus/pkg/matcher"
	v1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
)

type peer struct {
	IP              string            `json:"ip"`
	Namespace       string            `json:"namespace"`
	NamespaceLabels map[string]string `json:"namespaceLabels"`
	Labels          map[string]string `json:"labels"`
}

type flow struct {
	Source      peer        `json:"source"`
	Destination peer        `json:"destination"`
	Port        int         `json:"port"`
	PortName    string      `json:"portName"`
	Protocol    v1.Protocol `json:"protocol"`
}

type question struct {
	Policies []*networkingv1.NetworkPolicy `json:"policies"`
	Flows    []flow                        `json:"flows"`
}

type answer struct {
	Ingress bool `json:"ingress"`
	Egress  bool `json:"egress"`
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(make([]byte, 0, 1<<16), 1<<26)
	out := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var asked question
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		policy := matcher.BuildNetworkPolicies(false, asked.Policies)
		said := []answer{}
		for _, one := range asked.Flows {
			found := policy.IsTrafficAllowed(&matcher.Traffic{
				Source:           end(one.Source),
				Destination:      end(one.Destination),
				ResolvedPort:     one.Port,
				ResolvedPortName: one.PortName,
				Protocol:         one.Protocol,
			})
			said = append(said, answer{Ingress: found.Ingress.IsAllowed(), Egress: found.Egress.IsAllowed()})
		}
		if err := out.Encode(said); err != nil {
			os.Exit(1)
		}
	}
}

func end(one peer) *matcher.TrafficPeer {
	if one.Namespace == "" {
		return &matcher.TrafficPeer{IP: one.IP}
	}
	return &matcher.TrafficPeer{IP: one.IP, Internal: &matcher.InternalPeer{
		PodLabels:       one.Labels,
		NamespaceLabels: one.NamespaceLabels,
		Namespace:       one.Namespace,
	}}
}
