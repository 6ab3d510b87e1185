package demo

import (
	_ "embed"
	"strings"
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

// configurationText is a whole configuration as it stands, with the addresses that the
// documentation names.
//
//go:embed claimproxy.yaml
var configurationText string

// Configuration returns the text of the demo's configuration file. It refers to the
// file client_secret beside it.
func Configuration(a Addresses) string {
	// The first line tells editors where the schema is, in this repository.
	_, text, _ := strings.Cut(configurationText, "\n")
	return strings.NewReplacer("127.0.0.1:8080", a.Proxy, "127.0.0.1:8081", a.Provider, "127.0.0.1:8082", a.Application).Replace(text)
}
