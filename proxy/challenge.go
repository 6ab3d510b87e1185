package proxy

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/claimproxy/claimproxy/policy"
	"github.com/claimproxy/claimproxy/session"
)

// reasonStepUp is the reason whose refusal names the error
// insufficient_user_authentication.
const reasonStepUp = Reason(policy.ReasonStepUp)

// challenge says what credentials would do (RFC 9110 section 11.6.1): Bearer, and after
// it, for programs on a route that takes it, Basic. There are programs that read the
// first challenge alone, and browsers that ask for a password as soon as they see Basic.
func (p *Proxy) challenge(x *exchange, v *Verdict) {
	challenges := []string{bearerChallenge(&x.target, v)}
	if x.route != nil && x.route.BasicToken && !fetched(x) {
		challenges = append(challenges, `Basic realm="`+x.target.Host+`", charset="UTF-8"`)
	}
	x.Header()["Www-Authenticate"] = challenges
}

// fetched reports whether a request is of a browser, which says how it came about (Fetch
// Metadata Request Headers).
func fetched(x *exchange) bool {
	for name := range x.request.Header {
		if strings.HasPrefix(name, "Sec-Fetch-") {
			return true
		}
	}
	return false
}

// bearerChallenge is the challenge Bearer (RFC 6750 section 3, with RFC 9728 section 5.1).
// Without credentials there is no error in it.
func bearerChallenge(t *Target, v *Verdict) string {
	metadata := `Bearer resource_metadata="` + t.Scheme + "://" + t.Authority + `/.well-known/oauth-protected-resource"`
	if v.Outcome == SignIn && v.Decision.StepUp == nil {
		return metadata
	}
	var b strings.Builder
	b.WriteString(metadata)
	failed := func(code string) {
		b.WriteString(`, error="` + code + `"`)
		parameter(&b, "error_description", sentenceOf(v))
	}
	switch {
	case v.Outcome == BadCredentials:
		failed("invalid_token")
	case v.Reason == reasonScope:
		failed("insufficient_scope")
		if len(v.Decision.Scopes) > 0 {
			parameter(&b, "scope", strings.Join(v.Decision.Scopes, " "))
		}
	case v.Decision.StepUp != nil && v.Reason == reasonStepUp: // RFC 9470 section 3
		failed("insufficient_user_authentication")
		if values := v.Decision.StepUp.ACR; len(values) > 0 {
			parameter(&b, "acr_values", strings.Join(values, " "))
		}
		if age := maxAge(v.Decision.StepUp); age != "" {
			parameter(&b, "max_age", age)
		}
	}
	return b.String()
}

// parameter writes a parameter of a challenge. Its value is of the letters of RFC 6750
// section 3, %x20-21 / %x23-5B / %x5D-7E.
func parameter(b *strings.Builder, name, value string) {
	b.WriteString(`, ` + name + `="`)
	for i := 0; i < len(value); i++ {
		if c := value[i]; c >= 0x20 && c <= 0x7e && c != '"' && c != '\\' {
			b.WriteByte(c)
		} else {
			b.WriteByte('?')
		}
	}
	b.WriteByte('"')
}

// maxAge is how long ago a person may have signed in, in whole seconds; empty for as long
// as they like.
func maxAge(s *policy.StepUp) string {
	if s.MaxAge <= 0 {
		return ""
	}
	return strconv.FormatInt(int64(s.MaxAge/time.Second), 10)
}

// stepUpQuery is what a link to sign in says about the way to do it; empty for any way.
func stepUpQuery(v *Verdict) string {
	if v.Reason != reasonStepUp || v.Decision.StepUp == nil {
		return ""
	}
	var query string
	if values := v.Decision.StepUp.ACR; len(values) > 0 {
		query = "&" + session.ParamACR + "=" + url.QueryEscape(strings.Join(values, " "))
	}
	if age := maxAge(v.Decision.StepUp); age != "" {
		query += "&" + session.ParamMaxAge + "=" + age
	}
	return query
}
