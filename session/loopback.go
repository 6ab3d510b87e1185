package session

import "net/netip"

// LoopbackHost says whether a host name or address, without port and brackets,
// is this machine: localhost, 127.0.0.0/8 or ::1. There, and nowhere else, plain
// http is accepted (W3C Secure Contexts section 3.1).
func LoopbackHost(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}
