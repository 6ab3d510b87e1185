package answer

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"strconv"
)

// Options says what all answers share.
type Options struct {
	// Endpoints is the path under which claimproxy's own pages live on every
	// host, such as "/.auth", without a slash at the end. The stylesheet is
	// expected at Endpoints + StylePath.
	Endpoints string
	// Site is shown above every title, so that people see where they are:
	// usually the host of public_url. Empty: nothing is shown.
	Site string
	// Log gets faults of our own, such as a template that cannot be executed.
	// Nil: slog.Default().
	Log *slog.Logger
}

// Answers writes answers. It is safe for use by many goroutines.
type Answers struct {
	site  string
	style string
	log   *slog.Logger
}

// New returns Answers that share opts.
func New(opts Options) *Answers {
	log := opts.Log
	if log == nil {
		log = slog.Default()
	}
	return &Answers{site: opts.Site, style: opts.Endpoints + StylePath, log: log}
}

// Refuse answers with the page where a person is looking (WantsPage), else with
// the problem document. Both say the same.
func (a *Answers) Refuse(w http.ResponseWriter, r *http.Request, status int, p Problem, c Content) {
	if WantsPage(r) {
		a.Page(w, r, status, c)
		return
	}
	a.Problem(w, r, status, p)
}

// Redirect sends the client to location with the given 3xx status and no body.
// Unlike http.Redirect it neither rewrites the location nor writes a page around
// it: location must be a URL that the caller composed or checked itself.
func (a *Answers) Redirect(w http.ResponseWriter, r *http.Request, status int, location string) {
	h := w.Header()
	setSecurity(h, strictPolicy)
	h["Location"], h["Content-Length"] = []string{location}, noLength
	w.WriteHeader(status)
}

// Empty answers with a status that says all there is to say.
func (a *Answers) Empty(w http.ResponseWriter, status int) {
	h := w.Header()
	setSecurity(h, strictPolicy)
	h["Content-Length"] = noLength
	w.WriteHeader(status)
}

// JSON answers with a document of our own, such as the list of providers.
func (a *Answers) JSON(w http.ResponseWriter, r *http.Request, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		a.broken(w, r, "encoding JSON", err)
		return
	}
	a.write(w, status, "application/json", strictPolicy, append(body, '\n'))
}

// strictPolicy is for answers that load nothing at all.
const strictPolicy = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'"

// The fields that every answer of ours carries. The values are shared: nobody writes into
// the list of a field, and to append makes another list.
var (
	noStore     = []string{"no-store"}
	noSniff     = []string{"nosniff"}
	noReferrer  = []string{"no-referrer"}
	strictField = []string{strictPolicy}
	noLength    = []string{"0"}
)

// setSecurity sets the headers that every answer of ours carries. The names are as
// http.CanonicalHeaderKey has them.
func setSecurity(h http.Header, policy string) {
	h["Cache-Control"], h["X-Content-Type-Options"], h["Referrer-Policy"] = noStore, noSniff, noReferrer
	if policy == strictPolicy {
		h["Content-Security-Policy"] = strictField
	} else {
		h["Content-Security-Policy"] = []string{policy}
	}
}

// write sends a whole body. net/http leaves it away for HEAD and keeps the
// length, as RFC 9110 section 9.3.2 wants it.
func (a *Answers) write(w http.ResponseWriter, status int, contentType, policy string, body []byte) {
	h := w.Header()
	setSecurity(h, policy)
	values := []string{contentType, strconv.Itoa(len(body))}
	h["Content-Type"], h["Content-Length"] = values[:1:1], values[1:]
	w.WriteHeader(status)
	// A client that went away while we were answering is nobody's fault.
	_, _ = w.Write(body)
}

// broken answers when an answer itself could not be made. It depends on nothing
// that could break again.
func (a *Answers) broken(w http.ResponseWriter, r *http.Request, doing string, err error) {
	a.log.LogAttrs(r.Context(), slog.LevelError, "answer could not be made",
		slog.String("doing", doing), slog.Any("error", err), slog.String("request_id", requestID(w)))
	body := bytes.NewBufferString(http.StatusText(http.StatusInternalServerError) + "\n")
	a.write(w, http.StatusInternalServerError, "text/plain; charset=utf-8", strictPolicy, body.Bytes())
}

// requestID is what the proxy has put on the response before anything else.
func requestID(w http.ResponseWriter) string {
	if id := w.Header()["X-Request-Id"]; len(id) > 0 {
		return id[0]
	}
	return ""
}
