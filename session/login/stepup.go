package login

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/answer"
	"github.com/claimproxy/claimproxy/session/provider"
)

const (
	// maxACR bounds what an attempt remembers of the values that were asked for.
	maxACR = 256
	// ahead is how far an auth_time may lie in the future, because clocks differ.
	ahead = time.Minute
)

// demand is in which way somebody is to sign in: a condition on acr or auth_time was all
// that kept them out. The zero value is any way.
//
// It comes in a link, so that anybody can make one; the worst that comes of it is a
// sign-in that the provider asks for more. What is let in by it is for the conditions to
// say, which look at what came back.
type demand struct {
	// ACR are values, separated by blanks, of which one has to come back; empty for any.
	ACR string `json:"a,omitempty"`
	// MaxAge is how many seconds ago the person may have signed in at the provider; zero
	// for any number.
	MaxAge int64 `json:"m,omitempty"`
}

func (d demand) none() bool { return d == demand{} }

// demanded reads the demand in a link to sign in. One that no condition makes is none.
func demanded(r *http.Request) demand {
	var d demand
	if values := parameter(r, session.ParamACR); len(values) <= maxACR && isPrintable(values) {
		d.ACR = strings.Join(strings.Fields(values), " ")
	}
	if n, err := strconv.ParseUint(parameter(r, session.ParamMaxAge), 10, 31); err == nil {
		d.MaxAge = int64(n)
	}
	return d
}

func isPrintable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r > 0x7e })
}

// pairs are the parameters of a link that makes the demand.
func (d demand) pairs() []string {
	var pairs []string
	if d.ACR != "" {
		pairs = append(pairs, session.ParamACR, d.ACR)
	}
	if d.MaxAge > 0 {
		pairs = append(pairs, session.ParamMaxAge, strconv.FormatInt(d.MaxAge, 10))
	}
	return pairs
}

// of completes an authorization request.
func (d demand) of(a provider.AuthorizationRequest) provider.AuthorizationRequest {
	a.ACR, a.MaxAge = d.ACR, time.Duration(d.MaxAge)*time.Second
	return a
}

// metBy says whether claims are of a sign-in as it is demanded. It is as strict as the
// conditions are, or a person would be sent round and round.
func (d demand) metBy(claims session.Claims, now time.Time) bool {
	if d.ACR != "" {
		acr := claims["acr"]
		if n, ok := acr.(json.Number); ok {
			acr = n.String()
		}
		if text, ok := acr.(string); !ok || !slices.Contains(strings.Fields(d.ACR), text) {
			return false
		}
	}
	if d.MaxAge == 0 {
		return true
	}
	n, ok := claims["auth_time"].(json.Number)
	if !ok {
		return false
	}
	seconds, err := n.Float64()
	if err != nil {
		return false
	}
	age := now.Sub(time.UnixMilli(int64(seconds * 1000)))
	return age <= time.Duration(d.MaxAge)*time.Second && age >= -ahead
}

// notEnough is the failure of a sign-in that is not as demanded.
func notEnough(p *provider.Provider, d demand) *failure {
	return &failure{http.StatusForbidden, session.ReasonStepUp, "This sign-in is not enough",
		nameAt(p) + " signed you in, but not as strongly or as recently as the page that you came from needs.",
		errors.New("acr or auth_time is not what was asked for: " + strings.Join(d.pairs(), " "))}
}

// inVain answers somebody who is to sign in in a way in which they have signed in
// already: there is nothing that another time would change, and a page that sends them
// here all the same would do so for ever.
func (h *Handler) inVain(w http.ResponseWriter, r *http.Request, to way, d demand) bool {
	if d.none() || asSomebodyElse(r) || !h.meets(r, d) {
		return false
	}
	const sentence = "You are signed in as strongly and as recently as was asked for. If the page that you came from does not let you in, please tell whoever runs it."
	h.Answers.Refuse(w, r, http.StatusForbidden,
		answer.Problem{Code: string(session.ReasonStepUp), Detail: sentence},
		answer.Content{Title: "Signing in once more does not help", Text: []string{sentence}, Actions: []answer.Action{
			{Label: "Go on", URL: to.text(), Main: true},
		}})
	return true
}

// meets says whether the session of this request began as it is demanded.
func (h *Handler) meets(r *http.Request, d demand) bool {
	if d.none() {
		return true
	}
	id, err := h.Sessions.Identify(r)
	return err == nil && d.metBy(id.Claims, h.Now())
}

// own is the provider that the person of this request is signed in at, if they are to sign
// in there in another way; nil otherwise. They are not asked where.
func (h *Handler) own(r *http.Request, d demand) *provider.Provider {
	if d.none() || asSomebodyElse(r) {
		return nil
	}
	id, err := h.Sessions.Identify(r)
	if err != nil {
		return nil
	}
	for _, p := range h.Providers {
		if p.ID == id.Provider {
			return p
		}
	}
	return nil
}
