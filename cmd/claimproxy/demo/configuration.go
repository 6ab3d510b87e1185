package demo

import (
	_ "embed"
	"fmt"
	"strings"
	"text/template"
)

// Addresses are where the parts of the demo listen, each as host:port on loopback.
type Addresses struct {
	Proxy       string // claimproxy itself
	Provider    string // the development provider
	Application string // the sample application
}

// URL is the address to open.
func (a Addresses) URL() string { return "http://" + a.Proxy }

// Issuer is the development provider's issuer identifier.
func (a Addresses) Issuer() string { return "http://" + a.Provider }

// ApplicationURL is where claimproxy finds the application.
func (a Addresses) ApplicationURL() string { return "http://" + a.Application }

// secretFile is where the configuration looks for the client secret, beside itself.
const secretFile = "client_secret"

//go:embed claimproxy.yaml
var configurationText string

var configuration = template.Must(template.New("claimproxy.yaml").Parse(configurationText))

// Configuration returns the text of the demo's configuration file. It refers to the
// file client_secret beside it.
func Configuration(a Addresses) string {
	var b strings.Builder
	if err := configuration.Execute(&b, a); err != nil {
		panic(fmt.Sprintf("demo: writing the configuration: %v", err)) // the template is ours
	}
	return b.String()
}
