package provider

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// formRequest makes a POST that authenticates a client as the provider's list of
// methods asks: by default with HTTP Basic (RFC 6749 section 2.3.1); a public
// client names itself in the form.
func (p *Provider) formRequest(ctx context.Context, endpoint string, form url.Values, client Client, methods []string) (*http.Request, error) {
	basic := client.Secret != "" && !inForm(methods)
	if !basic {
		form.Set("client_id", client.ID)
		if client.Secret != "" {
			form.Set("client_secret", client.Secret)
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if basic {
		req.SetBasicAuth(url.QueryEscape(client.ID), url.QueryEscape(client.Secret))
	}
	return req, nil
}

// inForm says whether a client secret goes into the form: only where the
// provider lists client_secret_post and not client_secret_basic.
func inForm(methods []string) bool {
	return slices.Contains(methods, "client_secret_post") && !slices.Contains(methods, "client_secret_basic")
}

// errorCode reads the error member of an OAuth error reply (RFC 6749 section
// 5.2) for the log.
func errorCode(body []byte) string {
	c, err := parseReply(body)
	if err != nil {
		return ""
	}
	code, _ := c.String("error")
	return CleanCode(code)
}

// CleanCode returns an error code as it stands if it is a word such as those of
// RFC 6749 section 5.2, and "" otherwise: what a provider or a link puts in its
// place may be anything, and goes to the log. No registered code is half as long
// as a token of GitLab's.
func CleanCode(code string) string {
	const longest = 40
	if len(code) > longest {
		return ""
	}
	for i := range len(code) {
		b := code[i] | 0x20
		if (b < 'a' || b > 'z') && (code[i] < '0' || code[i] > '9') && code[i] != '_' && code[i] != '-' && code[i] != '.' {
			return ""
		}
	}
	return code
}
