package answer

import (
	"encoding/json"
	"net/http"
	"strconv"
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

// Problem answers with an application/problem+json document. Type is about:blank, so the
// title is the status phrase (RFC 9457 section 4.2.1) and the code says what happened.
// message repeats the detail under the name that GitLab's, QFieldCloud's and
// GitHub's clients show to their users.
func (a *Answers) Problem(w http.ResponseWriter, _ *http.Request, status int, p Problem) {
	b := make([]byte, 0, 640)
	b = append(b, `{"type":"about:blank","title":`...)
	b = appendText(b, http.StatusText(status))
	b = append(b, `,"status":`...)
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(b, `,"detail":`...)
	begin := len(b)
	b = appendText(b, p.Detail)
	detail := b[begin:]
	b = append(b, `,"code":`...)
	b = appendText(b, p.Code)
	b = append(b, `,"message":`...)
	b = append(b, detail...)
	b = append(b, `,"request_id":`...)
	b = appendText(b, requestID(w))
	if p.SignInURL != "" {
		b = append(b, `,"sign_in_url":`...)
		b = appendText(b, p.SignInURL)
	}
	a.write(w, status, "application/problem+json", strictPolicy, append(b, "}\n"...))
}

// appendText appends a text as encoding/json writes it. Most have nothing in them that has
// to be written differently.
func appendText(b []byte, text string) []byte {
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c < 0x20, c >= 0x7f, c == '"', c == '\\', c == '<', c == '>', c == '&':
			quoted, _ := json.Marshal(text) // a text can always be written
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, text...)
	return append(b, '"')
}
