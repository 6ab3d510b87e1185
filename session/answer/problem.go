package answer

import (
	"encoding/json"
	"net/http"
)

// Problem is a refusal in words for programs (RFC 9457).
type Problem struct {
	// Code is the stable reason word; programs branch on it.
	Code string
	// Detail is a plain sentence for whoever reads the program's output.
	Detail string
	// SignInURL is where a person could sign in, absolute; empty: signing in with
	// a browser would not help.
	SignInURL string
}

// document is a Problem on the wire. Type is about:blank, so the title is the
// status phrase (RFC 9457 section 4.2.1) and the code says what happened.
// Message repeats the detail under the name that GitLab's, QFieldCloud's and
// GitHub's clients show to their users.
type document struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail"`
	Code      string `json:"code"`
	Message   string `json:"message"`
	RequestID string `json:"request_id"`
	SignInURL string `json:"sign_in_url,omitempty"`
}

// Problem answers with an application/problem+json document.
func (a *Answers) Problem(w http.ResponseWriter, r *http.Request, status int, p Problem) {
	body, err := json.Marshal(document{
		Type:      "about:blank",
		Title:     http.StatusText(status),
		Status:    status,
		Detail:    p.Detail,
		Code:      p.Code,
		Message:   p.Detail,
		RequestID: requestID(w),
		SignInURL: p.SignInURL,
	})
	if err != nil {
		a.broken(w, r, "encoding a problem", err)
		return
	}
	a.write(w, status, "application/problem+json", strictPolicy, append(body, '\n'))
}
