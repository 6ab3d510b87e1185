package certificates

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"time"
)

func certificateOf(name string) string { return name + ".pem" }

// encode writes a key and the chain of its certificate, in PEM.
func encode(chain [][]byte, key crypto.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	data := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	for _, der := range chain {
		data = append(data, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	return data, nil
}

// decode reads what encode has written, and refuses what is not a certificate of the host.
func decode(data []byte, name string) (*tls.Certificate, error) {
	pair, err := tls.X509KeyPair(data, data) // which makes sure that they fit together
	if err != nil {
		return nil, err
	}
	if err := pair.Leaf.VerifyHostname(name); err != nil {
		return nil, err
	}
	return &pair, nil
}

// accountLife is how long the key of an account is kept.
const accountLife = 10 * 365 * 24 * time.Hour

// accountKey is the key of the account at an authority, made where the store has none.
func accountKey(ctx context.Context, store Store, directory string) (crypto.Signer, error) {
	hash := sha256.Sum256([]byte(directory))
	at := "account-" + hex.EncodeToString(hash[:6]) + ".pem"
	data, err := get(ctx, store, at)
	if err != nil {
		return nil, err
	}
	if data == nil {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		if data, err = encode(nil, key); err != nil {
			return nil, err
		}
		return key, put(ctx, store, at, data, accountLife)
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, fmt.Errorf("%s: expected a key in PEM, got something else", at)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", at, err)
	}
	if signer, ok := key.(crypto.Signer); ok {
		return signer, nil
	}
	return nil, errors.New(at + ": this key cannot sign")
}
