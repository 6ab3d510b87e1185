package demo

import (
	"github.com/claimproxy/claimproxy/session/devprovider"
)

// The OAuth clients of the demo.
const (
	webClient    = "demo"
	nativeClient = "demo-native"
)

// People are those who can be picked at the demo's provider: one who may look, one
// who may do everything, and one whose group only looks like the right one.
func People() []devprovider.Person {
	return []devprovider.Person{
		{
			Name: "ada", FullName: "Ada", Email: "ada@kde.example",
			About:     "A developer: may see all telemetry.",
			Groups:    []string{"teams/kde-developers", "websites/kde-org"},
			Direct:    []string{"teams/kde-developers", "websites/kde-org"},
			Developer: []string{"teams/kde-developers"},
		},
		{
			Name: "ben", FullName: "Ben", Email: "ben@kde.example",
			About:     "A developer and an administrator: may also add products.",
			Groups:    []string{"teams/kde-developers", "teams/sysadmins"},
			Direct:    []string{"teams/kde-developers", "teams/sysadmins"},
			Owner:     []string{"teams/sysadmins"},
			Developer: []string{"teams/kde-developers"},
		},
		{
			Name: "eve", FullName: "Eve", Email: "eve@kde.example",
			About:  "Was a developer once: is refused, because a group's name is compared whole.",
			Groups: []string{"teams/kde-developers-emeritus"},
			Direct: []string{"teams/kde-developers-emeritus"},
		},
	}
}

// Provider makes the demo's OpenID Provider, where claimproxy is a client with that
// secret.
func Provider(a Addresses, clientSecret string) *devprovider.Provider {
	return devprovider.New(devprovider.Options{
		Issuer: a.Issuer(),
		People: People(),
		Clients: []devprovider.Client{
			{
				ID: webClient, Secret: clientSecret, Name: "claimproxy",
				RedirectURIs:           []string{a.URL() + "/.auth/callback/dev"},
				PostLogoutRedirectURIs: []string{a.URL() + "/", a.URL() + "/.auth/sign-out"},
			},
			{
				ID: nativeClient, Name: "A desktop tool", Native: true,
				RedirectURIs: []string{"http://127.0.0.1/", "http://[::1]/", "http://127.0.0.1/callback"},
			},
		},
		HandOutTokens: true,
	})
}
