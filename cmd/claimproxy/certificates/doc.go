// Package certificates orders the certificates of claimproxy's hosts from an authority
// that speaks ACME (RFC 8555), and renews them before they end.
//
// It stands where TLS connections begin: [Manager.Certificate] answers a handshake from
// memory, and nothing that a stranger sends has anything ordered. What is ordered is what
// a [Plan] names, by one goroutine, [Manager.Run], ahead of the first handshake.
//
// The authority is spoken with through golang.org/x/crypto/acme. Its autocert is not used:
// it orders inside handshakes, keeps to itself why a renewal failed, and knows no turn
// that several claimproxies could take.
package certificates
