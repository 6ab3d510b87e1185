package devprovider

import (
	"crypto/rand"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// deviceGrant is the grant type of RFC 8628 section 3.4.
const deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"

const (
	maxDevices = 100
	// devicePause is how many seconds a device has to wait between two questions.
	devicePause = 1
)

var (
	errPending = &oauthError{http.StatusBadRequest, "authorization_pending", "The authorization request is still pending as the end user hasn't yet completed the user interaction steps."}
	errExpired = &oauthError{http.StatusBadRequest, "expired_token", "The device code has expired."}
	errDenied  = &oauthError{http.StatusBadRequest, "access_denied", "The resource owner or authorization server denied the request."}
)

// device is a program that waits for somebody who signs in elsewhere.
type device struct {
	grant
	code, userCode string
	expires        time.Time
	decided        bool // by a person, or by nobody: then grant.person is empty
}

// devices are those that wait, the oldest first.
type devices struct {
	mu   sync.Mutex
	list []*device
}

func (d *devices) add(one *device) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.list) == maxDevices {
		d.list = d.list[1:]
	}
	d.list = append(d.list, one)
}

// decide notes who has signed in for a user code, which is used up by that.
func (d *devices) decide(userCode, person string, at time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, one := range d.list {
		if one.userCode == userCode && !one.decided && at.Before(one.expires) {
			one.decided, one.person, one.authTime = true, person, at
			return true
		}
	}
	return false
}

// find returns a copy of the device that waits with a user code.
func (d *devices) find(userCode string) (device, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, one := range d.list {
		if one.userCode == userCode && !one.decided {
			return *one, true
		}
	}
	return device{}, false
}

// take returns what a device code has come to, once.
func (d *devices) take(code, client string, now time.Time) (grant, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := slices.IndexFunc(d.list, func(one *device) bool { return one.code == code && one.client == client })
	if i < 0 {
		return grant{}, errInvalidGrant
	}
	one := d.list[i]
	switch {
	case !now.Before(one.expires):
		return grant{}, errExpired
	case !one.decided:
		return grant{}, errPending
	}
	d.list = slices.Delete(d.list, i, i+1)
	if one.person == "" {
		return grant{}, errDenied
	}
	return one.grant, nil
}

// serveDevice gives out a pair of codes (RFC 8628 section 3.2).
func (p *Provider) serveDevice(w http.ResponseWriter, r *http.Request) {
	client, _ := p.authenticate(r)
	if client == nil {
		writeInvalidClient(w)
		return
	}
	scopes, err := p.scopes(r.PostForm.Get("scope"))
	if err != nil {
		writeError(w, http.StatusBadRequest, errInvalidScope.code, errInvalidScope.description)
		return
	}
	one := &device{
		grant: grant{client: client.ID, scopes: scopes}, code: random(), userCode: rand.Text()[:8],
		expires: p.opts.Now().Add(p.opts.CodeLife),
	}
	p.devices.add(one)
	writeJSON(w, http.StatusOK, map[string]any{
		"device_code": one.code, "user_code": one.userCode, "verification_uri": p.URL(Verification),
		"verification_uri_complete": p.URL(Verification) + "?user_code=" + one.userCode,
		"expires_in":                int64(p.opts.CodeLife / time.Second), "interval": devicePause,
	})
}

// serveVerification is the page where somebody types in the code of their device, and then
// picks who they are (RFC 8628 section 3.3).
func (p *Provider) serveVerification(w http.ResponseWriter, r *http.Request) {
	userCode := strings.ToUpper(strings.TrimSpace(r.Form.Get("user_code")))
	one, waits := p.devices.find(userCode)
	switch {
	case userCode == "":
		p.render(w, http.StatusOK, "", pageContent{Title: "Which device?", Text: "Type in the code that it shows.", CodeAction: p.URL(Verification)})
	case !waits:
		p.render(w, http.StatusBadRequest, "", pageContent{Title: "No device has shown this code.", Text: "Or it was too long ago.", CodeAction: p.URL(Verification)})
	case r.Method == http.MethodPost && (r.PostForm.Get("person") != "" || r.PostForm.Has("cancel")):
		name := r.PostForm.Get("person")
		person := p.person(name)
		if !p.sameOrigin(r) || name != "" && (person == nil || person.Blocked) || !p.devices.decide(userCode, name, p.opts.Now()) {
			p.refusePage(w, "That cannot be done.", "The device goes on waiting.")
			return
		}
		p.render(w, http.StatusOK, "", pageContent{Title: "That is all here.", Text: "Go back to your device."})
	default:
		p.mu.Lock()
		people := p.people
		p.mu.Unlock()
		name := one.client
		if c := p.client(one.client); c != nil {
			name = c.Name
		}
		p.render(w, http.StatusOK, "", pageContent{
			Title: "Who are you today?", Client: name, Scopes: one.scopes,
			Action: p.URL(Verification), Hidden: map[string]string{"user_code": userCode}, People: people,
		})
	}
}

// VerifyDevice signs a person in for the device that shows a user code, or nobody with an empty
// name. It says whether there is such a device.
func (p *Provider) VerifyDevice(userCode, person string) bool {
	return p.devices.decide(userCode, person, p.opts.Now())
}

// poll is a device's question whether somebody has signed in (RFC 8628 section 3.4).
func (p *Provider) poll(client *Client, r *http.Request) (Tokens, time.Time, error) {
	code := r.PostForm.Get("device_code")
	if code == "" {
		return Tokens{}, time.Time{}, missing("device_code")
	}
	g, err := p.devices.take(code, client.ID, p.opts.Now())
	if err != nil {
		return Tokens{}, time.Time{}, err
	}
	tokens, t, err := p.issue(client, g, "")
	if err != nil {
		return Tokens{}, time.Time{}, err
	}
	p.grants.addRow(t)
	return tokens, t.created, nil
}
