// Command kube is every Kubernetes program of the test cluster in one binary: the copies of the API
// machinery that each would carry are linked once.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	"k8s.io/component-base/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

// serverVersionVariable names the environment variable that holds the version to report, as a provider's build would.
const serverVersionVariable = "NETAUDIT_SERVER_VERSION"

var programs = map[string]func() *cobra.Command{
	"kube-apiserver":          apiserver.NewAPIServerCommand,
	"kube-controller-manager": controllermanager.NewControllerManagerCommand,
	"kube-proxy":              proxy.NewProxyCommand,
	"kube-scheduler":          func() *cobra.Command { return scheduler.NewSchedulerCommand() },
	"kubectl":                 kubectl.NewDefaultKubectlCommand,
	"kubelet":                 func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) },
}

func main() {
	name := filepath.Base(os.Args[0])
	if programs[name] == nil && len(os.Args) > 1 {
		name = os.Args[1]
		os.Args = os.Args[1:]
	}
	program := programs[name]
	if program == nil {
		fmt.Fprintf(os.Stderr, "error: %q is none of the programs in this binary\n", name)
		fmt.Fprintln(os.Stderr, "  try: kube kube-apiserver|kube-controller-manager|kube-proxy|kube-scheduler|kubectl|kubelet [flag...]")
		os.Exit(2)
	}
	reportVersion(name)
	os.Exit(cli.Run(program()))
}

// reportVersion makes the servers report the version that the environment asks for; a client has no provider.
func reportVersion(name string) {
	wanted := os.Getenv(serverVersionVariable)
	if wanted == "" || name == "kubectl" {
		return
	}
	// Must run before a command is made: the API server's effective version is read from it then.
	if err := version.SetDynamicVersion(wanted); err != nil {
		fmt.Fprintf(os.Stderr, "error: cannot report version %q\n  why: %v\n", wanted, err)
		fmt.Fprintf(os.Stderr, "  try: %s=%s-SUFFIX\n", serverVersionVariable, version.Get().GitVersion)
		os.Exit(2)
	}
}
