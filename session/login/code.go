package login

import (
	"crypto/ecdh"
	"crypto/hpke"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"
)

const (
	// codeLife is how long the code that leads to another host is good: a redirect.
	codeLife = time.Minute
	// maxCode bounds a code that is looked at.
	maxCode = 4096
	// codeLabel separates these seals from all others made with the same key.
	codeLabel = "accept code v1"
)

// A code carries a session to another host, through the address bar, where it gets into
// histories and logs. So what is in it is sealed twice. The outer seal is ours: nobody
// else makes codes, and each is good on one host. The inner one is for the attempt that
// began on that host (HPKE, RFC 9180), whose private half is in a cookie there and
// nowhere else: a code that is found later opens nothing, not even for somebody who
// has our key as well.
type code struct {
	Challenge string `json:"c"`
	Until     int64  `json:"u"` // Unix milliseconds
	Box       []byte `json:"b"`
}

// Why a code is no good.
var (
	errNoCode   = errors.New("the code was not made here, or not for this host")
	errCodeOver = errors.New("the code took longer than " + codeLife.String())
)

func kem() hpke.KEM { return hpke.DHKEM(ecdh.X25519()) }

// newKey makes the two halves of an attempt on another host: secret stays in the
// attempt's cookie, challenge goes to public_url's host.
func newKey() (secret, challenge string, err error) {
	key, err := kem().GenerateKey()
	if err != nil {
		return "", "", err
	}
	raw, err := key.Bytes()
	if err != nil {
		return "", "", err
	}
	return base64.RawURLEncoding.EncodeToString(raw), base64.RawURLEncoding.EncodeToString(key.PublicKey().Bytes()), nil
}

// isChallenge says whether a text is the public half of an attempt.
func isChallenge(text string) bool {
	_, err := publicKey(text)
	return err == nil
}

func publicKey(challenge string) (hpke.PublicKey, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(challenge)
	if err != nil || len(challenge) != base64.RawURLEncoding.EncodedLen(len(raw)) {
		return nil, errors.New("a challenge is base64url")
	}
	return kem().NewPublicKey(raw)
}

// newCode makes the code that carries pass to the end of a way.
func (h *Handler) newCode(to way, pass []byte) (string, error) {
	key, err := publicKey(to.challenge)
	if err != nil {
		return "", err
	}
	box, err := hpke.Seal(key, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte(codeLabel+" "+to.origin), pass)
	if err != nil {
		return "", err
	}
	plain, err := json.Marshal(code{Challenge: to.challenge, Until: h.Now().Add(codeLife).UnixMilli(), Box: box})
	if err != nil {
		return "", err
	}
	return h.Sealer.SealText(codeLabel, plain, []byte(to.origin)), nil
}

// readCode reads the code in a query and opens its outer seal for the host with this
// origin. It is given once (RFC 6749 section 3.1).
func (h *Handler) readCode(query, origin string) (text string, c code, err error) {
	q, err := url.ParseQuery(query)
	if err != nil || len(q["code"]) != 1 || len(q["code"][0]) > maxCode {
		return "", code{}, errors.New("the query has no code, or several")
	}
	text = q["code"][0]
	plain, err := h.Sealer.OpenText(codeLabel, text, []byte(origin))
	if err == nil {
		err = json.Unmarshal(plain, &c)
	}
	if err != nil {
		return "", code{}, errNoCode
	}
	if left := time.UnixMilli(c.Until).Sub(h.Now()); left <= 0 || left > 2*codeLife {
		return text, c, errCodeOver
	}
	return text, c, nil
}

// pass opens the inner seal with the secret of the attempt.
func (c code) pass(secret, origin string) ([]byte, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(secret)
	if err != nil {
		return nil, err
	}
	key, err := kem().NewPrivateKey(raw)
	if err != nil {
		return nil, err
	}
	pass, err := hpke.Open(key, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte(codeLabel+" "+origin), c.Box)
	if err != nil {
		return nil, fmt.Errorf("the code is for another attempt: %w", err)
	}
	return pass, nil
}
