package signin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"golang.org/x/oauth2"
)

// Bounds on how often the provider is asked whether the person has signed in, in seconds.
const (
	quickestPoll = 1
	slowestPoll  = 60
)

// onDevice signs in with a browser on another device, where a code is typed in (RFC 8628).
func (a *Agent) onDevice(ctx context.Context, p *provider) (*oauth2.Token, string, error) {
	if p.oauth.Endpoint.DeviceAuthURL == "" {
		return nil, "", noDevices(p)
	}
	ctx, cancel := context.WithTimeout(ctx, signInPatience)
	defer cancel()
	device, err := p.oauth.DeviceAuth(p.context(ctx), p.options()...)
	var reply *oauth2.RetrieveError
	if errors.As(err, &reply) && reply.Response.StatusCode == http.StatusNotFound {
		return nil, "", noDevices(p)
	}
	if err != nil {
		return nil, "", p.refused(err)
	}
	where, err := url.Parse(device.VerificationURI)
	if err != nil || where.Hostname() == "" || where.Scheme != "https" && where.Scheme != "http" || device.DeviceCode == "" || device.UserCode == "" {
		return nil, "", fmt.Errorf("%s does not say where to sign in", clean(p.issuer))
	}
	if device.Interval != 0 {
		device.Interval = min(max(device.Interval, quickestPoll), slowestPoll)
	}
	fmt.Fprintf(a.Say, "With any browser, on this device or another, open\n\n  %s\n\nand type in the code\n\n  %s\n\n", clean(device.VerificationURI), clean(device.UserCode))
	t, err := p.oauth.DeviceAccessToken(p.context(ctx), device, p.options()...)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return nil, "", errors.New("nobody signed in in time")
	case errors.Is(err, context.Canceled):
		return nil, "", err
	case err != nil:
		return nil, "", p.refused(err)
	}
	if err := p.check(t); err != nil {
		return nil, "", err
	}
	name, err := p.person(ctx, t, "")
	return t, name, err
}

func noDevices(p *provider) error {
	return fmt.Errorf("%s does not sign in other devices (it has no device_authorization_endpoint): leave out --device", clean(p.issuer))
}
