package login

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/provider"
)

// maxParameter bounds a parameter of the authorization response.
const maxParameter = 4096

// response is what a provider sends back through the browser (RFC 6749 sections
// 4.1.2 and 4.1.2.1, RFC 9207 section 2).
type response struct {
	state, code, errorCode string
	// iss is nil when it was not sent: an empty one is wrong.
	iss *string
}

// admit binds a callback to the attempt that began in this browser, uses that
// attempt up, and checks whom the answer is from (RFC 9207 section 2.4). The
// attempt is returned even when the answer is refused.
func (h *Handler) admit(w http.ResponseWriter, r *http.Request, p *provider.Provider) (response, attempt, error) {
	params, err := readResponse(r.URL.RawQuery)
	if err != nil {
		return response{}, attempt{}, refuse(reasonBadTarget, "The answer of the provider cannot be read. Please start again.", err)
	}
	a, err := h.recall(r, p.ID, params.state)
	if err != nil {
		h.cameBackUnknown(w, r, p.ID, params.state, err)
		return response{}, attempt{}, refuse(session.ReasonSessionExpired, "This sign-in is not known here, was already used, or took too long. Please start again. If this happens each time, check that your browser accepts cookies of this site.", err)
	}
	h.forget(w, h.cookieOf(params.state))
	md, err := p.Metadata(r.Context())
	if err != nil {
		return response{}, a, err
	}
	switch {
	case params.iss != nil && *params.iss != p.Issuer:
		return response{}, a, refuse(session.ReasonTokenProvider, "The answer came from another provider. Please start again.",
			fmt.Errorf("iss: expected %q, got another", p.Issuer))
	case params.iss == nil && md.ResponseIssuer:
		return response{}, a, refuse(session.ReasonTokenProvider, "The answer does not say which provider it is from. Please start again.",
			errors.New("iss is missing though the provider announces it"))
	}
	return params, a, nil
}

// readResponse wants each parameter at most once (RFC 6749 section 3.1), a state,
// and either a code or an error. Its errors quote nothing.
func readResponse(query string) (response, error) {
	q, err := url.ParseQuery(query)
	if err != nil {
		return response{}, errors.New("query is malformed")
	}
	for _, name := range []string{"state", "code", "error", "iss"} {
		switch values := q[name]; {
		case len(values) > 1:
			return response{}, fmt.Errorf("%s appears %d times", name, len(values))
		case len(values) == 1 && len(values[0]) > maxParameter:
			return response{}, fmt.Errorf("%s is longer than %d bytes", name, maxParameter)
		}
	}
	out := response{state: q.Get("state"), code: q.Get("code"), errorCode: q.Get("error")}
	if iss, sent := q["iss"]; sent {
		out.iss = &iss[0]
	}
	switch {
	case out.state == "":
		return response{}, errors.New("state is missing")
	case out.code == "" && out.errorCode == "":
		return response{}, errors.New("neither code nor error")
	case out.code != "" && out.errorCode != "":
		return response{}, errors.New("both code and error")
	}
	return out, nil
}
