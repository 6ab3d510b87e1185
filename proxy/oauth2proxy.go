package proxy

import "net/http"

// OAuth2ProxyAuth is where front proxies that were set up for oauth2-proxy ask.
const OAuth2ProxyAuth = "/oauth2/auth"

// authRequest are the headers by which oauth2-proxy tells who is calling.
var authRequest = func() *steadyHeaders {
	headers, err := compileHeaders([]IdentityHeader{
		{Name: "X-Auth-Request-User", User: true},
		{Name: "X-Auth-Request-Email", Claim: "email"},
		{Name: "X-Auth-Request-Groups", Claim: "groups"},
		{Name: "X-Auth-Request-Preferred-Username", Claim: "preferred_username"},
	})
	if err != nil {
		panic(err)
	}
	return &steadyHeaders{headers}
}()

// answerAccepted says yes as oauth2-proxy does: 202, with its headers beside those of the
// route. They are empty where nothing is known, as in answerAllowed.
func (p *Proxy) answerAccepted(x *exchange) {
	for i := range authRequest.sources {
		x.Header()[authRequest.sources[i].Name] = []string{""}
	}
	if id := x.verdict.Identity; id != nil {
		for _, line := range p.makeHeaders(authRequest, id).lines {
			x.Header()[line.name] = line.value
		}
	}
	p.answerAllowed(x, http.StatusAccepted)
}
